import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { limitsCommand } from '../../src/otp/cli.ts';
import { runHere } from '../support/command-in-process.ts';
import { makeKey, makeProject } from '../support/keys.ts';
import { type Answer, startTestApp, type TestApp } from '../support/test-app.ts';
import {
  countByStatus,
  DAY_MS,
  MINUTE_MS,
  newPhone,
  QUICK_ADMIN,
  retryAfterOf,
  verificationsOf,
} from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

/** Sends to a phone for a purpose of its own each time, so many times, with so much time after each. */
async function sendApart(phone: string, times: number, gapMs: number, on = otp): Promise<void> {
  for (let i = 0; i < times; i++) {
    await on.sent({ phone, purpose: `p${i}` });
    await on.jump(gapMs);
  }
}

/** The limit headers of an answer: policies, where they stand, and v3's three. */
function limitHeadersOf({ headers }: Answer) {
  return {
    policies: headers.get('ratelimit-policy')?.split(', '),
    states: headers.get('ratelimit')?.split(', '),
    v3: ['limit', 'remaining', 'reset'].map((name) => Number(headers.get(`x-ratelimit-${name}`))),
  };
}

/** A send is refused until the very second that `Retry-After` names, and then goes through. */
async function expectTrueRetryAfter(body: object, on = otp): Promise<number> {
  const seconds = retryAfterOf(await on.send({ ...body }), 'RATE_LIMIT_EXCEEDED');
  await on.jump((seconds - 1) * 1000);
  retryAfterOf(await on.send({ ...body }), 'RATE_LIMIT_EXCEEDED');
  await on.jump(1000);
  await on.sent({ ...body });
  return seconds;
}

describe('a phone', () => {
  test('is sent one message in 30 s, over all purposes', async () => {
    const phone = newPhone();
    await otp.sent({ phone, purpose: 'login' });
    expect(await expectTrueRetryAfter({ phone, purpose: 'payment' })).toBe(30);
    expect(await otp.messagesTo(phone)).toBe(2);
  });

  test('lets exactly one of 500 sends at once through', async () => {
    const phone = newPhone();
    const answers = await Promise.all(Array.from({ length: 500 }, () => otp.send({ phone })));
    expect(countByStatus(answers)).toEqual({ 201: 1, 429: 499 });
    for (const answer of answers) {
      if (answer.status === 429) expect(retryAfterOf(answer, 'RATE_LIMIT_EXCEEDED')).toBe(30);
    }
    expect(await otp.messagesTo(phone)).toBe(1);
    await otp.deliver();
    expect(await otp.inbox(phone)).toHaveLength(1);
  });

  test('lets one of 100 sends for different purposes at once through', async () => {
    const phone = newPhone();
    const sends = Array.from({ length: 100 }, (_, i) => otp.send({ phone, purpose: `p${i}` }));
    expect(countByStatus(await Promise.all(sends))).toEqual({ 201: 1, 429: 99 });
  });

  test('is sent five messages in ten minutes; the sixth is refused until the first is ten minutes old', async () => {
    const phone = newPhone();
    await sendApart(phone, 5, 30_000);
    expect(await expectTrueRetryAfter({ phone, purpose: 'sixth' })).toBe(450);
    expect(await otp.messagesTo(phone)).toBe(6);
  });

  test('is sent five in any ten minutes, not in each', async () => {
    const phone = newPhone();
    await sendApart(phone, 1, 9 * MINUTE_MS);
    await sendApart(phone, 4, 30_000);
    expect((await otp.send({ phone, purpose: 'x' })).status).toBe(201);
    await otp.jump(30_000);
    expect(retryAfterOf(await otp.send({ phone, purpose: 'y' }), 'RATE_LIMIT_EXCEEDED')).toBe(450);
  });

  test('is told with each answer when its next message is allowed', async () => {
    const phone = newPhone();
    const firstAt = server.clock.now();
    await sendApart(phone, 4, 30_000);
    const { resendAt } = await otp.sent({ phone, purpose: 'fifth', expiryMinutes: 10 });
    expect(Date.parse(resendAt)).toBe(firstAt + 10 * MINUTE_MS);
    await otp.jump(Date.parse(resendAt) - server.clock.now() - 1);
    expect((await otp.send({ phone, purpose: 'sixth' })).status).toBe(429);
    await otp.jump(1);
    await otp.sent({ phone, purpose: 'sixth' });
  });

  test('counts the resends among them', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, expiryMinutes: 10 });
    for (const seconds of [30, 60, 120]) {
      await otp.jump(seconds * 1000);
      expect((await otp.resend(id)).status).toBe(200);
    }
    await otp.jump(30_000);
    await otp.sent({ phone, purpose: 'other' });
    await otp.jump(90_000);
    expect(retryAfterOf(await otp.resend(id), 'RATE_LIMIT_EXCEEDED')).toBe(600 - 330);
    expect(await otp.messagesTo(phone)).toBe(5);
  });

  test('counts canceled, failed and superseded ones among them', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, notOnWhatsApp: true });
    await otp.sent({ phone, purpose: 'failed' });
    await server.clock.advance(30_000);
    await otp.fault({ to: phone });
    await otp.cancel((await otp.sent({ phone, purpose: 'canceled' })).id);
    await otp.jump(30_000);
    for (const code of ['111111', '222222', '333333']) {
      await otp.sent({ phone, code });
      await otp.jump(30_000);
    }
    retryAfterOf(await otp.send({ phone, code: '444444' }), 'RATE_LIMIT_EXCEEDED');
  });

  test('shares its limit over all keys of a project', async () => {
    const phone = newPhone();
    const { key } = await makeKey(server, ['otp:send']);
    await otp.sent({ phone });
    retryAfterOf(await otp.send({ phone, purpose: 'x' }, { key }), 'RATE_LIMIT_EXCEEDED');
    retryAfterOf(
      await otp.send({ phone, purpose: 'x' }, { key: null, asAdmin: true }),
      'RATE_LIMIT_EXCEEDED',
    );
  });

  test('has a limit of its own in each project', async () => {
    const phone = newPhone();
    const another = await makeProject(server);
    await otp.sent({ phone });
    await otp.sent({ phone }, { key: another.key });
  });

  test('is sent ten messages a day; the eleventh is refused until the first is a day old', async () => {
    const phone = newPhone();
    await sendApart(phone, 10, 10 * MINUTE_MS);
    const seconds = await expectTrueRetryAfter({ phone, purpose: 'eleventh' });
    expect(seconds * 1000).toBe(DAY_MS - 100 * MINUTE_MS);
  });

  test('a refused send is not counted', async () => {
    const phone = newPhone();
    await otp.sent({ phone });
    for (let i = 0; i < 20; i++) await otp.send({ phone, purpose: `p${i}` });
    expect((await otp.limits(phone)).body.data.messagesLast10Minutes).toBe(1);
  });

  test('may be sent a message at once when an administrator has lifted its limits', async () => {
    const phone = newPhone();
    await sendApart(phone, 5, 30_000);
    retryAfterOf(await otp.send({ phone }), 'RATE_LIMIT_EXCEEDED');
    await otp.lift(phone);
    expect((await otp.limits(phone)).body.data).toMatchObject({ messagesLast10Minutes: 0, nextSendAt: null });
    await otp.sent({ phone });
    retryAfterOf(await otp.send({ phone, purpose: 'x' }), 'RATE_LIMIT_EXCEEDED');
  });
});

