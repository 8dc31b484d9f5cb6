import type { Executor } from '../database/database.ts';
import { nextMessageAt, nextResendAt, type PhoneLimits } from '../limits/phone-limits.ts';
import type { ChannelName } from '../messages/channel.ts';
import {
  BUDGET_WINDOW_MS,
  FAILED_CHECKS_MAX_UNKNOWN,
  type FailedCheck,
  type GuessBudget,
  guessBudget,
} from './guess-budget.ts';
import type { DestinationRow, Send, VerificationRepository } from './repository.ts';
import { statusAt } from './state-machine.ts';

/** Guesses one verification has at most, whatever the settings. */
const ATTEMPTS_MAX = 5;

/** Messages one verification may send. */
export const SENDS_MAX = 5;

/** A pending verification with less life than this is not worth repeating; a send begins a new one. In ms. */
export const LIFE_WORTH_A_RETRY_MS = 60_000;

/** A verification lives an hour at most, so what still counts began within a day and an hour. */
export const LOOK_BACK_MS = BUDGET_WINDOW_MS + 60 * 60 * 1000;

/** A client address is known to a phone for this long after it has verified it, in ms. */
const KNOWN_FOR_MS = 30 * 24 * 60 * 60 * 1000;

/** With fewer failed checks everybody has a verification's own guesses left, so nobody need be told from strangers. */
const SHARES_MATTER_FROM = FAILED_CHECKS_MAX_UNKNOWN - ATTEMPTS_MAX;

/**
 * What is known of one phone in one project: its verifications of the last day, and what they say of limits and
 * guesses. Everything that is counted is counted here, from what is stored.
 */
export interface Destination {
  /** Oldest first. */
  verifications: DestinationRow[];
  failedChecks: FailedCheck[];
  /** Times (Unix ms) of the messages that count. */
  sentAt: number[];
  /** Times (Unix ms) of messages to it that belong to none of its verifications: they fill the windows alone. */
  othersAt: number[];
  /** What came before no longer counts (Unix ms). */
  countedFrom: number;
  /** Client addresses that have verified the phone; empty while nobody's guesses depend on it. */
  knownClients: ReadonlySet<string>;
}

export async function loadDestination(
  repository: VerificationRepository,
  executor: Executor,
  projectId: number,
  identity: string,
  now: number,
): Promise<Destination> {
  const rows = await repository.ofDestination(executor, projectId, identity, now - LOOK_BACK_MS);
  return toDestination(repository, executor, projectId, identity, now, rows);
}

/**
 * As {@link loadDestination}, for a check by phone: undefined where the phone's newest verification for the purpose is
 * one that a check answers like one that never existed. Both cost the same reads.
 */
export async function loadOpenDestination(
  repository: VerificationRepository,
  executor: Executor,
  projectId: number,
  identity: string,
  purpose: string,
  now: number,
): Promise<Destination | undefined> {
  const wanted = { projectId, destination: identity, purpose, since: now - LOOK_BACK_MS };
  const rows = await repository.ofOpenDestination(executor, wanted);
  return rows.length === 0 ? undefined : toDestination(repository, executor, projectId, identity, now, rows);
}

async function toDestination(
  repository: VerificationRepository,
  executor: Executor,
  projectId: number,
  identity: string,
  now: number,
  verifications: DestinationRow[],
): Promise<Destination> {
  const countedFrom = Math.max(0, ...verifications.map((row) => row.limits_lifted_at ?? 0));
  const failedChecks = verifications.flatMap(failedChecksOf).filter(([at]) => at >= countedFrom);
  const sentAt = verifications.flatMap(sendsOf).map(([at]) => at);
  return {
    verifications,
    countedFrom,
    failedChecks,
    sentAt: sentAt.filter((at) => at >= countedFrom),
    othersAt: [],
    knownClients:
      failedChecks.length < SHARES_MATTER_FROM
        ? NOBODY
        : await repository.clientsThatVerified(executor, projectId, identity, now - KNOWN_FOR_MS),
  };
}

const NOBODY: ReadonlySet<string> = new Set();

/** The state of a phone after one more message. */
export function withMessageAt(destination: Destination, at: number): Destination {
  return { ...destination, sentAt: [...destination.sentAt, at] };
}

/** The state of a phone after one more failed check. */
export function withFailedCheck(destination: Destination, failed: FailedCheck): Destination {
  return { ...destination, failedChecks: [...destination.failedChecks, failed] };
}

/** The messages of a verification, oldest first. */
export function sendsOf(row: Pick<DestinationRow, 'sends'>): Send[] {
  return JSON.parse(row.sends) as Send[];
}

