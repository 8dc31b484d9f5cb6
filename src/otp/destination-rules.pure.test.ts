import { describe, expect, test } from 'vitest';
import type { Executor } from '../database/database.ts';
import {
  attemptsRemaining,
  budgetOf,
  type Destination,
  failedChecksOf,
  guessQuota,
  latestFor,
  loadDestination,
  loadOpenDestination,
  messageIdsOf,
  nextFreeSendAt,
  nextResendOf,
  nextRetryAt,
  nextSendAt,
  pendingFor,
  SENDS_MAX,
  sendsOf,
  withFailedCheck,
  withMessageAt,
} from './destination.ts';
import type { FailedCheck } from './guess-budget.ts';
import type { Send, VerificationRepository, VerificationRow } from './repository.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const LIMITS = { gapMs: 30_000, per10Minutes: 5, perDay: 10 };
const NOW = Date.UTC(2026, 0, 15);
const ANYBODY = { code_length: 6, client_ip: null };
const CLIENT = '203.0.113.7';

interface Past {
  id?: string;
  purpose?: string;
  status?: string;
  sentAt?: readonly number[];
  failed?: readonly FailedCheck[];
  liftedAt?: number | null;
  expiresAt?: number;
}

/** A verification with the columns from which a phone's state is worked out. */
function verification({ sentAt = [NOW], failed = [], liftedAt = null, ...rest }: Past = {}): VerificationRow {
  const createdAt = sentAt[0] ?? NOW;
  const { id = `ver_${createdAt}`, purpose = 'default', status = 'pending' } = rest;
  return {
    id,
    purpose,
    status,
    ...ANYBODY,
    attempts: 0,
    sends: JSON.stringify(sentAt.map((at): Send => [at, `msg_${at}`])),
    failed_checks: JSON.stringify(failed),
    created_at: createdAt,
    expires_at: rest.expiresAt ?? createdAt + 10 * MINUTE_MS,
    limits_lifted_at: liftedAt,
  } as VerificationRow;
}

/** The state of a phone that has these verifications, as it is loaded. */
async function phoneWith(...rows: VerificationRow[]): Promise<Destination> {
  return loadDestination(storing(rows), {} as Executor, 1, '62812', NOW);
}

/** A repository that holds these verifications, the clients that verified them, and writes down what it is asked. */
function storing(
  rows: VerificationRow[],
  known: string[] = [],
  asked: unknown[] = [],
): VerificationRepository {
  const repository: Partial<VerificationRepository> = {
    async ofDestination(...of) {
      asked.push(of);
      return rows;
    },
    async ofOpenDestination(...of) {
      asked.push(of);
      return rows;
    },
    async clientsThatVerified(...of) {
      asked.push(of);
      return new Set(known);
    },
  };
  return repository as VerificationRepository;
}

const failures = (count: number, at = NOW - HOUR_MS, clientIp: string | null = null): FailedCheck[] =>
  Array.from({ length: count }, () => [at, clientIp]);

describe('what is loaded of a phone', () => {
  test('is asked for by project and identity, a day and an hour back', async () => {
    const asked: unknown[] = [];
    const executor = {} as Executor;
    const loaded = await loadDestination(storing([], [], asked), executor, 1, '62812', NOW);
    expect(asked).toEqual([[executor, 1, '62812', NOW - DAY_MS - HOUR_MS]]);
    expect(loaded).toEqual({
      verifications: [],
      failedChecks: [],
      sentAt: [],
      othersAt: [],
      countedFrom: 0,
      knownClients: new Set(),
    });
  });

  test('for a check by phone is the same, or nothing where the newest of the purpose is as none', async () => {
    const asked: unknown[] = [];
    const executor = {} as Executor;
    const row = verification();
    const load = (rows: VerificationRow[]) =>
      loadOpenDestination(storing(rows, [], asked), executor, 1, '62812', 'login', NOW);
    expect(await load([])).toBeUndefined();
    const wanted = {
      projectId: 1,
      destination: '62812',
      purpose: 'login',
      since: NOW - DAY_MS - HOUR_MS,
    };
    expect(asked).toEqual([[executor, wanted]]);
    expect(await load([row])).toEqual(await phoneWith(row));
  });

  test('are the clients that verified it in 30 days too, once its failed checks make them matter', async () => {
    const executor = {} as Executor;
    const load = async (count: number) => {
      const asked: unknown[] = [];
      const rows = [verification({ failed: failures(count) })];
      const { knownClients } = await loadDestination(
        storing(rows, [CLIENT], asked),
        executor,
        1,
        '62812',
        NOW,
      );
      return { known: [...knownClients], asked: asked.slice(1) };
    };
    expect(await load(9)).toEqual({ known: [], asked: [] });
    expect(await load(10)).toEqual({
      known: [CLIENT],
      asked: [[executor, 1, '62812', NOW - 30 * DAY_MS]],
    });
  });

  test('is every message and failed check of all its verifications', async () => {
    const a = verification({ sentAt: [1, 2], failed: [[3, null]] });
    const b = verification({ sentAt: [4], failed: [[5, CLIENT]], purpose: 'login' });
    expect(await phoneWith(a, b)).toEqual({
      verifications: [a, b],
      sentAt: [1, 2, 4],
      failedChecks: [
        [3, null],
        [5, CLIENT],
      ],
      othersAt: [],
      countedFrom: 0,
      knownClients: new Set(),
    });
  });

  test('counts from the latest lifting of its limits, that very moment included', async () => {
    const rows = [
      verification({
        sentAt: [10, 20, 30],
        failed: [
          [19, null],
          [20, null],
        ],
        liftedAt: 20,
      }),
      verification({ sentAt: [5, 25], failed: [[25, null]], liftedAt: 8 }),
    ];
    const loaded = await phoneWith(...rows);
    expect(loaded).toMatchObject({ countedFrom: 20, sentAt: [20, 30, 25] });
    expect(loaded.failedChecks).toEqual([
      [20, null],
      [25, null],
    ]);
  });
});

