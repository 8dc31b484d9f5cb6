import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testSettings } from '../../test/support/settings.ts';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import { mockRouting } from '../../test/support/test-routing.ts';
import { codeCheck } from './check.ts';
import { type CodeSecrets, codeSecrets } from './code-secrets.ts';
import { verificationEnder } from './ending.ts';
import { BUDGET_WINDOW_MS } from './guess-budget.ts';
import { EXPIRED, NONE_PENDING, NONE_WITH_ID } from './refusals.ts';
import { type VerificationRepository, verificationRepository } from './repository.ts';
import { otpService } from './service.ts';

const CODE = '481516';
const WRONG = '000000';
const MINUTE_MS = 60_000;
const LIMITS = { gapMs: 30_000, per10Minutes: 5, perDay: 10 };
const settings = testSettings();

let outbox: TestOutbox;
let phonesMade = 0;
beforeAll(async () => {
  outbox = await openTestOutbox();
});
afterAll(() => outbox.close());

const newPhone = () => `+62812346${String(10_000 + phonesMade++)}`;

interface Wanted {
  phone?: string;
  purpose?: string;
  code?: string;
  clientIp?: string;
  projectId?: number;
}

/** Sends a code; resolves to the verification's id and phone. */
async function sent({
  phone = newPhone(),
  purpose = 'default',
  code = CODE,
  projectId = 1,
  clientIp,
}: Wanted = {}) {
  const otp = otpService({
    ...outbox,
    settings,
    routing: mockRouting(),
    isOptedOut: async () => false,
    testCodeFor: () => undefined,
  });
  const { verification } = await outbox.database.transaction((trx) =>
    otp.send(trx, { projectId, phone, purpose, channel: 'auto', code, ...(clientIp && { clientIp }) }),
  );
  return { id: verification.id, phone };
}

/** A check whose comparisons and locks are written down. */
function recordingCheck(changes: Partial<VerificationRepository> = {}) {
  const repository = { ...verificationRepository(outbox.database), ...changes };
  const real = codeSecrets(outbox.keyring);
  const compared: (string | undefined)[] = [];
  const order: string[] = [];
  const secrets: CodeSecrets = {
    ...real,
    matches(row, code) {
      compared.push(row?.id);
      return real.matches(row, code);
    },
  };
  const database: typeof outbox.database = Object.create(outbox.database, {
    serialize: {
      value: async (trx: Parameters<typeof outbox.database.serialize>[0], key: string) => {
        order.push(key);
        await outbox.database.serialize(trx, key);
      },
    },
  });
  const check = codeCheck({
    ...outbox,
    database,
    repository: {
      ...repository,
      ofDestination(...of) {
        order.push('read');
        return repository.ofDestination(...of);
      },
      ofOpenDestination(...of) {
        order.push('read');
        return repository.ofOpenDestination(...of);
      },
    },
    ender: verificationEnder({ ...outbox, repository }),
    secrets,
    settings,
  });
  return { check, compared, order };
}

const check = (request: {
  id?: string;
  phone?: string;
  purpose?: string;
  code: string;
  clientIp?: string;
  projectId?: number;
}) => recordingCheck().check({ projectId: 1, ...request });

/** The code, sentence and details of the refusal of a check; fails when it is none. */
async function refusalOf(request: Parameters<typeof check>[0]) {
  try {
    await check(request);
  } catch (error) {
    const { code, message, details } = error as { code: string; message: string; details: object };
    return { code, message, ...details };
  }
  throw new Error('the code was right');
}

const row = (id: string) =>
  outbox.database.reader
    .selectFrom('verifications')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirstOrThrow();

async function eventsOf(id: string): Promise<string[]> {
  const events = await outbox.database.reader
    .selectFrom('events')
    .selectAll()
    .where('subject', '=', id)
    .where('message_id', 'is', null)
    .orderBy('seq')
    .execute();
  return events.map(({ type, data }) => (data === null ? type : `${type} ${data}`));
}

