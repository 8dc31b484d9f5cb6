/** Up to this share of a wait is added at random, so that what failed together does not come back together. */
const JITTER = 0.1;

/**
 * In how many ms the next attempt is due; undefined when the schedule has no more.
 * @param tries attempts that have failed
 * @param retryAfterMs what the endpoint asked for; it only makes a wait longer
 * @param random from 0 to 1
 */
export function retryInMs(
  waitSeconds: readonly number[],
  { tries, retryAfterMs = 0, random }: { tries: number; retryAfterMs?: number | undefined; random: number },
): number | undefined {
  const seconds = waitSeconds[tries];
  if (seconds === undefined) return undefined;
  return Math.round(Math.max(seconds * 1000 * (1 + JITTER * random), retryAfterMs));
}
