import type { Executor } from '../database/database.ts';
import { nextMessageAt, nextResendAt, type PhoneLimits } from '../limits/phone-limits.ts';
import { BUDGET_WINDOW_MS, type FailedCheck, type GuessBudget, guessBudget } from './guess-budget.ts';
import type { Send, VerificationRepository, VerificationRow } from './repository.ts';
import { statusAt } from './state-machine.ts';

/** Messages one verification may send. */
export const SENDS_MAX = 5;

/** A pending verification with less life than this is not worth repeating; a send begins a new one. In ms. */
export const LIFE_WORTH_A_RETRY_MS = 60_000;

/** A verification lives an hour at most, so what still counts began within a day and an hour. */
export const LOOK_BACK_MS = BUDGET_WINDOW_MS + 60 * 60 * 1000;

/**
 * What is known of one phone in one project: its verifications of the last day, and what they say of limits and
 * guesses. Everything that is counted is counted here, from what is stored.
 */
export interface Destination {
  /** Oldest first. */
  verifications: VerificationRow[];
  failedChecks: FailedCheck[];
  /** Times (Unix ms) of the messages that count. */
  sentAt: number[];
  /** What came before no longer counts (Unix ms). */
  countedFrom: number;
}

export async function loadDestination(
  repository: VerificationRepository,
  executor: Executor,
  projectId: string,
  identity: string,
  now: number,
): Promise<Destination> {
  const since = now - LOOK_BACK_MS;
  const verifications = await repository.ofDestination(executor, projectId, identity, since);
  const countedFrom = Math.max(0, ...verifications.map((row) => row.limits_lifted_at ?? 0));
  return {
    verifications,
    countedFrom,
    failedChecks: verifications.flatMap((row) => failedChecksOf(row)).filter(([at]) => at >= countedFrom),
    sentAt: verifications
      .flatMap((row) => sendsOf(row))
      .map(([at]) => at)
      .filter((at) => at >= countedFrom),
  };
}

/** The state of a phone after one more message. */
export function withMessageAt(destination: Destination, at: number): Destination {
  const { verifications, failedChecks, sentAt, countedFrom } = destination;
  return { verifications, failedChecks, sentAt: [...sentAt, at], countedFrom };
}

/** The messages of a verification, oldest first. */
export function sendsOf(row: VerificationRow): Send[] {
  return JSON.parse(row.sends) as Send[];
}

export function messageIdsOf(row: VerificationRow): string[] {
  return sendsOf(row).map(([, id]) => id);
}

/** The failed checks of a verification that have not been cleared. */
export function failedChecksOf(row: VerificationRow): FailedCheck[] {
  return JSON.parse(row.failed_checks) as FailedCheck[];
}

/** The newest verification for a purpose, whatever its state. */
export function latestFor(destination: Destination, purpose: string): VerificationRow | undefined {
  return destination.verifications.findLast((row) => row.purpose === purpose);
}

/** The pending verification for a purpose; undefined when there is none whose code still lives. */
export function pendingFor(
  destination: Destination,
  purpose: string,
  now: number,
): VerificationRow | undefined {
  return destination.verifications.findLast(
    (row) => row.purpose === purpose && statusAt(row, now) === 'pending',
  );
}

/** The guesses that a caller with these marks has left on this phone. */
export function budgetOf(
  destination: Destination,
  { code_length, client_ip }: Pick<VerificationRow, 'code_length' | 'client_ip'>,
  now: number,
): GuessBudget {
  return guessBudget(destination.failedChecks, { codeLength: code_length, clientIp: client_ip }, now);
}

/** The guesses left for one verification: its own, or the phone's if those are fewer. */
export function attemptsRemaining(
  destination: Destination,
  row: Pick<VerificationRow, 'attempts' | 'code_length' | 'client_ip'>,
  maxAttempts: number,
  now: number,
): number {
  return Math.max(0, Math.min(maxAttempts - row.attempts, budgetOf(destination, row, now).remaining));
}

/** The guesses that are used up when none is left: those of the phone, or else of the verification alone. */
export function guessQuota(
  destination: Destination,
  row: Pick<VerificationRow, 'code_length' | 'client_ip' | 'created_at' | 'expires_at'>,
  maxAttempts: number,
  now: number,
): { quota: number; windowMs: number } {
  const { remaining, quota } = budgetOf(destination, row, now);
  return remaining === 0
    ? { quota, windowMs: BUDGET_WINDOW_MS }
    : { quota: maxAttempts, windowMs: row.expires_at - row.created_at };
}

/** When a send that begins a new verification is allowed (Unix ms). */
export function nextSendAt(destination: Destination, limits: PhoneLimits): number {
  return nextMessageAt(destination.sentAt, limits);
}

/** When this pending verification may send its next message (Unix ms); infinite once it has sent all it may. */
export function nextResendOf(destination: Destination, row: VerificationRow, limits: PhoneLimits): number {
  const sends = sendsOf(row);
  if (sends.length >= SENDS_MAX) return Number.POSITIVE_INFINITY;
  const counted = sends.map(([at]) => at).filter((at) => at >= destination.countedFrom);
  return Math.max(nextSendAt(destination, limits), nextResendAt(counted, limits));
}

/** When a send for this phone and purpose is allowed (Unix ms): it repeats this code, or in its last minute begins anew. */
export function nextRetryAt(destination: Destination, row: VerificationRow, limits: PhoneLimits): number {
  const lastMinute = row.expires_at - LIFE_WORTH_A_RETRY_MS + 1;
  return Math.max(
    nextSendAt(destination, limits),
    Math.min(nextResendOf(destination, row, limits), lastMinute),
  );
}

/** When a new code may be sent to the phone, by its messages and by its guesses (Unix ms). */
export function nextFreeSendAt(
  destination: Destination,
  guesser: Pick<VerificationRow, 'code_length' | 'client_ip'>,
  limits: PhoneLimits,
  now: number,
): number {
  const budget = budgetOf(destination, guesser, now);
  return Math.max(nextSendAt(destination, limits), budget.remaining === 0 ? budget.refillsAt : 0);
}
