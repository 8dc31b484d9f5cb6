/** The wait after the first attempt that was refused, in ms; each later one is twice the one before. */
const FIRST_WAIT_MS = 30_000;

/** An attempt that was refused; times are Unix ms. */
interface RefusedAttempt {
  /** Attempts that were made, this one with them. */
  attempts: number;
  maxAttempts: number;
  scheduledAt: number;
  now: number;
  /** When the refusal says that another may pass, in ms from now. */
  retryAfterMs: number;
}

/** Whether a schedule is so late that it is not sent any more. */
export function isMissed(scheduledAt: number, now: number, misfireMs: number): boolean {
  return now - scheduledAt >= misfireMs;
}

/**
 * When a schedule is tried again after 30 s, 1, 2 or 4 minutes, and not before the refusal allows it (Unix ms).
 * Undefined when no attempt is left, or none before it counts as missed.
 */
export function nextAttemptAt(refused: RefusedAttempt, misfireMs: number): number | undefined {
  const { attempts, maxAttempts, scheduledAt, now, retryAfterMs } = refused;
  if (attempts >= maxAttempts) return undefined;
  const at = now + Math.max(FIRST_WAIT_MS * 2 ** (attempts - 1), retryAfterMs);
  return isMissed(scheduledAt, at, misfireMs) ? undefined : at;
}
