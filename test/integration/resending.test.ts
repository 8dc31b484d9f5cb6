import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import {
  countByStatus,
  expectOneEventPerChange,
  newPhone,
  QUICK_ADMIN,
  retryAfterOf,
  verificationsOf,
} from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  // The phone's own limits are out of the way, so that those of one verification show.
  const env = { ...QUICK_ADMIN, PHONE_LIMIT_PER_10_MINUTES: '100', PHONE_LIMIT_PER_DAY: '1000' };
  server = await startTestApp({ env: { ...env, OTP_MAX_EXPIRY_MINUTES: '60' } });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

const msUntil = (iso: string) => Date.parse(iso) - server.clock.now();

/** The two ways to have the same code sent again. */
const WAYS = {
  'a send while one is pending': (sent: { phone: string }) => otp.send({ phone: sent.phone }),
  'a resend': (sent: { id: string }) => otp.resend(sent.id),
};

describe.each(Object.entries(WAYS))('%s', (_way, again) => {
  test('sends the same code once more, under the same id, expiry and guess budget', async () => {
    const phone = newPhone();
    const first = await otp.sent({ phone, length: 10, message: '{{code}}' });
    await otp.check({ id: first.id, code: '0000000000' });
    await otp.jump(30_000);
    const { status, body } = await again(first);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      id: first.id,
      phone,
      status: 'pending',
      messageStatus: 'queued',
      expiresAt: first.expiresAt,
      attemptsRemaining: 4,
    });
    expect(body.data.messageId).not.toBe(first.messageId);
    await otp.deliver();
    const [one, two, ...more] = await otp.inbox(phone);
    expect(more).toEqual([]);
    expect(two).toMatchObject({ id: body.data.messageId, text: one!.text });
    expect((await otp.check({ id: first.id, code: two!.text })).status).toBe(200);
  });

  test('waits 30, 60 and 120 s, tells when, and goes out five times at most', async () => {
    const phone = newPhone();
    const first = await otp.sent({ phone, code: '481516', expiryMinutes: 60 });
    let { resendAt } = first;
    for (const gapSeconds of [30, 60, 120, 120]) {
      expect(msUntil(resendAt)).toBe(gapSeconds * 1000);
      await otp.jump(gapSeconds * 1000 - 1);
      expect(retryAfterOf(await again(first), 'RATE_LIMIT_EXCEEDED')).toBe(1);
      await otp.jump(1);
      const answer = await again(first);
      expect(answer.status).toBe(200);
      resendAt = answer.body.data.resendAt;
    }
    await otp.jump(20 * 60_000);
    expect((await again(first)).status).toBe(429);
    expect(await otp.messagesTo(phone)).toBe(5);
  });

  test('too early is refused with the seconds that are left, and sends nothing', async () => {
    const phone = newPhone();
    const first = await otp.sent({ phone });
    await otp.jump(10_500);
    expect(retryAfterOf(await again(first), 'RATE_LIMIT_EXCEEDED')).toBe(20);
    expect(await otp.messagesTo(phone)).toBe(1);
    await otp.jump(20_000);
    expect((await again(first)).status).toBe(200);
  });

  test('50 at once send one message', async () => {
    const phone = newPhone();
    const first = await otp.sent({ phone });
    await otp.jump(30_000);
    const answers = await Promise.all(Array.from({ length: 50 }, () => again(first)));
    expect(countByStatus(answers)).toEqual({ 200: 1, 429: 49 });
    expect(await otp.messagesTo(phone)).toBe(2);
  });

  test('is refused while no guesses are left', async () => {
    const phone = newPhone();
    const first = await otp.sent({ phone, code: '4815', expiryMinutes: 60 });
    await otp.jump(30_000);
    await otp.sent({ phone, purpose: 'other', code: '9999' });
    for (let guess = 0; guess < 5; guess++) await otp.check({ phone, purpose: 'other', code: '0000' });
    await otp.jump(60_000);
    retryAfterOf(await again(first), 'OTP_ATTEMPTS_EXCEEDED');
    expect(await otp.messagesTo(phone)).toBe(2);
  });
});

