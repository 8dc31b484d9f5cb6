import type { Database, Transaction } from '../database/database.ts';
import { NotFoundError, WotpError } from '../errors/errors.ts';
import { addressIdentity } from '../lib/client-address.ts';
import type { Clock } from '../lib/clock.ts';
import type { Settings } from '../settings/settings.ts';
import { readCode } from './code.ts';
import type { CodeSecrets } from './code-secrets.ts';
import {
  attemptsRemaining,
  type Destination,
  failedChecksOf,
  guessQuota,
  LOOK_BACK_MS,
  latestFor,
  loadDestination,
  loadOpenDestination,
  nextFreeSendAt,
  usedChannels,
  withFailedCheck,
} from './destination.ts';
import type { VerificationEnder } from './ending.ts';
import type { FailedCheck } from './guess-budget.ts';
import { readPerson } from './person.ts';
import { EXPIRED, guessesSpent, incorrect, NONE_PENDING, NONE_WITH_ID } from './refusals.ts';
import type { DestinationRow, VerificationRepository } from './repository.ts';
import { statusAt } from './state-machine.ts';
import { DEFAULT_PURPOSE, type Verified, type VerifyRequest } from './types.ts';

/** What a check came to. All but `verified` become errors, after what they changed is committed. */
type Outcome =
  | { is: 'verified'; row: DestinationRow; at: number }
  | { is: 'incorrect'; attemptsRemaining: number; nextSendAt: number }
  | { is: 'spent'; nextSendAt: number; quota: ReturnType<typeof guessQuota> }
  | { is: 'expired' }
  | { is: 'none' };

/**
 * Checks what the person typed. Whatever it comes to is committed before this settles.
 * @throws WotpError VALIDATION_ERROR (costs no attempt), OTP_INCORRECT, OTP_EXPIRED, OTP_NOT_FOUND,
 * OTP_ATTEMPTS_EXCEEDED
 */
export type CodeCheck = (request: VerifyRequest) => Promise<Verified>;

export function codeCheck(deps: {
  database: Database;
  repository: VerificationRepository;
  ender: VerificationEnder;
  secrets: CodeSecrets;
  clock: Clock;
  settings: Settings;
}): CodeCheck {
  const { database, repository, ender, secrets, clock, settings } = deps;

  /**
   * The verification that is meant, with its phone's state, which nobody else decides on meanwhile. Undefined for those
   * that are answered like one that never existed; finding that out costs the same reads for all of them.
   */
  async function find(
    trx: Transaction,
    { projectId, id, phone, email, purpose = DEFAULT_PURPOSE }: VerifyRequest,
  ) {
    const now = clock.now();
    if (id === undefined) {
      const { identity } = readPerson({ phone, email }, settings.of(projectId).readPhone);
      await database.serialize(trx, `${projectId}:${identity}`);
      const destination = await loadOpenDestination(repository, trx, projectId, identity, purpose, now);
      const row = destination && latestFor(destination, purpose);
      return row && { row, destination };
    }
    const identity = await repository.openDestination(trx, 'check', {
      projectId,
      id,
      since: now - LOOK_BACK_MS,
    });
    if (identity === undefined) return undefined;
    await database.serialize(trx, `${projectId}:${identity}`);
    const destination = await loadDestination(repository, trx, projectId, identity, now);
    const row = destination.verifications.find((candidate) => candidate.id === id);
    return row && { row, destination };
  }

  async function check(trx: Transaction, request: VerifyRequest, code: string): Promise<Outcome> {
    const found = await find(trx, request);
    const now = clock.now();
    const status = found && statusAt(found.row, now);
    if (found && status === 'pending') return compare(trx, found.row, found.destination, request, code, now);

    secrets.matches(undefined, code);
    if (found && status === 'max_attempts_reached') {
      return spent(found.row, found.destination, found.row.client_ip, now);
    }
    if (found && status === 'expired') {
      await ender.end(trx, found.row, 'expired', null);
      return { is: 'expired' };
    }
    return { is: 'none' };
  }

  function spent(
    row: DestinationRow,
    destination: Destination,
    client_ip: string | null,
    now: number,
  ): Outcome {
    const guesser = { ...row, client_ip };
    const { phoneLimits, code } = settings.of(row.project_id);
    return {
      is: 'spent',
      nextSendAt: nextFreeSendAt(destination, guesser, phoneLimits, now),
      quota: guessQuota(destination, guesser, code.maxAttempts, now),
    };
  }

  async function compare(
    trx: Transaction,
    row: DestinationRow,
    destination: Destination,
    request: VerifyRequest,
    code: string,
    now: number,
  ): Promise<Outcome> {
    const client_ip = request.clientIp === undefined ? row.client_ip : addressIdentity(request.clientIp);
    const guesser = { code_length: row.code_length, attempts: row.attempts, client_ip };
    const { phoneLimits, code: rules } = settings.of(row.project_id);
    if (attemptsRemaining(destination, guesser, rules.maxAttempts, now) === 0) {
      secrets.matches(undefined, code);
      return spent(row, destination, client_ip, now);
    }

    // Count first, compare second: the attempt is spent as a failure, and a right code takes the failure back.
    const failed: FailedCheck = [now, client_ip];
    if (!(await repository.spendAttempt(trx, row.id, [...failedChecksOf(row), failed])))
      return { is: 'none' };
    if (secrets.matches(row, code)) {
      if (!(await ender.verify(trx, row, now, client_ip))) return { is: 'none' };
      for (const other of destination.verifications) {
        if (other.id !== row.id && failedChecksOf(other).length > 0) {
          await repository.setFailedChecks(trx, other.id, []);
        }
      }
      return { is: 'verified', row, at: now };
    }
    const after = withFailedCheck(destination, failed);
    const remaining = attemptsRemaining(
      after,
      { ...guesser, attempts: row.attempts + 1 },
      rules.maxAttempts,
      now,
    );
    if (remaining === 0) await ender.end(trx, row, 'max_attempts_reached', 'max_attempts_reached');
    const nextSendAt = nextFreeSendAt(after, guesser, phoneLimits, now);
    return { is: 'incorrect', attemptsRemaining: remaining, nextSendAt };
  }

  return async (request) => {
    const code = readCode(request.code);
    const outcome = await database.transaction((trx) => check(trx, request, code));
    switch (outcome.is) {
      case 'verified': {
        const { id, phone, email, purpose, is_test } = outcome.row;
        const isTest = is_test === 1;
        const channels = isTest ? [] : usedChannels(outcome.row);
        return { id, phone, email, purpose, channels, verifiedAt: outcome.at, isTest };
      }
      case 'incorrect':
        throw incorrect(outcome.attemptsRemaining, outcome.nextSendAt, clock.now());
      case 'spent':
        throw guessesSpent(outcome.nextSendAt, clock.now(), outcome.quota);
      case 'expired':
        throw new WotpError('OTP_EXPIRED', EXPIRED);
      case 'none':
        throw new NotFoundError(request.id === undefined ? NONE_PENDING : NONE_WITH_ID, 'OTP_NOT_FOUND');
    }
  };
}