const NONE = { code: 'OTP_NOT_FOUND', message: NONE_PENDING };
const NONE_OF_ID = { code: 'OTP_NOT_FOUND', message: NONE_WITH_ID };

describe('the verification that a check means', () => {
  test('is found by its id, in its own project only', async () => {
    const { id, phone } = await sent();
    expect(await refusalOf({ id, code: CODE, projectId: 2 })).toEqual(NONE_OF_ID);
    const verified = await check({ id, code: CODE });
    expect(verified).toEqual({
      id,
      phone,
      email: null,
      purpose: 'default',
      channels: ['whatsapp'],
      verifiedAt: outbox.clock.now(),
      isTest: false,
    });
  });

  test('is found by the phone and the purpose, which is `default` when none is named', async () => {
    const phone = newPhone();
    const plain = await sent({ phone });
    outbox.clock.set(outbox.clock.now() + LIMITS.gapMs);
    const login = await sent({ phone, purpose: 'login', code: '108108' });
    expect(await check({ phone, purpose: 'login', code: '108108' })).toMatchObject({
      id: login.id,
      purpose: 'login',
    });
    expect(await check({ phone, code: CODE })).toMatchObject({ id: plain.id, purpose: 'default' });
  });

  test('is the one of the id, not another of the same phone', async () => {
    const phone = newPhone();
    const plain = await sent({ phone });
    outbox.clock.set(outbox.clock.now() + LIMITS.gapMs);
    await sent({ phone, purpose: 'login', code: '108108' });
    expect(await check({ id: plain.id, code: CODE })).toMatchObject({ id: plain.id });
  });

  test('is none for an unknown id, a phone without a code, and one that cannot exist', async () => {
    expect(await refusalOf({ id: 'ver_none', code: CODE })).toEqual(NONE_OF_ID);
    expect(await refusalOf({ phone: newPhone(), code: CODE })).toEqual(NONE);
    expect((await refusalOf({ phone: '12', code: CODE })).code).toBe('PHONE_INVALID');
    expect((await refusalOf({ code: CODE })).code).toBe('VALIDATION_ERROR');
  });

  test('is decided on alone: the phone is locked in its project before anything of it is read', async () => {
    const { id, phone } = await sent();
    for (const named of [{ id }, { phone }]) {
      const { check: checkOnce, order } = recordingCheck();
      await expect(checkOnce({ projectId: 1, ...named, code: WRONG })).rejects.toMatchObject({
        code: 'OTP_INCORRECT',
      });
      expect(order).toEqual([`1:${phone.slice(1)}`, 'read']);
    }
  });
});

describe('a right code', () => {
  test('in any writing verifies, once; afterwards nothing waits', async () => {
    const { id } = await sent({ code: 'ABCD12' });
    expect(await check({ id, code: 'ab cd-12' })).toMatchObject({ id });
    expect(await row(id)).toMatchObject({ status: 'verified', verified_at: outbox.clock.now(), attempts: 1 });
    expect(await eventsOf(id)).toEqual(['otp.created', 'otp.verified']);
    expect(await refusalOf({ id, code: 'ABCD12' })).toEqual(NONE_OF_ID);
  });

  test('takes back its own failed check and clears those of the phone; what has none is not written', async () => {
    const phone = newPhone();
    const ids: string[] = [];
    for (const purpose of ['a', 'b', 'c']) {
      ids.push((await sent({ phone, purpose })).id);
      outbox.clock.set(outbox.clock.now() + LIMITS.gapMs);
    }
    const [a, b, c] = ids as [string, string, string];
    await refusalOf({ id: a, code: WRONG });
    await refusalOf({ id: c, code: WRONG });
    const real = verificationRepository(outbox.database);
    const cleared: unknown[] = [];
    const { check: checkOnce } = recordingCheck({
      setFailedChecks(trx, id, failedChecks) {
        cleared.push([id, failedChecks]);
        return real.setFailedChecks(trx, id, failedChecks);
      },
    });
    await checkOnce({ projectId: 1, id: c, code: CODE });
    expect(cleared).toEqual([[a, []]]);
    const left = await Promise.all([a, b, c].map(async (id) => JSON.parse((await row(id)).failed_checks)));
    expect(left).toEqual([[], [], []]);
    expect(await row(a)).toMatchObject({ status: 'pending', attempts: 1 });
  });
});

