import { afterAll, beforeAll, expect, test } from 'vitest';
import { testSettings } from '../../test/support/settings.ts';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import { mockRouting } from '../../test/support/test-routing.ts';
import type { Database } from '../database/database.ts';
import { otpService } from './service.ts';

const CODE = '481516';
const MINUTE_MS = 60_000;
const OWN = 1;
/** As large as the caller's own JSON may be: no read of it may tell anything. */
const METADATA = { note: 'x'.repeat(4_000) };
const SETTINGS = testSettings({
  code: { length: 6, expiryMinutes: 5, maxExpiryMinutes: 60, maxAttempts: 5 },
  phoneLimits: { gapMs: 0, per10Minutes: 100, perDay: 100 },
});

let outbox: TestOutbox;
let otp: ReturnType<typeof otpService>;
/** Every statement and lock of what ran since it was emptied: which one it was, and how much it answered. */
const work: string[] = [];

/** The database, which notes down what is asked of it. */
function watched(database: Database): Database {
  let statements = 0;
  const watch = <P, Result>(run: (executor: never, values: P) => Promise<Result>) => {
    statements += 1;
    const name = `statement ${statements}`;
    return async (executor: never, values: P): Promise<Result> => {
      const result = await run(executor, values);
      work.push(`${name} -> ${Array.isArray(result) ? `${result.length} rows` : result}`);
      return result;
    };
  };
  return new Proxy(database, {
    get(target, property, receiver) {
      if (property === 'prepare' || property === 'prepareChange') {
        return (build: never) => watch(target[property as 'prepare'](build) as never);
      }
      if (property === 'serialize') {
        return async (trx: never, key: string) => {
          work.push('lock');
          await target.serialize(trx, key);
        };
      }
      return Reflect.get(target, property, receiver);
    },
  });
}

beforeAll(async () => {
  outbox = await openTestOutbox();
  otp = otpService({
    ...outbox,
    database: watched(outbox.database),
    settings: SETTINGS,
    routing: mockRouting(),
    isOptedOut: async () => false,
    testCodeFor: () => undefined,
  });
});
afterAll(() => outbox.close());

let phones = 0;
const newPhone = () => {
  phones += 1;
  return `+62812345${String(phones).padStart(5, '0')}`;
};

async function sent(projectId = OWN, phone = newPhone()) {
  const request = { projectId, phone, purpose: 'default', code: CODE, metadata: METADATA };
  const { verification } = await outbox.database.transaction((trx) =>
    otp.send(trx, { ...request, channel: 'auto' }),
  );
  return verification;
}

/** What a request comes to, and the work it took. */
async function outcomeOf(request: () => Promise<unknown>): Promise<{ code: string; work: string[] }> {
  work.length = 0;
  const code = await request().then(
    () => 'done',
    (error: { code?: string }) => error.code ?? String(error),
  );
  return { code, work: [...work] };
}

/** Verifications that are all answered like one that never existed. */
async function closed() {
  const used = await sent();
  await otp.verify({ projectId: OWN, id: used.id, code: CODE });
  const canceled = await sent();
  await outbox.database.transaction((trx) => otp.cancel(trx, OWN, canceled.id));
  const failed = await sent();
  await outbox.database.transaction((trx) =>
    trx.updateTable('verifications').set({ status: 'failed' }).where('id', '=', failed.id).execute(),
  );
  const often = newPhone();
  for (let i = 0; i < 4; i++) {
    const { id } = await sent(OWN, often);
    await otp.verify({ projectId: OWN, id, code: CODE });
    await outbox.clock.advance(1);
  }
  const foreign = await sent(2);
  return { used, canceled, failed, foreign, oftenUsed: { id: used.id, phone: often } };
}

test('a check by id does the same statements for one that never existed, was used, canceled, failed or is foreign', async () => {
  const { used, canceled, failed, foreign } = await closed();
  const unknown = ['ver_01jd3x8zq2e6v9k5m7n0p4r8st', `${used.id.slice(0, -1)}~`, 'nonsense', '~'];
  const ids = [...unknown, used.id, canceled.id, failed.id, foreign.id];
  const outcomes = new Set<string>();
  for (const id of ids) {
    for (const code of [CODE, '000000']) {
      const outcome = await outcomeOf(() => otp.verify({ projectId: OWN, id, code }));
      expect(outcome.code, id).toBe('OTP_NOT_FOUND');
      outcomes.add(JSON.stringify(outcome));
    }
  }
  expect([...outcomes]).toHaveLength(1);
  expect(JSON.parse([...outcomes][0]!).work).toEqual([expect.stringMatching(/^statement \d+ -> 0 rows$/)]);
});

test('a check by phone does the same statements for all of these too, and for another purpose', async () => {
  const { used, canceled, failed, foreign, oftenUsed } = await closed();
  const pending = await sent();
  const outcomes = new Set<string>();
  for (const named of [
    { phone: newPhone() },
    { phone: '+4915123456789' },
    ...[used, canceled, failed, foreign, oftenUsed].map(({ phone }) => ({ phone: phone! })),
    { phone: pending.phone!, purpose: 'another' },
    { phone: used.phone!, purpose: 'another' },
  ]) {
    const outcome = await outcomeOf(() => otp.verify({ projectId: OWN, ...named, code: CODE }));
    expect(outcome.code, named.phone).toBe('OTP_NOT_FOUND');
    outcomes.add(JSON.stringify(outcome));
  }
  expect([...outcomes]).toHaveLength(1);
  expect(JSON.parse([...outcomes][0]!).work).toEqual([
    'lock',
    expect.stringMatching(/^statement \d+ -> 0 rows$/),
  ]);
  expect(await outcomeOf(() => otp.verify({ projectId: OWN, id: pending.id, code: CODE }))).toMatchObject({
    code: 'done',
  });
});

test.each(['resend', 'cancel'] as const)(
  'a %s does the same statements for one that never existed, was used or is foreign',
  async (request) => {
    const { used, failed, foreign } = await closed();
    const outcomes = new Set<string>();
    for (const id of ['ver_01jd3x8zq2e6v9k5m7n0p4r8st', 'nonsense', used.id, failed.id, foreign.id]) {
      const outcome = await outcomeOf(() => outbox.database.transaction((trx) => otp[request](trx, OWN, id)));
      expect(outcome.code, id).toBe('OTP_NOT_FOUND');
      outcomes.add(JSON.stringify(outcome));
    }
    expect([...outcomes]).toHaveLength(1);
  },
);

test('the newest verification for the purpose is the one that a check by phone is about', async () => {
  const phone = newPhone();
  const check = (code = CODE) => outcomeOf(() => otp.verify({ projectId: OWN, phone, code }));
  await sent(OWN, phone);
  await outbox.clock.advance(5 * MINUTE_MS);
  await otp.expireDue(100);
  expect((await check()).code).toBe('OTP_EXPIRED');
  const next = await sent(OWN, phone);
  expect((await check('000000')).code).toBe('OTP_INCORRECT');
  await outbox.database.transaction((trx) => otp.cancel(trx, OWN, next.id));
  expect((await check()).code).toBe('OTP_NOT_FOUND');
});
