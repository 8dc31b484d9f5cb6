import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ScriptedChannel } from '../../test/support/scripted-channel.ts';
import { testSettings } from '../../test/support/settings.ts';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import { mockRouting, scriptedRouting } from '../../test/support/test-routing.ts';
import type { RateLimitError } from '../errors/errors.ts';
import type { SpreadRules } from '../settings/settings.ts';
import { type OtpService, otpService } from './service.ts';
import type { SendRequest } from './types.ts';

const CODE = '481516';
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const CLIENT = '203.0.113.7';
const BY_CLIENT: SpreadRules = { perClientIp: 30, perPrefix: 0 };
const BY_PREFIX: SpreadRules = { perClientIp: 0, perPrefix: 20 };

let outbox: TestOutbox;
beforeAll(async () => {
  outbox = await openTestOutbox();
});
afterAll(() => outbox.close());
beforeEach(async () => {
  await outbox.clear();
  await outbox.database.transaction(async (trx) => {
    for (const table of ['verifications', 'recent_sends'] as const) await trx.deleteFrom(table).execute();
  });
});

/** A node: nothing but the database is shared between two of them. */
function node(spread: SpreadRules, channel: 'whatsapp' | 'simulator' = 'whatsapp') {
  const otp = otpService({
    ...outbox,
    settings: testSettings({ spread }),
    routing: channel === 'simulator' ? mockRouting() : scriptedRouting([new ScriptedChannel('whatsapp')]),
    isOptedOut: async () => false,
    testCodeFor: () => undefined,
  });
  return { otp, ...callsOf(otp) };
}

function callsOf(otp: OtpService) {
  const send = (request: Partial<SendRequest>) =>
    outbox.database.transaction((trx) =>
      otp.send(trx, {
        projectId: 1,
        phone: newPhone(),
        purpose: 'default',
        channel: 'auto',
        code: CODE,
        ...request,
      }),
    );
  return {
    send,
    /** The seconds that a refused send is asked to wait, or 'sent'. */
    async outcome(request: Partial<SendRequest>): Promise<number | 'sent'> {
      try {
        await send(request);
        return 'sent';
      } catch (error) {
        const { code, details } = error as RateLimitError;
        expect(code).toBe('RATE_LIMIT_EXCEEDED');
        return details.retryAfterSeconds!;
      }
    },
    verify: (id: string) => otp.verify({ projectId: 1, id, code: CODE }),
  };
}

let phonesMade = 0;
/** A phone in a block of its own. */
function newPhone(): string {
  phonesMade += 1;
  return `+62812${String(phonesMade).padStart(4, '0')}1234`;
}
/** Phones that are alike but for their last four digits. */
function block(): (i: number) => string {
  phonesMade += 1;
  const prefix = `+62812${String(phonesMade).padStart(4, '0')}`;
  return (i) => `${prefix}${String(i).padStart(4, '0')}`;
}

const countOf = async (table: 'verifications' | 'messages' | 'events' | 'recent_sends') =>
  (await outbox.database.reader.selectFrom(table).selectAll().execute()).length;