describe('what a verification holds', () => {
  const row = verification({ sentAt: [1, 2], failed: [[3, CLIENT]] });

  test('are its messages and failed checks, oldest first', () => {
    expect(sendsOf(row)).toEqual([
      [1, 'msg_1'],
      [2, 'msg_2'],
    ]);
    expect(messageIdsOf(row)).toEqual(['msg_1', 'msg_2']);
    expect(failedChecksOf(row)).toEqual([[3, CLIENT]]);
  });
});

test('one more message counts, and nothing else of the phone changes', async () => {
  const before = await phoneWith(verification({ sentAt: [1], failed: [[2, null]], liftedAt: 1 }));
  const after = withMessageAt(before, 9);
  expect(after).toEqual({ ...before, sentAt: [1, 9] });
  expect(before.sentAt).toEqual([1]);
});

test('one more failed check counts, and nothing else of the phone changes', async () => {
  const before = await phoneWith(verification({ sentAt: [1], failed: [[2, null]] }));
  expect(withFailedCheck(before, [9, CLIENT])).toEqual({
    ...before,
    failedChecks: [
      [2, null],
      [9, CLIENT],
    ],
  });
  expect(before.failedChecks).toEqual([[2, null]]);
});

describe('the verification that is meant', () => {
  test('is the newest of its purpose, and pending only if its code lives', async () => {
    const old = verification({ id: 'ver_old' });
    const other = verification({ id: 'ver_other', purpose: 'login' });
    const ended = verification({ id: 'ver_ended', status: 'canceled' });
    const phone = await phoneWith(old, ended, other);
    expect(latestFor(phone, 'default')).toBe(ended);
    expect(latestFor(phone, 'login')).toBe(other);
    expect(latestFor(phone, 'payment')).toBeUndefined();
    expect(pendingFor(phone, 'default', NOW)).toBe(old);
    expect(pendingFor(phone, 'login', NOW)).toBe(other);
    expect(pendingFor(phone, 'default', old.expires_at)).toBeUndefined();
  });
});

describe('the guesses left', () => {
  test('are those of the verification where the phone has more', async () => {
    const phone = await phoneWith(verification({ failed: failures(1) }));
    const left = (attempts: number) => attemptsRemaining(phone, { ...ANYBODY, attempts }, 5, NOW);
    expect([left(0), left(4), left(5), left(6)]).toEqual([5, 1, 0, 0]);
  });

  test('are those of the phone where it has fewer, by the caller’s address and the length of the code', async () => {
    const phone = await phoneWith(verification({ failed: failures(9, NOW - HOUR_MS, CLIENT) }));
    expect(attemptsRemaining(phone, { ...ANYBODY, client_ip: CLIENT, attempts: 0 }, 5, NOW)).toBe(1);
    expect(attemptsRemaining(phone, { code_length: 4, client_ip: null, attempts: 0 }, 5, NOW)).toBe(0);
    expect(budgetOf(phone, { code_length: 6, client_ip: CLIENT }, NOW).remaining).toBe(1);
  });

  test('are more for a client that has verified the phone, and for nobody else', async () => {
    const rows = [verification({ failed: failures(15) })];
    const phone = await loadDestination(storing(rows, [CLIENT]), {} as Executor, 1, '62812', NOW);
    const left = (client_ip: string | null) => budgetOf(phone, { code_length: 6, client_ip }, NOW).remaining;
    expect([left(CLIENT), left('198.51.100.4'), left(null)]).toEqual([5, 0, 0]);
  });

  test('that are used up are named with their window: those of the phone, else the life of the verification', async () => {
    const guesser = { ...ANYBODY, created_at: NOW, expires_at: NOW + 7 * MINUTE_MS };
    const some = await phoneWith(verification({ failed: failures(3) }));
    expect(guessQuota(some, guesser, 5, NOW)).toEqual({ quota: 5, windowMs: 7 * MINUTE_MS });
    const spent = await phoneWith(verification({ failed: failures(10, NOW - HOUR_MS, CLIENT) }));
    expect(guessQuota(spent, { ...guesser, client_ip: CLIENT }, 5, NOW)).toEqual({
      quota: 10,
      windowMs: DAY_MS,
    });
  });
});