describe('a wrong code', () => {
  test('costs one attempt, and the refusal says how many are left', async () => {
    const { id } = await sent();
    const answers: unknown[] = [];
    for (let guess = 0; guess < 5; guess++) answers.push(await refusalOf({ id, code: WRONG }));
    const wrong = (attemptsRemaining: number, left: string) => ({
      code: 'OTP_INCORRECT',
      message: `The code is wrong; ${left}`,
      attemptsRemaining,
    });
    expect(answers).toEqual([
      wrong(4, '4 attempts are left.'),
      wrong(3, '3 attempts are left.'),
      wrong(2, '2 attempts are left.'),
      wrong(1, '1 attempt is left.'),
      wrong(0, 'no attempts are left. A new code may be sent in 30 s.'),
    ]);
  });

  test('that was the last one ends the verification, and says why', async () => {
    const { id } = await sent();
    for (let guess = 0; guess < 4; guess++) await refusalOf({ id, code: WRONG });
    expect(await row(id)).toMatchObject({ status: 'pending', reason: null, attempts: 4 });
    await refusalOf({ id, code: WRONG });
    expect(await row(id)).toMatchObject({
      status: 'max_attempts_reached',
      reason: 'max_attempts_reached',
      attempts: 5,
    });
    expect(await eventsOf(id)).toEqual(['otp.created', 'otp.failed {"reason":"max_attempts_reached"}']);
  });

  test('is kept as a failed check with its time and the address of the client, else that of the send', async () => {
    const { id } = await sent({ clientIp: '203.0.113.7' });
    const at = outbox.clock.now();
    await refusalOf({ id, code: WRONG });
    outbox.clock.set(at + 1_000);
    await refusalOf({ id, code: WRONG, clientIp: '::ffff:198.51.100.4' });
    expect(JSON.parse((await row(id)).failed_checks)).toEqual([
      [at, '203.0.113.7'],
      [at + 1_000, '198.51.100.4'],
    ]);
  });
});