describe('one client address', () => {
  test('has 30 unverified sends an hour, however many phones and nodes, and then waits for the first to be an hour old', async () => {
    const nodes = [node(BY_CLIENT), node(BY_CLIENT)];
    for (let i = 0; i < 30; i++) {
      await nodes[i % 2]!.send({ clientIp: CLIENT });
      await outbox.clock.advance(MINUTE_MS);
    }
    for (const { outcome } of nodes) expect(await outcome({ clientIp: CLIENT })).toBe(30 * 60);
    expect(await nodes[0]!.outcome({ clientIp: '198.51.100.4' })).toBe('sent');
    expect(await nodes[0]!.outcome({})).toBe('sent');
    expect(await nodes[0]!.outcome({ clientIp: CLIENT, projectId: 2 })).toBe('sent');
    outbox.clock.set(outbox.clock.now() + 30 * MINUTE_MS - 1);
    expect(await nodes[1]!.outcome({ clientIp: CLIENT })).toBe(1);
    outbox.clock.set(outbox.clock.now() + 1);
    expect(await nodes[1]!.outcome({ clientIp: CLIENT })).toBe('sent');
    expect(await nodes[1]!.outcome({ clientIp: CLIENT })).toBe(60);
  });

  test('lets exactly 30 of a hundred at once through, over two nodes', async () => {
    const nodes = [node(BY_CLIENT), node(BY_CLIENT)];
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, i) => nodes[i % 2]!.outcome({ clientIp: CLIENT })),
    );
    expect(outcomes.filter((outcome) => outcome === 'sent')).toHaveLength(30);
    expect(await countOf('verifications')).toBe(30);
  });

  test('gets a send back by each code that is verified', async () => {
    const { send, verify, outcome } = node(BY_CLIENT);
    const sent = [];
    for (let i = 0; i < 30; i++) sent.push((await send({ clientIp: CLIENT })).verification.id);
    expect(await outcome({ clientIp: CLIENT })).toBe(3_600);
    for (const id of sent.slice(5, 8)) await verify(id);
    const outcomes = [];
    for (let i = 0; i < 4; i++) outcomes.push(await outcome({ clientIp: CLIENT }));
    expect(outcomes).toEqual(['sent', 'sent', 'sent', 3_600]);
  });

  test('that is behind a carrier may send on for as long as its codes are verified', async () => {
    const { send, verify } = node(BY_CLIENT);
    for (let i = 0; i < 100; i++) await verify((await send({ clientIp: CLIENT })).verification.id);
  });

  test('is one in all its spellings, and an IPv6 network is one', async () => {
    const { outcome } = node({ ...BY_CLIENT, perClientIp: 2 });
    for (const [one, other] of [
      ['203.0.113.9', '::ffff:203.0.113.9'],
      ['2001:db8:1:2::1', '2001:DB8:1:2:ffff::9'],
    ] as const) {
      const outcomes = [one, other, one, other].map((clientIp) => outcome({ clientIp }));
      expect((await Promise.all(outcomes)).filter((it) => it === 'sent')).toHaveLength(2);
    }
  });

  test('shares five times the number with the others of its IPv6 network of 48 bits', async () => {
    const { send, outcome } = node({ perClientIp: 4, perPrefix: 0 });
    for (let i = 0; i < 20; i++)
      await send({ phone: newPhone(), clientIp: `2001:db8:7:${i.toString(16)}::1` });
    expect(await outcome({ phone: newPhone(), clientIp: '2001:db8:7:ffff::1' })).toBe(HOUR_MS / 1_000);
    expect(await outcome({ phone: newPhone(), clientIp: '2001:db8:8:1::1' })).toBe('sent');
  });

  test('may have the same code sent again: a retry and a resend are neither counted nor refused', async () => {
    const { otp, send, outcome } = node({ ...BY_CLIENT, perClientIp: 2 });
    const phone = newPhone();
    const { verification } = await send({ clientIp: CLIENT, phone });
    await outbox.clock.advance(30_000);
    expect(await send({ clientIp: CLIENT, phone, code: undefined })).toMatchObject({ retried: true });
    await outbox.clock.advance(60_000);
    await outbox.database.transaction((trx) => otp.resend(trx, 1, verification.id));
    expect(await outcome({ clientIp: CLIENT })).toBe('sent');
    expect(await outcome({ clientIp: CLIENT })).toBeGreaterThan(0);
    await outbox.clock.advance(120_000);
    expect(await send({ clientIp: CLIENT, phone, code: undefined })).toMatchObject({ retried: true });
  });
});

