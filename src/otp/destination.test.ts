import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestDatabase } from '../../test/support/test-database.ts';
import { newId } from '../lib/id.ts';
import {
  attemptsRemaining,
  budgetOf,
  type Destination,
  LIFE_WORTH_A_RETRY_MS,
  latestFor,
  loadDestination,
  nextFreeSendAt,
  nextRetryAt,
  nextSendAt,
  pendingFor,
  SENDS_MAX,
} from './destination.ts';
import { type Send, type VerificationRow, verificationRepository } from './repository.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const LIMITS = { gapMs: 30_000, per10Minutes: 5, perDay: 10 };
const NOW = Date.UTC(2026, 0, 15);

/** A verification that was sent at the given times and lives ten minutes. */
function verification(sentAt: readonly number[], changes: Partial<VerificationRow> = {}): VerificationRow {
  const createdAt = sentAt[0]!;
  return {
    id: newId('ver', createdAt),
    project_id: 1,
    phone: '+6281234500001',
    email: null,
    route: '["whatsapp"]',
    step: 0,
    move_at: null,
    sealed_code: null,
    destination: '6281234500001',
    purpose: 'default',
    channel: 'simulator',
    status: 'pending',
    reason: null,
    code_mac: Buffer.alloc(32),
    key_version: 1,
    code_length: 6,
    attempts: 0,
    sends: JSON.stringify(sentAt.map((at, i): Send => [at, `msg_${i}`])),
    failed_checks: '[]',
    client_ip: null,
    is_test: 0,
    metadata: null,
    created_at: createdAt,
    expires_at: createdAt + 10 * MINUTE_MS,
    verified_at: null,
    limits_lifted_at: null,
    verified_client_ip: null,
    ...changes,
  };
}

function destinationOf(...verifications: VerificationRow[]): Destination {
  const parsed = (column: 'sends' | 'failed_checks') =>
    verifications.flatMap((row) => JSON.parse(row[column]));
  return {
    verifications,
    failedChecks: parsed('failed_checks'),
    sentAt: parsed('sends').map(([at]: Send) => at),
    othersAt: [],
    countedFrom: 0,
    knownClients: new Set(),
  };
}

const failures = (count: number, at = NOW) => JSON.stringify(Array.from({ length: count }, () => [at, null]));

describe('the verification that is meant', () => {
  const old = verification([NOW - 5 * MINUTE_MS], { status: 'canceled' });
  const login = verification([NOW - 4 * MINUTE_MS], { purpose: 'login' });
  const pending = verification([NOW - 3 * MINUTE_MS]);
  const phone = destinationOf(old, login, pending);

  test('is the newest of its purpose', () => {
    expect(latestFor(phone, 'default')).toBe(pending);
    expect(latestFor(phone, 'login')).toBe(login);
    expect(latestFor(phone, 'payment')).toBeUndefined();
  });

  test('is pending only while its code lives', () => {
    expect(pendingFor(phone, 'default', NOW)).toBe(pending);
    expect(pendingFor(phone, 'default', pending.expires_at - 1)).toBe(pending);
    expect(pendingFor(phone, 'default', pending.expires_at)).toBeUndefined();
    expect(pendingFor(destinationOf(old), 'default', NOW)).toBeUndefined();
  });
});

describe('the guesses left for a verification', () => {
  test('are its own, or those of the phone if they are fewer', () => {
    const spent = verification([NOW - MINUTE_MS], {
      status: 'max_attempts_reached',
      failed_checks: failures(12),
    });
    const row = verification([NOW], { attempts: 1, failed_checks: failures(1) });
    expect(attemptsRemaining(destinationOf(row), row, 5, NOW)).toBe(4);
    expect(attemptsRemaining(destinationOf(spent, row), row, 5, NOW)).toBe(2);
  });

  test('are never less than none', () => {
    const row = verification([NOW], { attempts: 7 });
    expect(attemptsRemaining(destinationOf(row), row, 5, NOW)).toBe(0);
  });

  test('are fewer for a short code and from one client address', () => {
    const row = verification([NOW], { failed_checks: JSON.stringify(Array(4).fill([NOW, '203.0.113.7'])) });
    const left = (code_length: number, client_ip: string | null) =>
      budgetOf(destinationOf(row), { code_length, client_ip }, NOW).remaining;
    expect([left(6, null), left(4, null), left(6, '203.0.113.7')]).toEqual([11, 1, 6]);
  });
});