describe('a check without an attempt left', () => {
  const SPENT = 'OTP_ATTEMPTS_EXCEEDED';

  test('refuses the right code too, and says when a new one may be sent, by the time a verification lives', async () => {
    const { id } = await sent();
    const sentAt = outbox.clock.now();
    for (let guess = 0; guess < 5; guess++) await refusalOf({ id, code: WRONG });
    outbox.clock.set(sentAt + 10_000);
    expect(await refusalOf({ id, code: CODE })).toMatchObject({
      code: SPENT,
      retryAfterSeconds: 20,
      usedUp: { name: 'guesses', quota: 5, windowMs: 5 * MINUTE_MS, resetAt: sentAt + LIMITS.gapMs },
    });
    expect(await row(id)).toMatchObject({ attempts: 5 });
  });

  test('counts the guesses of one client over all verifications of the phone, and takes no attempt', async () => {
    const phone = newPhone();
    const clientIp = '203.0.113.9';
    const firstAt = outbox.clock.now();
    for (const purpose of ['a', 'b']) {
      const { id } = await sent({ phone, purpose, clientIp });
      for (let guess = 0; guess < 5; guess++) await refusalOf({ id, code: WRONG });
      outbox.clock.set(outbox.clock.now() + LIMITS.gapMs);
    }
    const { id } = await sent({ phone, purpose: 'c', clientIp: '198.51.100.4' });
    const refusal = await refusalOf({ id, code: CODE, clientIp });
    expect(refusal).toMatchObject({
      code: SPENT,
      usedUp: { name: 'guesses', quota: 10, windowMs: BUDGET_WINDOW_MS, resetAt: firstAt + BUDGET_WINDOW_MS },
    });
    expect(await row(id)).toMatchObject({ status: 'pending', attempts: 0 });
    expect(await check({ id, code: CODE })).toMatchObject({ id });
  });

  test('of a verification that ended so counts by the address of its send', async () => {
    const phone = newPhone();
    const clientIp = '203.0.113.10';
    let last = '';
    for (const purpose of ['a', 'b']) {
      const { id } = await sent({ phone, purpose, clientIp });
      for (let guess = 0; guess < 5; guess++) await refusalOf({ id, code: WRONG });
      outbox.clock.set(outbox.clock.now() + LIMITS.gapMs);
      last = id;
    }
    expect(await refusalOf({ id: last, code: CODE })).toMatchObject({
      code: SPENT,
      usedUp: { quota: 10, windowMs: BUDGET_WINDOW_MS },
    });
  });

  test('with the guess that takes the last one of the phone ends its verification too', async () => {
    const phone = newPhone();
    const clientIp = '203.0.113.11';
    for (const [purpose, guesses] of [
      ['a', 5],
      ['b', 4],
    ] as const) {
      const { id } = await sent({ phone, purpose, clientIp });
      for (let guess = 0; guess < guesses; guess++) await refusalOf({ id, code: WRONG });
      outbox.clock.set(outbox.clock.now() + LIMITS.gapMs);
    }
    const { id } = await sent({ phone, purpose: 'c', clientIp });
    expect(await refusalOf({ id, code: WRONG })).toMatchObject({
      code: 'OTP_INCORRECT',
      attemptsRemaining: 0,
    });
    expect(await row(id)).toMatchObject({ status: 'max_attempts_reached', attempts: 1 });
  });
});

describe('an expired code', () => {
  test('is refused from the moment of its expiry, and ended then', async () => {
    const { id } = await sent();
    outbox.clock.set((await row(id)).expires_at);
    expect(await refusalOf({ id, code: CODE })).toEqual({
      code: 'OTP_EXPIRED',
      message: EXPIRED,
    });
    expect(await row(id)).toMatchObject({ status: 'expired', reason: null, attempts: 0 });
    expect(await eventsOf(id)).toEqual(['otp.created', 'otp.expired']);
  });
});

describe('the work of a comparison is done once, whatever the outcome', () => {
  const comparedIn = async (request: Parameters<typeof check>[0]) => {
    const { check: checkOnce, compared } = recordingCheck();
    await checkOnce({ projectId: 1, ...request }).catch(() => undefined);
    return compared;
  };

  test('with the code of the verification where it can still verify', async () => {
    const { id } = await sent();
    expect(await comparedIn({ id, code: WRONG })).toEqual([id]);
    expect(await comparedIn({ id, code: CODE })).toEqual([id]);
  });

  test('with nothing where there is none, where it has ended, and where no guess is left', async () => {
    expect(await comparedIn({ id: 'ver_none', code: CODE })).toEqual([undefined]);
    const ended = await sent();
    await check({ id: ended.id, code: CODE });
    expect(await comparedIn({ id: ended.id, code: CODE })).toEqual([undefined]);

    const phone = newPhone();
    const clientIp = '203.0.113.12';
    for (const purpose of ['a', 'b']) {
      const { id } = await sent({ phone, purpose, clientIp });
      for (let guess = 0; guess < 5; guess++) await refusalOf({ id, code: WRONG });
      expect(await comparedIn({ id, code: CODE })).toEqual([undefined]);
      outbox.clock.set(outbox.clock.now() + LIMITS.gapMs);
    }
    const { id } = await sent({ phone, purpose: 'c' });
    expect(await comparedIn({ id, code: CODE, clientIp })).toEqual([undefined]);
  });
});
