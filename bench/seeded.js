// @ts-check
/**
 * Random numbers that a seed decides (mulberry32).
 * @param {number} seed
 * @returns {(max: number) => number} a whole number from 0 to `max` - 1
 */
export function seeded(seed) {
  let state = seed >>> 0;
  return (max) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * max);
  };
}
