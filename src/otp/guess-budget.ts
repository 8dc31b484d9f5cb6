/** A failed check: when (Unix ms), and from which client address if the caller said so. */
export type FailedCheck = [at: number, clientIp: string | null];

/** Failed checks of one phone in one project count for this long, in ms. */
export const BUDGET_WINDOW_MS = 24 * 60 * 60 * 1000;

const FAILED_CHECKS_MAX = 20;
/** All that strangers can use up together; the rest is for those who have verified the phone before. */
export const FAILED_CHECKS_MAX_UNKNOWN = 15;
const FAILED_CHECKS_MAX_SHORT_CODE = 5;
const FAILED_CHECKS_MAX_PER_CLIENT = 10;
const SHORT_CODE_BELOW = 6;

/** Whose guesses are counted. */
export interface Guesser {
  codeLength: number;
  clientIp: string | null;
  /** Whether this client address has verified the phone before. */
  isKnown: boolean;
}

/** How many guesses are left to a phone, and when the next one comes back. */
export interface GuessBudget {
  remaining: number;
  /** Unix ms; when `remaining` is 0, the moment from which it is not. */
  refillsAt: number;
  /** How many there are in {@link BUDGET_WINDOW_MS}. */
  quota: number;
}

/**
 * The guesses a phone has left in a project over all its verifications, counted over a rolling 24 hours.
 * @param failedChecks every failed check of this phone in the project, in any order
 */
export function guessBudget(
  failedChecks: readonly FailedCheck[],
  guesser: Guesser,
  now: number,
): GuessBudget {
  const counted = failedChecks.filter(([at]) => at > now - BUDGET_WINDOW_MS).sort(([a], [b]) => a - b);
  const longCodeLimit = guesser.isKnown ? FAILED_CHECKS_MAX : FAILED_CHECKS_MAX_UNKNOWN;
  const limit = guesser.codeLength < SHORT_CODE_BELOW ? FAILED_CHECKS_MAX_SHORT_CODE : longCodeLimit;
  const shared = budgetOf(counted, limit, now);
  if (guesser.clientIp === null) return shared;
  const sameClient = counted.filter(([, clientIp]) => clientIp === guesser.clientIp);
  const perClient = budgetOf(sameClient, FAILED_CHECKS_MAX_PER_CLIENT, now);
  return {
    remaining: Math.min(shared.remaining, perClient.remaining),
    refillsAt: Math.max(shared.refillsAt, perClient.refillsAt),
    quota: perClient.remaining < shared.remaining ? perClient.quota : shared.quota,
  };
}

function budgetOf(counted: readonly FailedCheck[], limit: number, now: number): GuessBudget {
  const overflowing = counted[counted.length - limit];
  return {
    remaining: Math.max(0, limit - counted.length),
    refillsAt: overflowing ? overflowing[0] + BUDGET_WINDOW_MS : now,
    quota: limit,
  };
}