describe('numbers that differ only in their last four digits', () => {
  test('get 20 new verifications in 10 minutes, and the next when the first is 10 minutes old', async () => {
    const { outcome } = node(BY_PREFIX);
    const [phone, next] = [block(), block()];
    for (let i = 0; i < 20; i++) {
      expect(await outcome({ phone: phone(i) })).toBe('sent');
      await outbox.clock.advance(1_000);
    }
    expect(await outcome({ phone: phone(20) })).toBe(580);
    expect(await outcome({ phone: next(0) })).toBe('sent');
    expect(await outcome({ phone: phone(20), projectId: 2 })).toBe('sent');
    outbox.clock.set(outbox.clock.now() + 580_000);
    expect(await outcome({ phone: phone(20) })).toBe('sent');
    expect(await outcome({ phone: phone(21) })).toBe(1);
  });

  test('let exactly 20 of a hundred at once through, over two nodes', async () => {
    const nodes = [node(BY_PREFIX), node(BY_PREFIX)];
    const phone = block();
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, i) => nodes[i % 2]!.outcome({ phone: phone(i), clientIp: CLIENT })),
    );
    expect(outcomes.filter((outcome) => outcome === 'sent')).toHaveLength(20);
    expect(await countOf('messages')).toBe(20);
  });

  test('are free of the limit while three of them were verified in the last 24 hours', async () => {
    const { send, verify, outcome } = node(BY_PREFIX);
    const phone = block();
    const ids: string[] = [];
    for (let i = 0; i < 20; i++) ids.push((await send({ phone: phone(i) })).verification.id);
    for (const id of ids.slice(0, 2)) await verify(id);
    expect(await outcome({ phone: phone(20) })).toBe(600);
    await verify(ids[2]!);
    const verifiedAt = outbox.clock.now();
    for (let i = 20; i < 70; i++) expect(await outcome({ phone: phone(i) })).toBe('sent');
    outbox.clock.set(verifiedAt + 24 * HOUR_MS - 1);
    for (let i = 0; i < 21; i++) expect(await outcome({ phone: phone(100 + i) })).toBe('sent');
    outbox.clock.set(verifiedAt + 24 * HOUR_MS);
    const outcomes = [];
    for (let i = 0; i < 21; i++) outcomes.push(await outcome({ phone: phone(200 + i) }));
    expect(outcomes.at(-1)).toBe(600);
  });

  test('are not freed by one number that is verified again and again', async () => {
    const { send, verify, outcome } = node(BY_PREFIX);
    const phone = block();
    for (let i = 0; i < 3; i++) {
      await verify((await send({ phone: phone(0) })).verification.id);
      await outbox.clock.advance(31_000);
    }
    for (let i = 1; i < 18; i++) await send({ phone: phone(i) });
    expect(await outcome({ phone: phone(18) })).toBeGreaterThan(0);
  });
});

test('a send that is refused counts nothing and leaves nothing, on no limit', async () => {
  const { otp, send, outcome } = node({ perClientIp: 2, perPrefix: 3 });
  const phone = block();
  for (let i = 0; i < 2; i++) await send({ phone: phone(i), clientIp: CLIENT });
  const before = await Promise.all((['verifications', 'messages', 'events'] as const).map(countOf));
  for (let i = 2; i < 12; i++) expect(await outcome({ phone: phone(i), clientIp: CLIENT })).toBe(3_600);
  expect(await Promise.all((['verifications', 'messages', 'events'] as const).map(countOf))).toEqual(before);
  expect(await otp.limits.show(1, phone(2))).toMatchObject({ messagesLastDay: 0, nextSendAt: null });
  expect(await outcome({ phone: phone(2) })).toBe('sent');
  expect(await outcome({ phone: phone(3), clientIp: CLIENT })).toBe(3_600);
  expect(await outcome({ phone: phone(3) })).toBe(600);
});

