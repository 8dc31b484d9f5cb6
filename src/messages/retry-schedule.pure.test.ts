import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { retryDelayMs, SEND_ATTEMPTS_MAX } from './retry-schedule.ts';

const NEARLY_ONE = 1 - Number.EPSILON;

describe('the wait before the next try', () => {
  test('doubles with each try that failed, up to a minute', () => {
    const longest = Array.from({ length: 9 }, (_, i) => retryDelayMs(i + 1, NEARLY_ONE));
    expect(longest).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
  });

  test('is spread over half of its length, so that messages that failed together part', () => {
    const random = fc.double({ min: 0, max: NEARLY_ONE, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), random, (attempt, value) => {
        const delay = retryDelayMs(attempt, value);
        const longest = retryDelayMs(attempt, NEARLY_ONE);
        expect(Number.isInteger(delay)).toBe(true);
        expect(delay).toBeGreaterThanOrEqual(longest / 2);
        expect(delay).toBeLessThanOrEqual(longest);
      }),
    );
    expect(retryDelayMs(3, 0)).toBe(2_000);
    expect(retryDelayMs(3, 0.5)).toBe(3_000);
  });

  test('all tries together take less than the shortest life of a code', () => {
    let total = 0;
    for (let attempt = 1; attempt < SEND_ATTEMPTS_MAX; attempt++) total += retryDelayMs(attempt, NEARLY_ONE);
    expect(total).toBeLessThan(60_000);
  });
});