describe('a send while one is pending', () => {
  test('is marked as a retry', async () => {
    const phone = newPhone();
    const first = await otp.send({ phone });
    expect(first.body.data).not.toHaveProperty('retried');
    await otp.jump(30_000);
    expect((await otp.send({ phone })).body.data.retried).toBe(true);
  });

  test('may change the text, and keeps the code in it', async () => {
    const phone = newPhone();
    await otp.sent({ phone, message: 'First {{code}}' });
    await otp.jump(30_000);
    expect((await otp.send({ phone, message: 'Second {{code}}' })).status).toBe(200);
    await otp.deliver();
    const [first, second] = (await otp.inbox(phone)).map(({ text }) => text.split(' '));
    expect([first![0], second![0]]).toEqual(['First', 'Second']);
    expect(first![1]).toBe(second![1]);
  });

  test.each([
    ['given again', { code: 'AB12cd' }],
    ['given in other case', { code: 'ab12CD' }],
    ['given in the text', { code: 'AB12cd', message: 'Type AB12cd' }],
    ['left out', {}],
  ])('is a retry where the code is %s', async (_how, body) => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, code: 'AB12cd' });
    await otp.jump(30_000);
    const answer = await otp.send({ phone, ...body });
    expect(answer.status).toBe(200);
    expect(answer.body.data).toMatchObject({ id, retried: true });
  });

  test('is a retry with exactly 60 s of life left', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, expiryMinutes: 2 });
    await otp.jump(60_000);
    const answer = await otp.send({ phone });
    expect({ status: answer.status, id: answer.body.data.id }).toEqual({ status: 200, id });
  });

  test('goes to the number as it is given, also when that is another spelling of the line', async () => {
    const [withNine, without] = ['+5511987654321', '+551187654321'];
    const { id } = await otp.sent({ phone: withNine });
    await otp.jump(30_000);
    const retry = await otp.send({ phone: without });
    expect(retry.body.data).toMatchObject({ id, retried: true });
    await otp.deliver();
    expect(await otp.inbox(withNine)).toHaveLength(1);
    expect(await otp.inbox(without)).toHaveLength(1);
  });
});

describe('where the next message would come after the end of the code', () => {
  test('a send is told the last minute of its life, and a resend its end', async () => {
    const phone = newPhone();
    const { id, expiresAt } = await otp.sent({ phone, expiryMinutes: 5 });
    for (const seconds of [30, 60, 120]) {
      await otp.jump(seconds * 1000);
      expect((await otp.send({ phone })).body.data.id).toBe(id);
    }
    const { resendAt } = (await otp.read(id)).body.data;
    expect(Date.parse(expiresAt) - Date.parse(resendAt)).toBe(59_999);
    await otp.jump(2_000);
    expect(retryAfterOf(await otp.send({ phone }), 'RATE_LIMIT_EXCEEDED')).toBe(29);
    expect(retryAfterOf(await otp.resend(id), 'RATE_LIMIT_EXCEEDED')).toBe(88);
    await otp.jump(28_001);
    expect((await otp.sent({ phone })).id).not.toBe(id);
  });
});