describe('the refusal names its limit, in words and for the headers', () => {
  const V6 = '2001:db8:7:1::1';
  const neighbour = (i: number) => `2001:db8:7:${i + 2}::1`;
  /** The words and the limit of the refusal of a send; fails when there is none. */
  async function refusalOf(send: Promise<unknown>) {
    const error = await send.then(
      () => undefined,
      (reason: RateLimitError) => reason,
    );
    return { message: error!.message, ...error!.details.usedUp };
  }
  const client = (quota: number) => ({ name: 'client', quota, windowMs: HOUR_MS });
  const prefix = (quota: number) => ({ name: 'prefix', quota, windowMs: 10 * MINUTE_MS });

  test('where one client address has had enough', async () => {
    const { send } = node({ perClientIp: 1, perPrefix: 2 });
    await send({ clientIp: V6 });
    expect(await refusalOf(send({ clientIp: V6 }))).toMatchObject({
      ...client(1),
      message: 'This client address was sent too many codes that nobody has verified. Try again in 3600 s.',
    });
  });

  test('where its network has', async () => {
    const { send } = node({ perClientIp: 1, perPrefix: 2 });
    for (let i = 0; i < 5; i++) await send({ clientIp: neighbour(i) });
    expect(await refusalOf(send({ clientIp: V6 }))).toMatchObject({
      ...client(5),
      message:
        'The network of this client was sent too many codes that nobody has verified. Try again in 3600 s.',
    });
  });

  test('where the numbers like it have', async () => {
    const { send } = node({ perClientIp: 1, perPrefix: 1 });
    const phone = block();
    await send({ phone: phone(0), clientIp: CLIENT });
    expect(await refusalOf(send({ phone: phone(1), clientIp: V6 }))).toMatchObject({
      ...prefix(1),
      message:
        'Too many codes were sent to numbers that differ from this one in their last four digits only. Try again in 600 s.',
    });
  });

  test('that lasts longest, where several are used up', async () => {
    const { send } = node({ perClientIp: 1, perPrefix: 1 });
    const phone = block();
    await send({ clientIp: CLIENT });
    await outbox.clock.advance(55 * MINUTE_MS);
    await send({ phone: phone(0) });
    const both = () => refusalOf(send({ phone: phone(1), clientIp: CLIENT }));
    expect(await both()).toMatchObject({ ...prefix(1), resetAt: outbox.clock.now() + 10 * MINUTE_MS });
    await send({ clientIp: V6 });
    expect(await refusalOf(send({ phone: phone(1), clientIp: V6 }))).toMatchObject(client(1));
  });

  test('the one of the address itself, where that of its network ends with it', async () => {
    const { send } = node({ perClientIp: 1, perPrefix: 0 });
    await send({ clientIp: V6 });
    for (let i = 0; i < 4; i++) {
      await outbox.clock.advance(1_000);
      await send({ clientIp: neighbour(i) });
    }
    expect(await refusalOf(send({ clientIp: V6 }))).toMatchObject(client(1));
    expect(await refusalOf(send({ clientIp: neighbour(9) }))).toMatchObject(client(5));
  });
});

test('numbers of which three were verified are free of the smallest limit too', async () => {
  const generous = node({ perClientIp: 0, perPrefix: 100 });
  const phone = block();
  for (let i = 0; i < 3; i++)
    await generous.verify((await generous.send({ phone: phone(i) })).verification.id);
  const { outcome } = node({ perClientIp: 0, perPrefix: 1 });
  expect([await outcome({ phone: phone(3) }), await outcome({ phone: phone(4) })]).toEqual(['sent', 'sent']);
});

test.each([
  ['0 is no limit', node.bind(undefined, { perClientIp: 0, perPrefix: 0 }, 'whatsapp')],
  ['the virtual phone has none', node.bind(undefined, { perClientIp: 1, perPrefix: 1 }, 'simulator')],
] as const)('%s, and nothing is noted down', async (_what, make) => {
  const { outcome } = make();
  const phone = block();
  for (let i = 0; i < 40; i++) expect(await outcome({ phone: phone(i), clientIp: CLIENT })).toBe('sent');
  expect(await countOf('recent_sends')).toBe(0);
});

test('a full window does not tell whether a code that a send gives is the pending one', async () => {
  const { send, outcome } = node({ perClientIp: 1, perPrefix: 0 });
  const phone = newPhone();
  await send({ phone, clientIp: CLIENT });
  await outbox.clock.advance(30_000);
  const outcomes = [];
  for (const code of [CODE, '222222']) outcomes.push(await outcome({ phone, code, clientIp: CLIENT }));
  expect(outcomes).toEqual([3_570, 3_570]);
});

test('what is noted down goes when nothing is counted from it any more', async () => {
  const { otp, send } = node({ perClientIp: 30, perPrefix: 20 });
  await send({ clientIp: CLIENT });
  const forget = () => outbox.database.transaction((trx) => otp.forgetRecentSends(trx, 10));
  expect(await forget()).toBe(0);
  outbox.clock.set(outbox.clock.now() + 2 * HOUR_MS);
  expect(await forget()).toBe(2);
  expect(await countOf('recent_sends')).toBe(0);
});
