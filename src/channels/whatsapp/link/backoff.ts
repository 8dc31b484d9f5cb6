import { MINUTE_MS } from '../../../lib/duration.ts';

const FIRST_MS = 2_000;
const CAP_MS = 5 * MINUTE_MS;

/**
 * How long to wait before the next attempt to connect, in ms: 2 s after the first failure, twice as long after each
 * further one, 5 minutes at most; half of it is left to chance, so that many sessions do not come back at once.
 * @param failures how many attempts in a row have failed, from 1
 * @param random from 0 up to 1
 */
export function reconnectDelayMs(failures: number, random: number): number {
  const fullMs = Math.min(CAP_MS, FIRST_MS * 2 ** Math.min(failures - 1, 20));
  return Math.round(fullMs / 2 + (fullMs / 2) * random);
}