describe('a new verification takes the place of the pending one', () => {
  test.each([
    ['another code', { code: '222222' }],
    ['a text with another code', { message: 'Your code is 222222' }],
  ])('for %s, and the old code is worth nothing once the answer is there', async (_how, body) => {
    const phone = newPhone();
    const old = await otp.sent({ phone, code: '111111' });
    await otp.jump(30_000);
    const next = await otp.sent({ phone, ...body });
    expect(next.id).not.toBe(old.id);
    expect((await otp.read(old.id)).body.data).toMatchObject({ status: 'canceled', reason: 'superseded' });
    expect((await otp.check({ id: old.id, code: '111111' })).body.code).toBe('OTP_NOT_FOUND');
    expect((await otp.check({ phone, code: '111111' })).body.code).toBe('OTP_INCORRECT');
    expect((await otp.resend(old.id)).body.code).toBe('OTP_NOT_FOUND');
    expect((await otp.check({ phone, code: '222222' })).body.data.id).toBe(next.id);
    expect((await otp.eventsOf(old.id)).filter((type) => type.startsWith('otp.'))).toEqual([
      'otp.created',
      'otp.canceled',
    ]);
  });

  test('with less than 60 s of life left, and has another code', async () => {
    const phone = newPhone();
    const body = { phone, expiryMinutes: 2, length: 10, message: '{{code}}' };
    const old = await otp.sent(body);
    await otp.jump(60_001);
    const next = await otp.sent(body);
    expect(next.id).not.toBe(old.id);
    expect(msUntil(next.expiresAt)).toBe(120_000);
    await otp.deliver();
    const [, newest] = await otp.inbox(phone);
    expect((await otp.read(old.id)).body.data).toMatchObject({ status: 'canceled', reason: 'superseded' });
    expect((await otp.check({ phone, code: newest!.text })).body.data.id).toBe(next.id);
  });

  test('not sooner than 30 s after the last message, and until then nothing changes', async () => {
    const phone = newPhone();
    const old = await otp.sent({ phone, code: '111111' });
    await otp.jump(29_999);
    expect(retryAfterOf(await otp.send({ phone, code: '222222' }), 'RATE_LIMIT_EXCEEDED')).toBe(1);
    expect((await otp.check({ phone, code: '111111' })).body.data.id).toBe(old.id);
  });

  test('and a send that comes too soon does not tell whether its code is the pending one', async () => {
    const phone = newPhone();
    await otp.sent({ phone, code: '111111' });
    await otp.jump(30_000);
    await otp.send({ phone });
    await otp.jump(10_000);
    const [right, wrong] = [
      await otp.send({ phone, code: '111111' }),
      await otp.send({ phone, code: '222222' }),
    ];
    expect(retryAfterOf(right, 'RATE_LIMIT_EXCEEDED')).toBe(50);
    const told = ({ headers, body }: typeof right) => {
      const { 'x-request-id': _id, date: _date, ratelimit, ...same } = Object.fromEntries(headers);
      return { ...same, ofThePhone: ratelimit?.split(',')[0], detail: body.detail };
    };
    expect(told(wrong)).toEqual(told(right));
  });

  test('after five messages, only in the last minute of its life', async () => {
    const phone = newPhone();
    const old = await otp.sent({ phone, expiryMinutes: 60 });
    for (const seconds of [30, 60, 120, 120]) {
      await otp.jump(seconds * 1000);
      expect((await otp.send({ phone })).status).toBe(200);
    }
    const seconds = retryAfterOf(await otp.send({ phone }), 'RATE_LIMIT_EXCEEDED');
    await otp.jump((seconds - 1) * 1000);
    retryAfterOf(await otp.send({ phone }), 'RATE_LIMIT_EXCEEDED');
    await otp.jump(1000);
    expect((await otp.sent({ phone })).id).not.toBe(old.id);
  });

  test('one that is pending for another purpose stays', async () => {
    const phone = newPhone();
    const login = await otp.sent({ phone, purpose: 'login', code: '111111' });
    await otp.jump(30_000);
    await otp.sent({ phone, purpose: 'payment', code: '222222' });
    expect((await otp.read(login.id)).body.data.status).toBe('pending');
  });
});

describe('a resend', () => {
  test('sends no sixth message, in the last minute of the code neither', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, expiryMinutes: 60 });
    for (const seconds of [30, 60, 120, 120]) {
      await otp.jump(seconds * 1000);
      expect((await otp.resend(id)).status).toBe(200);
    }
    await otp.jump(54 * 60_000);
    expect((await otp.read(id)).body.data.status).toBe('pending');
    expect(retryAfterOf(await otp.resend(id), 'RATE_LIMIT_EXCEEDED')).toBe(30);
    expect(await otp.messagesTo(phone)).toBe(5);
    await otp.jump(30_000);
    expect((await otp.resend(id)).body.code).toBe('OTP_EXPIRED');
  });

  test('repeats the text and the channel of the newest message', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, code: '4815', message: 'One {{code}}' });
    await otp.jump(30_000);
    await otp.send({ phone, message: 'Two {{code}}' });
    await otp.jump(60_000);
    expect((await otp.resend(id)).body.data.channel).toBe('simulator');
    await otp.deliver();
    const texts = (await otp.inbox(phone)).map(({ text }) => text);
    expect(texts).toEqual(['One 4815', 'Two 4815', 'Two 4815']);
  });

  test.each([
    ['unknown', async () => 'ver_01jd3x8zq2e6v9k5m7n0p4r8st'],
    [
      'canceled',
      async (id: string) => {
        await otp.cancel(id);
        return id;
      },
    ],
    [
      'verified',
      async (id: string) => {
        await otp.check({ id, code: '481516' });
        return id;
      },
    ],
    [
      'spent',
      async (id: string) => {
        for (let guess = 0; guess < 5; guess++) await otp.check({ id, code: '000000' });
        return id;
      },
    ],
  ])('of one that is %s is 404 and sends nothing', async (_state, prepare) => {
    const phone = newPhone();
    const id = await prepare((await otp.sent({ phone, code: '481516' })).id);
    await otp.jump(30_000);
    const refusal = await otp.resend(id);
    expect(refusal.status).toBe(404);
    expect(refusal.body.code).toBe('OTP_NOT_FOUND');
    expect(await otp.messagesTo(phone)).toBe(1);
  });

  test('of one that has expired is 410 and sends nothing', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, expiryMinutes: 1 });
    await otp.jump(60_000);
    expect((await otp.resend(id)).body).toMatchObject({ status: 410, code: 'OTP_EXPIRED' });
    expect(await otp.messagesTo(phone)).toBe(1);
  });

  test('with other metadata keeps the first with the verification and shows its own in the timeline', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, metadata: { step: 'first' } });
    await otp.jump(30_000);
    const metadata = { step: 'second', note: 'x'.repeat(4_000) };
    const retry = await otp.send({ phone, metadata });
    expect(retry.body.data).toMatchObject({ id, retried: true });
    await otp.jump(60_000);
    await otp.send({ phone });
    await otp.deliver();
    const { body } = await otp.read(id);
    expect(body.data.metadata).toEqual({ step: 'first' });
    const given = body.data.timeline.filter((entry: object) => 'metadata' in entry);
    expect(given).toEqual([
      expect.objectContaining({ messageId: retry.body.data.messageId, status: 'queued', metadata }),
    ]);
  });

  test('never goes out without its code', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone });
    await otp.deliver();
    await server.app.database.transaction(async (trx) => {
      await trx.updateTable('verifications').set({ sealed_code: null }).where('phone', '=', phone).execute();
    });
    await otp.jump(30_000);
    expect((await otp.resend(id)).body.code).toBe('CONFLICT');
    expect(await otp.messagesTo(phone)).toBe(1);
  });
});