/** The channels of a verification in order, as they were chosen at its send. */
export function routeOf(row: Pick<DestinationRow, 'route'>): ChannelName[] {
  return JSON.parse(row.route) as ChannelName[];
}

/** The channels by which a verification's code was sent, each once. */
export function usedChannels(row: Pick<DestinationRow, 'route' | 'step'>): ChannelName[] {
  return [...new Set(routeOf(row).slice(0, row.step + 1))];
}

export function messageIdsOf(row: Pick<DestinationRow, 'sends'>): string[] {
  return sendsOf(row).map(([, id]) => id);
}

/** The failed checks of a verification that have not been cleared. */
export function failedChecksOf(row: DestinationRow): FailedCheck[] {
  return JSON.parse(row.failed_checks) as FailedCheck[];
}

/** The newest verification for a purpose, whatever its state. */
export function latestFor(destination: Destination, purpose: string): DestinationRow | undefined {
  return destination.verifications.findLast((row) => row.purpose === purpose);
}

/** The pending verification for a purpose; undefined when there is none whose code still lives. */
export function pendingFor(
  destination: Destination,
  purpose: string,
  now: number,
): DestinationRow | undefined {
  return destination.verifications.findLast(
    (row) => row.purpose === purpose && statusAt(row, now) === 'pending',
  );
}

/** The guesses that a caller with these marks has left on this phone. */
export function budgetOf(
  destination: Destination,
  { code_length, client_ip }: Pick<DestinationRow, 'code_length' | 'client_ip'>,
  now: number,
): GuessBudget {
  const isKnown = client_ip !== null && destination.knownClients.has(client_ip);
  return guessBudget(
    destination.failedChecks,
    { codeLength: code_length, clientIp: client_ip, isKnown },
    now,
  );
}

/** The guesses left for one verification: its own, or the phone's if those are fewer. */
export function attemptsRemaining(
  destination: Destination,
  row: Pick<DestinationRow, 'attempts' | 'code_length' | 'client_ip'>,
  maxAttempts: number,
  now: number,
): number {
  return Math.max(0, Math.min(maxAttempts - row.attempts, budgetOf(destination, row, now).remaining));
}

/** The guesses that are used up when none is left: those of the phone, or else of the verification alone. */
export function guessQuota(
  destination: Destination,
  row: Pick<DestinationRow, 'code_length' | 'client_ip' | 'created_at' | 'expires_at'>,
  maxAttempts: number,
  now: number,
): { quota: number; windowMs: number } {
  const { remaining, quota } = budgetOf(destination, row, now);
  return remaining === 0
    ? { quota, windowMs: BUDGET_WINDOW_MS }
    : { quota: maxAttempts, windowMs: row.expires_at - row.created_at };
}

/** The times of all messages to it that count (Unix ms). */
export function messagesAt({ sentAt, othersAt }: Destination): number[] {
  return [...sentAt, ...othersAt];
}

/** When a message without a code is allowed, or the next channel of one with it: by the windows alone (Unix ms). */
export function nextInWindows(destination: Destination, limits: PhoneLimits): number {
  return nextMessageAt(messagesAt(destination), { ...limits, gapMs: 0 });
}

/** When a send that begins a new verification is allowed (Unix ms). */
export function nextSendAt(destination: Destination, limits: PhoneLimits): number {
  return Math.max(nextMessageAt(destination.sentAt, limits), nextInWindows(destination, limits));
}

/** When this pending verification may send its next message (Unix ms); infinite once it has sent all it may. */
export function nextResendOf(destination: Destination, row: DestinationRow, limits: PhoneLimits): number {
  const sends = sendsOf(row);
  if (sends.length >= SENDS_MAX) return Number.POSITIVE_INFINITY;
  const counted = sends.map(([at]) => at).filter((at) => at >= destination.countedFrom);
  return Math.max(nextSendAt(destination, limits), nextResendAt(counted, limits));
}

/** When a send for this phone and purpose is allowed (Unix ms): it repeats this code, or in its last minute begins anew. */
export function nextRetryAt(destination: Destination, row: DestinationRow, limits: PhoneLimits): number {
  const lastMinute = row.expires_at - LIFE_WORTH_A_RETRY_MS + 1;
  return Math.max(
    nextSendAt(destination, limits),
    Math.min(nextResendOf(destination, row, limits), lastMinute),
  );
}

/** When a new code may be sent to the phone, by its messages and by its guesses (Unix ms). */
export function nextFreeSendAt(
  destination: Destination,
  guesser: Pick<DestinationRow, 'code_length' | 'client_ip'>,
  limits: PhoneLimits,
  now: number,
): number {
  const budget = budgetOf(destination, guesser, now);
  return Math.max(nextSendAt(destination, limits), budget.remaining === 0 ? budget.refillsAt : 0);
}