describe('the next message', () => {
  test('of a phone waits for all its messages; of a verification longer with each of its own', async () => {
    const row = verification({ sentAt: [NOW - MINUTE_MS, NOW] });
    const phone = await phoneWith(row);
    expect(nextSendAt(phone, LIMITS)).toBe(NOW + 30_000);
    expect(nextResendOf(phone, row, LIMITS)).toBe(NOW + 60_000);
  });

  test('of a verification waits for another message to the phone, if that takes longer', async () => {
    const row = verification({ sentAt: [NOW - MINUTE_MS] });
    const phone = await phoneWith(row, verification({ sentAt: [NOW], purpose: 'login' }));
    expect(nextResendOf(phone, row, LIMITS)).toBe(NOW + 30_000);
  });

  test(`of a verification never comes after its ${SENDS_MAX}th`, async () => {
    const sentAt = (count: number) => Array.from({ length: count }, (_, i) => NOW - DAY_MS + i);
    const all = verification({ sentAt: sentAt(SENDS_MAX) });
    expect(nextResendOf(await phoneWith(all), all, LIMITS)).toBe(Number.POSITIVE_INFINITY);
    const oneLess = verification({ sentAt: sentAt(SENDS_MAX - 1) });
    expect(nextResendOf(await phoneWith(oneLess), oneLess, LIMITS)).toBeLessThan(NOW);
  });

  test('does not wait for what came before the limits were lifted', async () => {
    const lifted = verification({ sentAt: [NOW - 3_000, NOW - 2_000], liftedAt: NOW - 1_000 });
    expect(nextResendOf(await phoneWith(lifted), lifted, LIMITS)).toBe(0);
    const atThatMoment = verification({ sentAt: [NOW - 1_000, NOW - 500], liftedAt: NOW - 1_000 });
    expect(nextResendOf(await phoneWith(atThatMoment), atThatMoment, LIMITS)).toBe(NOW - 500 + 60_000);
  });

  test('for a purpose begins a new code in the last minute of the old, unless repeating is allowed sooner', async () => {
    const row = verification({ sentAt: [NOW], expiresAt: NOW + 70_000 });
    const phone = await phoneWith(row);
    expect(nextRetryAt(phone, row, { ...LIMITS, gapMs: 1_000 })).toBe(NOW + 1_000);
    const many = verification({
      sentAt: [NOW - 3 * MINUTE_MS, NOW - 2 * MINUTE_MS, NOW],
      expiresAt: NOW + 100_000,
    });
    expect(nextRetryAt(await phoneWith(many), many, LIMITS)).toBe(NOW + 40_001);
    expect(nextRetryAt(await phoneWith(many), many, { ...LIMITS, gapMs: 45_000 })).toBe(NOW + 45_000);
  });

  test('to a phone without guesses waits for the first to come back; with one left it does not', async () => {
    const spent = await phoneWith(verification({ sentAt: [NOW - HOUR_MS], failed: failures(20) }));
    expect(nextFreeSendAt(spent, { code_length: 4, client_ip: null }, LIMITS, NOW)).toBe(
      NOW - HOUR_MS + DAY_MS,
    );
    const one = await phoneWith(verification({ sentAt: [NOW], failed: failures(9, NOW - HOUR_MS, CLIENT) }));
    expect(nextFreeSendAt(one, { code_length: 6, client_ip: CLIENT }, LIMITS, NOW)).toBe(NOW + 30_000);
    const none = await phoneWith(
      verification({ sentAt: [NOW], failed: failures(10, NOW - HOUR_MS, CLIENT) }),
    );
    expect(nextFreeSendAt(none, { code_length: 6, client_ip: CLIENT }, LIMITS, NOW)).toBe(
      NOW - HOUR_MS + DAY_MS,
    );
  });
});