describe('the next message', () => {
  test('to a phone counts those of all its verifications', () => {
    const phone = destinationOf(
      verification([NOW - 60_000]),
      verification([NOW - 10_000], { purpose: 'login' }),
    );
    expect(nextSendAt(phone, LIMITS)).toBe(NOW + 20_000);
  });

  test('of a verification waits longer with each, from its own latest', () => {
    const next = (...sentAt: number[]) => {
      const row = verification(sentAt);
      return nextRetryAt(destinationOf(row), row, { ...LIMITS, per10Minutes: 100 }) - sentAt.at(-1)!;
    };
    expect([next(NOW), next(NOW - 60_000, NOW), next(NOW - 90_000, NOW - 60_000, NOW)]).toEqual([
      30_000, 60_000, 120_000,
    ]);
  });

  test('of a verification waits for the other messages of its phone too', () => {
    const row = verification([NOW - 60_000]);
    const phone = destinationOf(row, verification([NOW], { purpose: 'login' }));
    expect(nextRetryAt(phone, row, LIMITS)).toBe(NOW + 30_000);
  });

  test(`after ${SENDS_MAX} is one that begins anew, in the last minute of the code`, () => {
    const sentAt = Array.from({ length: SENDS_MAX }, (_, i) => NOW + i);
    const row = verification(sentAt, { expires_at: NOW + HOUR_MS });
    const next = nextRetryAt(destinationOf(row), row, LIMITS);
    expect(row.expires_at - next).toBe(LIFE_WORTH_A_RETRY_MS - 1);
  });

  test('to a phone without guesses waits until one comes back', () => {
    const guesser = { code_length: 6, client_ip: '203.0.113.7' };
    const knownClients = new Set(['203.0.113.7']);
    for (const [known, limit] of [
      [new Set<string>(), 15],
      [knownClients, 20],
    ] as const) {
      const row = verification([NOW - 60_000], { failed_checks: failures(limit, NOW - HOUR_MS) });
      const phone = { ...destinationOf(row), knownClients: known };
      expect(nextFreeSendAt(phone, guesser, LIMITS, NOW)).toBe(NOW - HOUR_MS + DAY_MS);
    }
    const nearly = verification([NOW - 10_000], { failed_checks: failures(14) });
    expect(nextFreeSendAt(destinationOf(nearly), guesser, LIMITS, NOW)).toBe(NOW + 20_000);
  });
});

describe('what is loaded of a phone', () => {
  let file: Awaited<ReturnType<typeof openTestDatabase>>;
  beforeAll(async () => {
    file = await openTestDatabase();
  });
  afterAll(() => file.close());

  async function loaded(identity: string, rows: VerificationRow[], now = NOW): Promise<Destination> {
    const repository = verificationRepository(file.database);
    await file.database.transaction(async (trx) => {
      for (const { sends, ...row } of rows) {
        await repository.insert(trx, { ...row, destination: identity, sends });
        await repository.setFailedChecks(trx, row.id, JSON.parse(row.failed_checks));
        if (row.limits_lifted_at !== null) await repository.liftLimits(trx, [row.id], row.limits_lifted_at);
      }
    });
    return loadDestination(repository, file.database.reader, 1, identity, now);
  }

  test('is its own in its own project, oldest first', async () => {
    const rows = [verification([NOW - 2_000]), verification([NOW - 1_000]), verification([NOW])];
    await loaded('another phone', [verification([NOW])]);
    await loaded('phone 1', [verification([NOW], { project_id: 2 })]);
    const { verifications } = await loaded('phone 1', rows);
    expect(verifications.map((row) => row.id)).toEqual(rows.map((row) => row.id));
  });

  test('is everything that still counts: the checks of an hour-long code a day later too', async () => {
    const createdAt = NOW - DAY_MS - HOUR_MS + 1;
    const failedAt = NOW - DAY_MS + 1;
    const row = verification([createdAt], { failed_checks: failures(20, failedAt) });
    const phone = await loaded('phone 2', [row]);
    expect(budgetOf(phone, { code_length: 6, client_ip: null }, NOW).remaining).toBe(0);
  });

  test('is nothing of more than a day and an hour ago', async () => {
    const { verifications } = await loaded('phone 3', [verification([NOW - DAY_MS - HOUR_MS - 1])]);
    expect(verifications).toEqual([]);
  });

  test('leaves out what an administrator has lifted, and counts what came after', async () => {
    const lifted = verification([NOW - 3_000], {
      failed_checks: failures(5, NOW - 2_500),
      limits_lifted_at: NOW - 2_000,
    });
    const after = verification([NOW - 1_000], { failed_checks: failures(2, NOW - 500) });
    const phone = await loaded('phone 4', [lifted, after]);
    expect(phone.sentAt).toEqual([NOW - 1_000]);
    expect(phone.failedChecks).toHaveLength(2);
    expect(phone.verifications).toHaveLength(2);
  });
});
