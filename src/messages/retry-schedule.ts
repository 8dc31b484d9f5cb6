/** Tries of one message before it is given up. */
export const SEND_ATTEMPTS_MAX = 6;

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;

/**
 * How long to wait after the `attempt`-th failed try (1, 2, …), in ms: exponential with equal jitter, so that
 * messages that failed together are not all tried again together.
 * @param random a number in [0, 1)
 */
export function retryDelayMs(attempt: number, random: number): number {
  const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempt - 1));
  return Math.round(delay / 2 + (delay / 2) * random);
}
