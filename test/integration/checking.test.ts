import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINE } from '../support/engine.ts';
import { makeKey, makeProject } from '../support/keys.ts';
import { type Answer, startTestApp, type TestApp } from '../support/test-app.ts';
import {
  countByStatus,
  expectOneEventPerChange,
  MINUTE_MS,
  newPhone,
  QUICK_ADMIN,
  verificationsOf,
} from '../support/verifications.ts';

const CODE = '481516';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: { ...QUICK_ADMIN, DEFAULT_REGION: 'ID' } });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

const repeat = (times: number, call: () => Promise<Answer>) =>
  Promise.all(Array.from({ length: times }, call));

describe('the right code', () => {
  test.each(['its id', 'phone and purpose', 'the phone alone'])('verifies by %s', async (by) => {
    const phone = newPhone();
    const purpose = by === 'the phone alone' ? 'default' : 'login';
    const { id } = await otp.sent({ phone, purpose, code: CODE });
    const named = by === 'its id' ? { id } : by === 'the phone alone' ? { phone } : { phone, purpose };
    const { status, body } = await otp.check({ ...named, code: CODE });
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      data: {
        valid: true,
        id,
        phone,
        purpose,
        status: 'verified',
        verifiedAt: new Date(server.clock.now()).toISOString(),
        channels: ['whatsapp'],
      },
    });
    expect((await otp.read(id)).body.data).toMatchObject({
      status: 'verified',
      verifiedAt: body.data.verifiedAt,
      attemptsRemaining: 0,
    });
  });

  test('verifies once', async () => {
    const { id, phone } = await otp.sent({ phone: newPhone(), code: CODE });
    expect((await otp.check({ id, code: CODE })).status).toBe(200);
    for (const again of [{ id }, { phone }]) {
      const refusal = await otp.check({ ...again, code: CODE });
      expect({ status: refusal.status, code: refusal.body.code }).toEqual({
        status: 404,
        code: 'OTP_NOT_FOUND',
      });
    }
  });

  test('200 times at once verifies once, by whatever route', async () => {
    const { id, phone } = await otp.sent({ phone: newPhone(), code: CODE });
    const routes = [{ id }, { phone }, { phone: phone.slice(1) }, { phone: `0${phone.slice(3)}` }];
    let turn = 0;
    const answers = await repeat(200, () => otp.check({ ...routes[turn++ % 4], code: CODE }));
    expect(countByStatus(answers)).toEqual({ 200: 1, 404: 199 });
    expect((await otp.eventsOf(id)).filter((type) => type === 'otp.verified')).toHaveLength(1);
  });

  test('among 100 wrong ones at once verifies at most once, and never after the fifth guess', async () => {
    const { id } = await otp.sent({ phone: newPhone(), code: CODE });
    let turn = 0;
    const answers = await repeat(200, () => otp.check({ id, code: turn++ % 2 === 0 ? '000000' : CODE }));
    const counts = countByStatus(answers);
    expect(counts[200] ?? 0).toBeLessThanOrEqual(1);
    expect(counts[422] ?? 0).toBeLessThanOrEqual(5);
    expect((counts[200] ?? 0) + (counts[422] ?? 0) + (counts[404] ?? 0) + (counts[429] ?? 0)).toBe(200);
    const { status } = (await otp.read(id)).body.data;
    expect(status).toBe(counts[200] === 1 ? 'verified' : 'max_attempts_reached');
  });

  test.each(['481 516', '481-516', ' 4-8 1-5 1-6 '])('may be typed as "%s"', async (typed) => {
    const { id } = await otp.sent({ phone: newPhone(), code: CODE });
    expect((await otp.check({ id, code: typed })).status).toBe(200);
  });

  test('may be typed in either case', async () => {
    const { id } = await otp.sent({ phone: newPhone(), code: 'Kt93xW' });
    expect((await otp.check({ id, code: 'kT93Xw' })).status).toBe(200);
  });

  test('still verifies with the last of five attempts', async () => {
    const { id } = await otp.sent({ phone: newPhone(), code: CODE });
    for (let guess = 0; guess < 4; guess++) await otp.check({ id, code: '000000' });
    expect((await otp.check({ id, code: CODE })).status).toBe(200);
  });

  test('verifies until the last millisecond of its life', async () => {
    const { id } = await otp.sent({ phone: newPhone(), code: CODE, expiryMinutes: 1 });
    await otp.jump(MINUTE_MS - 1);
    expect((await otp.check({ id, code: CODE })).status).toBe(200);
  });

  test('of one purpose does not verify another', async () => {
    const phone = newPhone();
    await otp.sent({ phone, purpose: 'login', code: '111111' });
    await otp.jump(30_000);
    const payment = await otp.sent({ phone, purpose: 'payment', code: '222222' });
    expect((await otp.check({ id: payment.id, code: '111111' })).body.code).toBe('OTP_INCORRECT');
    expect((await otp.check({ phone, purpose: 'payment', code: '111111' })).body.code).toBe('OTP_INCORRECT');
  });

  test('of one phone does not verify another', async () => {
    await otp.sent({ phone: newPhone(), code: '111111' });
    const other = await otp.sent({ phone: newPhone(), code: '222222' });
    expect((await otp.check({ id: other.id, code: '111111' })).body.code).toBe('OTP_INCORRECT');
  });

  test('implies delivery and stops every other message', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, drop: true });
    const first = await otp.sent({ phone, code: CODE });
    await otp.deliver();
    await otp.fault({ to: phone, refuse: true });
    await otp.jump(30_000);
    const second = (await otp.resend(first.id)).body.data;
    expect((await otp.check({ id: first.id, code: CODE })).status).toBe(200);
    await otp.fault({ to: phone });
    await otp.deliver();
    const { timeline } = (await otp.read(first.id)).body.data;
    const statesOf = (messageId: string) =>
      timeline
        .filter((entry: { messageId: string }) => entry.messageId === messageId)
        .map((entry: { status: string }) => entry.status);
    expect(statesOf(first.messageId)).toEqual(['queued', 'sending', 'sent', 'delivered']);
    expect(statesOf(second.messageId)).toEqual(['queued', 'canceled']);
    expect(await otp.inbox(phone)).toEqual([]);
  });

  test('does not make a message that was read less than that', async () => {
    const { id, messageId } = await otp.sent({ phone: newPhone(), code: CODE });
    await otp.deliver();
    await otp.check({ id, code: CODE });
    const { messageStatus, timeline } = (await otp.read(id)).body.data;
    expect(messageStatus).toBe('read');
    expect(timeline.every((entry: { messageId: string }) => entry.messageId === messageId)).toBe(true);
  });
});