test('where the operator allows it a code lives an hour, and no longer', async () => {
  const { expiresAt } = await otp.sent({ phone: newPhone(), expiryMinutes: 60 });
  expect(msUntil(expiresAt)).toBe(3_600_000);
  const refusal = await otp.send({ phone: newPhone(), expiryMinutes: 61 });
  expect(refusal.body).toMatchObject({ status: 400, errors: [{ path: 'expiryMinutes' }] });
});

describe('canceling', () => {
  test('ends a verification, and twice is the same as once', async () => {
    const { id, phone } = await otp.sent({ phone: newPhone(), code: '481516' });
    const first = await otp.cancel(id);
    const second = await otp.cancel(id);
    expect(first.status).toBe(200);
    expect(first.body.data).toMatchObject({ id, phone, status: 'canceled', attemptsRemaining: 0 });
    expect({ status: second.status, body: second.body }).toEqual({ status: 200, body: first.body });
    expect((await otp.check({ id, code: '481516' })).body.code).toBe('OTP_NOT_FOUND');
    expect((await otp.read(id)).body.data).toMatchObject({ status: 'canceled', reason: 'canceled' });
    expect((await otp.eventsOf(id)).filter((type) => type === 'otp.canceled')).toHaveLength(1);
  });

  test('50 at once record one end', async () => {
    const { id } = await otp.sent({ phone: newPhone() });
    const answers = await Promise.all(Array.from({ length: 50 }, () => otp.cancel(id)));
    expect(countByStatus(answers)).toEqual({ 200: 50 });
    expect((await otp.eventsOf(id)).filter((type) => type === 'otp.canceled')).toHaveLength(1);
  });

  test('after a cancel a new code may be sent when the phone may be', async () => {
    const phone = newPhone();
    const old = await otp.sent({ phone });
    const { resendAt } = (await otp.cancel(old.id)).body.data;
    expect(msUntil(resendAt)).toBe(30_000);
    await otp.jump(30_000);
    expect((await otp.sent({ phone })).id).not.toBe(old.id);
  });

  test('one that is used up, verified or unknown is 404', async () => {
    const verified = await otp.sent({ phone: newPhone(), code: '481516' });
    await otp.check({ id: verified.id, code: '481516' });
    const spent = await otp.sent({ phone: newPhone(), code: '481516' });
    for (let guess = 0; guess < 5; guess++) await otp.check({ id: spent.id, code: '000000' });
    for (const id of [verified.id, spent.id, 'ver_01jd3x8zq2e6v9k5m7n0p4r8st', 'nonsense']) {
      const refusal = await otp.cancel(id);
      expect({ id, status: refusal.status, code: refusal.body.code }).toEqual({
        id,
        status: 404,
        code: 'OTP_NOT_FOUND',
      });
    }
    expect((await otp.read(verified.id)).body.data.status).toBe('verified');
  });

  test('one that has expired is 410, and it stays expired', async () => {
    const { id } = await otp.sent({ phone: newPhone(), expiryMinutes: 1 });
    await otp.jump(60_000);
    expect((await otp.cancel(id)).body.code).toBe('OTP_EXPIRED');
    expect((await otp.read(id)).body.data.status).toBe('expired');
  });
});

test('every change made here has exactly one event', () => expectOneEventPerChange(server));