test('limits are the same after a restart', async () => {
  const [busyDay, busyMinutes] = [newPhone(), newPhone()];
  const first = await startTestApp({ env: QUICK_ADMIN });
  const before = verificationsOf(first);
  const { clock, dir, key } = first;
  const dayBeganAt = clock.now();
  await sendApart(busyDay, 10, 10 * MINUTE_MS, before);
  const minutesBeganAt = clock.now();
  await sendApart(busyMinutes, 5, 30_000, before);
  await first.stop({ keepFiles: true });

  const second = await startTestApp({ env: QUICK_ADMIN, dir, clock, key });
  const after = verificationsOf(second);
  await expectTrueRetryAfter({ phone: busyMinutes, purpose: 'sixth' }, after);
  expect(clock.now()).toBe(minutesBeganAt + 10 * MINUTE_MS);
  await expectTrueRetryAfter({ phone: busyDay, purpose: 'eleventh' }, after);
  expect(clock.now()).toBe(dayBeganAt + DAY_MS);
  await second.stop();
});

describe('an operator', () => {
  test('may set other limits', async () => {
    const own = await startTestApp({
      env: {
        ...QUICK_ADMIN,
        OTP_RESEND_SECONDS: '0',
        PHONE_LIMIT_PER_10_MINUTES: '3',
        PHONE_LIMIT_PER_DAY: '4',
      },
    });
    const on = verificationsOf(own);
    const phone = newPhone();
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => on.send({ phone, purpose: `p${i}` })),
    );
    expect(countByStatus(answers)).toEqual({ 201: 3, 429: 17 });
    expect(retryAfterOf(await on.send({ phone, purpose: 'x' }), 'RATE_LIMIT_EXCEEDED')).toBe(600);
    await on.jump(10 * MINUTE_MS);
    await on.sent({ phone, purpose: 'x' });
    expect(retryAfterOf(await on.send({ phone, purpose: 'y' }), 'RATE_LIMIT_EXCEEDED')).toBe(86_400 - 600);
    await own.stop();
  });
});