describe('a wrong code', () => {
  test('is 422 and says how many attempts are left', async () => {
    const { id } = await otp.sent({ phone: newPhone(), code: CODE });
    const refusal = await otp.check({ id, code: '000000' });
    expect(refusal.status).toBe(422);
    expect(refusal.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(refusal.body).toMatchObject({
      status: 422,
      code: 'OTP_INCORRECT',
      attemptsRemaining: 4,
      success: false,
      error: refusal.body.detail,
    });
    expect((await otp.read(id)).body.data.attemptsRemaining).toBe(4);
  });

  test.each(['4815', '48151', '4815166', '0481516', 'X'.repeat(10)])(
    'of another length costs one too: %s',
    async (code) => {
      const { id } = await otp.sent({ phone: newPhone(), code: CODE });
      expect((await otp.check({ id, code })).body).toMatchObject({
        code: 'OTP_INCORRECT',
        attemptsRemaining: 4,
      });
    },
  );

  test('costs one and not more, whatever it is sent with', async () => {
    const { id, phone } = await otp.sent({ phone: newPhone(), code: CODE });
    const guesses = [{ id }, { phone }, { phone: phone.slice(1), purpose: 'default' }];
    const left: number[] = [];
    for (const guess of guesses)
      left.push((await otp.check({ ...guess, code: '000000' })).body.attemptsRemaining);
    expect(left).toEqual([4, 3, 2]);
  });
});

describe('what cannot be a code', () => {
  test.each([
    '',
    '    ',
    '--',
    '481',
    'X'.repeat(11),
    '481\u0000516',
    '481.516',
    'sécret',
    '●●●●●●',
    'Your verification code is 481516',
    'code 481516',
    'PIN 481516',
    'OTP-481516',
    'your code',
    '4'.repeat(65),
    481516,
    4815.16,
    ['481516'],
    { code: '481516' },
    true,
    null,
    undefined,
  ])('is 400 and costs no attempt: %o', async (code) => {
    const { id } = await otp.sent({ phone: newPhone(), code: CODE });
    const refusal = await otp.check({ id, code });
    expect(refusal.status).toBe(400);
    expect(refusal.body).toMatchObject({ code: 'VALIDATION_ERROR', errors: [{ path: 'code' }] });
    expect((await otp.read(id)).body.data.attemptsRemaining).toBe(5);
  });

  test.each([
    ['neither id nor phone', {}],
    ['both id and phone', { id: 'ver_01jd3x8zq2e6v9k5m7n0p4r8st', phone: '+6281234500001' }],
    ['an unknown field', { phone: '+6281234500001', length: 6 }],
    ['a client address that is none', { phone: '+6281234500001', clientIp: 'here' }],
    ['a purpose that is none', { phone: '+6281234500001', purpose: 'log in' }],
  ])('nor does a request with %s', async (_what, body) => {
    const refusal = await otp.check({ ...body, code: CODE });
    expect({ status: refusal.status, code: refusal.body.code }).toEqual({
      status: 400,
      code: 'VALIDATION_ERROR',
    });
  });

  test('nor does a phone that cannot exist', async () => {
    expect((await otp.check({ phone: '12345', code: CODE })).body.code).toBe('PHONE_INVALID');
  });
});

describe('an expired code', () => {
  test('is 410 from the very moment of its expiry, by id and by phone', async () => {
    const { id, phone } = await otp.sent({ phone: newPhone(), code: CODE, expiryMinutes: 1 });
    server.clock.set(server.clock.now() + MINUTE_MS);
    for (const named of [{ id }, { phone }]) {
      const refusal = await otp.check({ ...named, code: CODE });
      expect({ status: refusal.status, code: refusal.body.code }).toEqual({
        status: 410,
        code: 'OTP_EXPIRED',
      });
    }
    expect((await otp.read(id)).body.data).toMatchObject({ status: 'expired', attemptsRemaining: 0 });
  });

  test.each(['by a check', 'by itself'])(
    'that was noticed %s stays expired when the clock is set back',
    async (how) => {
      const { id, phone } = await otp.sent({ phone: newPhone(), code: CODE, expiryMinutes: 1 });
      const sentAt = server.clock.now();
      if (how === 'by itself') await otp.jump(MINUTE_MS);
      else {
        server.clock.set(sentAt + MINUTE_MS);
        expect((await otp.check({ id, code: '000000' })).body.code).toBe('OTP_EXPIRED');
      }
      server.clock.set(sentAt + 1_000);
      expect((await otp.check({ id, code: CODE })).body.code).toBe('OTP_EXPIRED');
      expect((await otp.check({ phone, code: CODE })).body.code).toBe('OTP_EXPIRED');
      server.clock.set(sentAt + MINUTE_MS);
    },
  );

  // On PostgreSQL the time is the database server's, which nodes do not set.
  test.runIf(ENGINE === 'wodb')('stays expired when the clock is set back while no server runs', async () => {
    const before = await startTestApp({ env: QUICK_ADMIN });
    const { id } = await verificationsOf(before).sent({ phone: newPhone(), code: CODE });
    await before.clock.advance(4 * MINUTE_MS);
    await verificationsOf(before).sent({ phone: newPhone() });
    const { dir, key, clock } = before;
    await before.stop({ keepFiles: true });
    clock.set(clock.now() - 60 * MINUTE_MS);
    const after = await startTestApp({ dir, key, clock, env: QUICK_ADMIN });
    expect((await verificationsOf(after).check({ id, code: CODE })).body.code).toBe('OTP_EXPIRED');
    await after.stop();
  });

  test('is written down by itself, with its event, once', async () => {
    const { id } = await otp.sent({ phone: newPhone(), code: CODE, expiryMinutes: 1 });
    await otp.deliver();
    await otp.jump(MINUTE_MS);
    await otp.deliver();
    await otp.check({ id, code: CODE });
    expect((await otp.eventsOf(id)).at(-1)).toBe('otp.expired');
    expect((await otp.eventsOf(id)).filter((type) => type === 'otp.expired')).toHaveLength(1);
  });

  test('costs no guesses', async () => {
    const { id, phone } = await otp.sent({ phone: newPhone(), code: CODE, expiryMinutes: 1 });
    await otp.jump(MINUTE_MS);
    for (let guess = 0; guess < 30; guess++) await otp.check({ id, code: '000000' });
    expect((await otp.limits(phone)).body.data).toMatchObject({
      failedChecksLastDay: 0,
      guessesRemaining: 20,
    });
  });
});

test('never sent, used, canceled and of another project are one answer by id, and one by phone', async () => {
  const another = await makeProject(server);
  const { key } = await makeKey(server, ['otp:send', 'otp:verify']);
  const used = await otp.sent({ phone: newPhone(), code: CODE });
  await otp.check({ id: used.id, code: CODE });
  const canceled = await otp.sent({ phone: newPhone(), code: CODE });
  await otp.cancel(canceled.id);
  const foreign = await otp.sent({ phone: newPhone(), code: CODE }, { key: another.key });
  const named = [
    { id: 'ver_01jd3x8zq2e6v9k5m7n0p4r8st' },
    { id: 'nonsense' },
    { id: used.id },
    { phone: used.phone },
    { id: canceled.id },
    { phone: canceled.phone },
    { id: foreign.id },
    { phone: foreign.phone },
    { phone: newPhone() },
    { phone: used.phone, purpose: 'unknown' },
  ];
  const seen = { id: new Set<string>(), phone: new Set<string>() };
  for (const name of named) {
    for (const code of [CODE, '000000']) {
      const { status, headers, body } = await otp.check({ ...name, code }, { key });
      const told = [...headers.keys()].sort();
      seen['id' in name ? 'id' : 'phone'].add(
        JSON.stringify({ status, told, body: { ...body, requestId: '' } }),
      );
    }
  }
  for (const [by, answers] of Object.entries(seen)) {
    expect([...answers], by).toHaveLength(1);
    const { status, body } = JSON.parse([...answers][0]!);
    expect({ status, code: body.code }).toEqual({ status: 404, code: 'OTP_NOT_FOUND' });
    expect(body.detail).toContain(by === 'id' ? 'with this id' : 'for this number');
  }
  const own = await otp.check({ id: foreign.id, code: CODE }, { key: another.key });
  expect(own.status).toBe(200);
});

test('every change made here has exactly one event', () => expectOneEventPerChange(server));