describe('a refusal', () => {
  test('names the limit of the phone that is used up before the one of the key', async () => {
    const phone = newPhone();
    const { key } = await makeKey(server, ['otp:send'], { rateLimit: 100 });
    await otp.sent({ phone }, { key });
    await otp.jump(10_000);
    const resetsAt = (server.clock.now() + 20_000) / 1000;
    const paused = await otp.send({ phone }, { key });
    expect(retryAfterOf(paused, 'RATE_LIMIT_EXCEEDED')).toBe(20);
    expect(limitHeadersOf(paused)).toEqual({
      policies: ['"phone";q=1;w=30', '"key";q=100;w=3600'],
      states: ['"phone";r=0;t=20', '"key";r=98;t=3590'],
      v3: [1, 0, resetsAt],
    });
  });

  test('names the window that is full', async () => {
    const phone = newPhone();
    await sendApart(phone, 5, 40_000);
    const full = await otp.send({ phone }, { asAdmin: true });
    expect(limitHeadersOf(full)).toMatchObject({
      policies: ['"phone";q=5;w=600'],
      states: ['"phone";r=0;t=400'],
    });
    await otp.jump(10 * MINUTE_MS);
    await sendApart(phone, 5, 40_000);
    await otp.jump(10 * MINUTE_MS);
    expect(limitHeadersOf(await otp.send({ phone })).policies?.[0]).toBe('"phone";q=10;w=86400');
  });

  test('names the guesses that are used up: of the verification, then of the phone', async () => {
    const phone = newPhone();
    const guess = () => otp.check({ phone, code: '0000000000' }, { asAdmin: true });
    await otp.sent({ phone });
    for (let i = 0; i < 5; i++) await guess();
    expect(limitHeadersOf(await guess())).toMatchObject({
      policies: ['"guesses";q=5;w=300'],
      states: ['"guesses";r=0;t=30'],
    });
    for (let verification = 0; verification < 2; verification++) {
      await otp.jump(3 * MINUTE_MS);
      await otp.sent({ phone });
      for (let i = 0; i < 5; i++) await guess();
    }
    await otp.jump(3 * MINUTE_MS);
    const budget = { policies: ['"guesses";q=15;w=86400'], states: ['"guesses";r=0;t=85860'] };
    expect(limitHeadersOf(await guess())).toMatchObject(budget);
    expect(limitHeadersOf(await otp.send({ phone }, { asAdmin: true }))).toMatchObject(budget);
  });

  test('of a password names the limit of wrong ones', async () => {
    const address = await startTestApp({ env: { ...QUICK_ADMIN, SIGN_IN_FAILURES_MAX: '1' } });
    try {
      const headers = { 'x-master-key': 'a wrong password' };
      expect((await address.call('GET', 'keys', { key: null, headers })).status).toBe(401);
      const refused = await address.call('GET', 'keys', { key: null, headers });
      expect(limitHeadersOf(refused)).toMatchObject({
        policies: ['"sign-in";q=1;w=900', '"address";q=300;w=60'],
        states: ['"sign-in";r=0;t=900', '"address";r=298;t=60'],
      });
    } finally {
      await address.stop();
    }
  });
});

describe('the command', () => {
  const limits = (...args: string[]) =>
    runHere(limitsCommand(), args, {
      cwd: server.dir,
      settings: { NODE_ENV: 'test', DATA_DIR: server.dir, MASTER_PASSWORD: server.adminPassword },
    });

  test('shows what a phone has used, and clears what blocks it', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone });
    await otp.check({ id, code: 'AAAAAA' });
    expect(JSON.parse(await limits('show', phone, '--json'))).toMatchObject({
      phone,
      messagesLast10Minutes: 1,
      failedChecksLastDay: 1,
      guessesRemaining: 19,
      guessesRemainingUnknownClient: 14,
    });
    expect(await limits('show', phone)).toMatch(/wrong codes in the last 24 hours 1\n {2}guesses left +19\n/);
    await otp.jump(1000);
    expect(await limits('clear', phone)).toBe(`The limits of ${phone} are cleared.\n`);
    expect(await limits('show', phone)).toMatch(/next message allowed +now/);
    expect(JSON.parse(await limits('clear', phone, '--json'))).toEqual({ phone });
  });
});
