import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeKey, makeProject } from '../support/keys.ts';
import { type Answer, startTestApp, type TestApp } from '../support/test-app.ts';
import {
  countByStatus,
  DAY_MS,
  expectOneEventPerChange,
  newPhone,
  QUICK_ADMIN,
  retryAfterOf,
  verificationsOf,
} from '../support/verifications.ts';

const CODE = '481516';
const WRONG = '000000';
const ENV = { ...QUICK_ADMIN, DEFAULT_REGION: 'ID' };

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: ENV });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

/** Guesses wrongly so many times; resolves to the last answer. */
async function guess(times: number, named: object, code = WRONG): Promise<Answer> {
  let last: Answer | undefined;
  for (let i = 0; i < times; i++) last = await otp.check({ ...named, code });
  return last!;
}

/** Sends to a phone and uses up the five guesses of each verification until so many have failed in all. */
async function failChecks(phone: string, times: number, extra: object = {}): Promise<void> {
  for (let left = times; left > 0; left -= 5) {
    const { id } = await otp.sent({ phone, code: CODE, ...extra });
    const last = await guess(Math.min(5, left), { id });
    expect(last.status).toBe(422);
    await otp.jump(30_000);
  }
}

describe('one verification', () => {
  test('allows five guesses, then every check is 429, the right code too', async () => {
    const { id, phone } = await otp.sent({ phone: newPhone(), code: CODE });
    for (const attemptsRemaining of [4, 3, 2, 1, 0]) {
      const refusal = await otp.check({ id, code: WRONG });
      expect(refusal.status).toBe(422);
      expect(refusal.body).toMatchObject({ code: 'OTP_INCORRECT', attemptsRemaining });
    }
    for (const named of [{ id }, { phone }]) {
      for (const code of [WRONG, CODE]) {
        retryAfterOf(await otp.check({ ...named, code }), 'OTP_ATTEMPTS_EXCEEDED');
      }
    }
    expect((await otp.read(id)).body.data).toMatchObject({
      status: 'max_attempts_reached',
      attemptsRemaining: 0,
      verifiedAt: null,
    });
    expect((await otp.eventsOf(id)).filter((type) => type === 'otp.failed')).toHaveLength(1);
  });

  test('counts 200 wrong guesses at once as five, and the right code afterwards does not verify', async () => {
    const { id, phone } = await otp.sent({ phone: newPhone(), code: CODE });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => otp.check({ ...(i % 2 ? { id } : { phone }), code: WRONG })),
    );
    expect(countByStatus(answers)).toEqual({ 422: 5, 429: 195 });
    const left = answers.filter(({ status }) => status === 422).map(({ body }) => body.attemptsRemaining);
    expect(left.sort()).toEqual([0, 1, 2, 3, 4]);
    retryAfterOf(await otp.check({ id, code: CODE }), 'OTP_ATTEMPTS_EXCEEDED');
    expect((await otp.limits(phone)).body.data.failedChecksLastDay).toBe(5);
  });

  test('used up, tells truly when a new code may be sent', async () => {
    const { id, phone } = await otp.sent({ phone: newPhone(), code: CODE });
    await otp.jump(10_400);
    await guess(5, { id });
    const seconds = retryAfterOf(await otp.check({ id, code: CODE }), 'OTP_ATTEMPTS_EXCEEDED');
    await otp.jump((seconds - 1) * 1000);
    expect((await otp.send({ phone, code: '222222' })).status).toBe(429);
    await otp.jump(1000);
    const next = await otp.sent({ phone, code: '222222' });
    expect(next.attemptsRemaining).toBe(5);
    expect((await otp.check({ id: next.id, code: '222222' })).status).toBe(200);
  });

  test('gets no new guesses from a resend or a retry', async () => {
    const { id, phone } = await otp.sent({ phone: newPhone(), code: CODE });
    await guess(2, { id });
    await otp.jump(30_000);
    expect((await otp.resend(id)).body.data.attemptsRemaining).toBe(3);
    await guess(2, { id });
    await otp.jump(60_000);
    expect((await otp.send({ phone })).body.data.attemptsRemaining).toBe(1);
    expect((await guess(1, { id })).body.attemptsRemaining).toBe(0);
    expect((await otp.check({ id, code: CODE })).status).toBe(429);
  });
});

describe('all verifications of a phone', () => {
  test('share 15 failed checks of strangers in 24 hours, over sends, purposes, keys and ways to check', async () => {
    const phone = newPhone();
    const firstFailure = server.clock.now();
    const keys = [server.key, (await makeKey(server, ['otp:send', 'otp:verify'])).key];
    for (let round = 0; round < 3; round++) {
      const purpose = round % 2 ? 'login' : 'payment';
      const as = { key: keys[round % 2]! };
      const { id, attemptsRemaining } = await otp.sent({ phone, purpose, code: CODE }, as);
      expect(attemptsRemaining).toBe(5);
      const named = round < 2 ? { id } : { phone, purpose };
      const left: number[] = [];
      for (let i = 0; i < 5; i++) {
        left.push((await otp.check({ ...named, code: WRONG }, { key: keys[i % 2]! })).body.attemptsRemaining);
      }
      expect(left).toEqual([4, 3, 2, 1, 0]);
      await otp.jump(30_000);
    }

    const before = await otp.messagesTo(phone);
    const refusal = await otp.send({ phone, purpose: 'another', code: CODE });
    const seconds = retryAfterOf(refusal, 'OTP_ATTEMPTS_EXCEEDED');
    expect(server.clock.now() + seconds * 1000).toBe(firstFailure + DAY_MS);
    expect(await otp.messagesTo(phone)).toBe(before);
    await otp.jump((seconds - 1) * 1000);
    retryAfterOf(await otp.send({ phone, code: CODE }), 'OTP_ATTEMPTS_EXCEEDED');
    await otp.jump(1000);
    expect((await otp.sent({ phone, code: CODE })).attemptsRemaining).toBe(5);
  });

  test('leave a verification fewer guesses when fewer than its own are left', async () => {
    const phone = newPhone();
    await failChecks(phone, 13);
    const { id, attemptsRemaining } = await otp.sent({ phone, purpose: 'login', code: CODE });
    expect(attemptsRemaining).toBe(2);
    expect((await guess(2, { id })).body.attemptsRemaining).toBe(0);
    retryAfterOf(await otp.check({ id, code: CODE }), 'OTP_ATTEMPTS_EXCEEDED');
  });

  test('are locked together: what is pending for another purpose does not verify either', async () => {
    const phone = newPhone();
    await failChecks(phone, 10);
    const pending = await otp.sent({ phone, purpose: 'payment', code: '222222', expiryMinutes: 10 });
    await otp.jump(30_000);
    const { id } = await otp.sent({ phone, purpose: 'login', code: CODE });
    await guess(5, { id });
    retryAfterOf(await otp.check({ id: pending.id, code: '222222' }), 'OTP_ATTEMPTS_EXCEEDED');
    expect((await otp.read(pending.id)).body.data.attemptsRemaining).toBe(0);
  });

  test('get their guesses back by a right code', async () => {
    const phone = newPhone();
    await failChecks(phone, 10);
    const { id } = await otp.sent({ phone, purpose: 'login', code: CODE });
    await guess(4, { id });
    expect((await otp.limits(phone)).body.data).toMatchObject({
      guessesRemaining: 6,
      guessesRemainingUnknownClient: 1,
    });
    expect((await otp.check({ id, code: CODE })).status).toBe(200);
    expect((await otp.limits(phone)).body.data).toMatchObject({
      failedChecksLastDay: 0,
      guessesRemaining: 20,
      guessesRemainingUnknownClient: 15,
    });
    await otp.jump(1);
    await otp.lift(phone);
    await failChecks(phone, 5);
    expect((await otp.limits(phone)).body.data.guessesRemaining).toBe(15);
  });

  test('keep what they have used over a restart', async () => {
    const own = await startTestApp({ env: ENV });
    const first = verificationsOf(own);
    const phone = newPhone();
    for (let round = 0; round < 3; round++) {
      const { id } = await first.sent({ phone, code: CODE });
      for (let i = 0; i < 5; i++) await first.check({ id, code: WRONG });
      await first.jump(30_000);
    }
    await own.stop({ keepFiles: true });
    const again = await startTestApp({ env: ENV, dir: own.dir, clock: own.clock, key: own.key });
    const second = verificationsOf(again);
    retryAfterOf(await second.send({ phone, code: CODE }), 'OTP_ATTEMPTS_EXCEEDED');
    expect((await second.limits(phone)).body.data.guessesRemainingUnknownClient).toBe(0);
    await again.stop();
  });

  test('are counted apart in each project', async () => {
    const phone = newPhone();
    await failChecks(phone, 15);
    const another = await makeProject(server);
    const { attemptsRemaining } = await otp.sent({ phone, code: CODE }, { key: another.key });
    expect(attemptsRemaining).toBe(5);
  });
});

describe('a code of fewer than six characters', () => {
  test('leaves the phone five failed checks in 24 hours', async () => {
    const phone = newPhone();
    const firstFailure = server.clock.now();
    const { id, attemptsRemaining } = await otp.sent({ phone, code: '4815' });
    expect(attemptsRemaining).toBe(5);
    await guess(5, { id }, '0000');
    await otp.jump(30_000);
    const seconds = retryAfterOf(await otp.send({ phone, code: '4815' }), 'OTP_ATTEMPTS_EXCEEDED');
    expect(server.clock.now() + seconds * 1000).toBe(firstFailure + DAY_MS);
    expect((await otp.sent({ phone, code: CODE })).attemptsRemaining).toBe(5);
  });

  test('counts the failed checks of longer codes too', async () => {
    const phone = newPhone();
    await failChecks(phone, 3);
    expect((await otp.sent({ phone, purpose: 'login', code: '48151' })).attemptsRemaining).toBe(2);
    await otp.jump(30_000);
    expect((await otp.sent({ phone, purpose: 'payment', code: CODE })).attemptsRemaining).toBe(5);
  });
});

describe('one client address', () => {
  test('has ten failed checks on a phone in 24 hours, and others have theirs', async () => {
    const phone = newPhone();
    await failChecks(phone, 10, { clientIp: '203.0.113.7' });
    retryAfterOf(await otp.send({ phone, code: CODE, clientIp: '203.0.113.7' }), 'OTP_ATTEMPTS_EXCEEDED');
    expect((await otp.sent({ phone, code: CODE, clientIp: '198.51.100.4' })).attemptsRemaining).toBe(5);
    await otp.jump(30_000);
    expect((await otp.sent({ phone, purpose: 'login', code: CODE })).attemptsRemaining).toBe(5);
  });

  test('is that of the check where the check names one', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, code: CODE, clientIp: '203.0.113.7' });
    await guess(3, { id, clientIp: '198.51.100.4' });
    await otp.jump(30_000);
    await otp.sent({ phone, purpose: 'login', code: CODE });
    await guess(5, { phone, purpose: 'login', clientIp: '198.51.100.4' });
    await otp.jump(30_000);
    const left = async (purpose: string, clientIp: string) => {
      const { attemptsRemaining } = await otp.sent({ phone, purpose, code: CODE, clientIp });
      await otp.jump(30_000);
      return attemptsRemaining;
    };
    expect(await left('a', '198.51.100.4')).toBe(2);
    expect(await left('b', '203.0.113.7')).toBe(5);
  });

  test.each([
    ['IPv6 addresses of one /64', '2001:db8:1:2::1', '2001:DB8:1:2:ffff::9'],
    ['an IPv4 address and its IPv6-mapped form', '203.0.113.9', '::ffff:203.0.113.9'],
    ['two spellings of an IPv6 address', '2001:db8::1', '2001:0db8:0:0:0:0:0:1'],
  ])('is one: %s', async (_which, one, other) => {
    const phone = newPhone();
    await failChecks(phone, 8, { clientIp: one });
    expect((await otp.sent({ phone, purpose: 'x', code: CODE, clientIp: other })).attemptsRemaining).toBe(2);
  });
});

describe('a code that a send gives', () => {
  test('while another is pending is a guess: one that differs costs a failed check, the right one none', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, code: CODE });
    await otp.jump(30_000);
    const again = await otp.send({ phone, code: CODE });
    expect([again.status, again.body.data.id]).toEqual([200, id]);
    expect((await otp.limits(phone)).body.data.failedChecksLastDay).toBe(0);
    await otp.jump(60_000);
    const next = await otp.sent({ phone, code: '222222', clientIp: '203.0.113.7' });
    expect((await otp.limits(phone)).body.data.failedChecksLastDay).toBe(1);
    await otp.jump(30_000);
    await otp.sent({ phone, message: 'Your code is 333333' });
    expect((await otp.limits(phone)).body.data.failedChecksLastDay).toBe(2);
    expect((await otp.check({ id: next.id, code: '222222' })).status).toBe(404);
  });

  test('tests no more codes than a check could', async () => {
    const phone = newPhone();
    await failChecks(phone, 10);
    await otp.sent({ phone, code: CODE });
    const left = [];
    for (let i = 1; i <= 4; i++) {
      await otp.jump(180_000);
      left.push((await otp.sent({ phone, code: `11111${i}` })).attemptsRemaining);
    }
    expect(left).toEqual([4, 3, 2, 1]);
    await otp.jump(180_000);
    retryAfterOf(await otp.send({ phone, code: CODE }), 'OTP_ATTEMPTS_EXCEEDED');
  });

  test('is not compared where no guess would be left after it, whether it is right or wrong', async () => {
    const phone = newPhone();
    await failChecks(phone, 10);
    const { id } = await otp.sent({ phone, code: CODE });
    await guess(4, { id });
    await otp.jump(30_000);
    const answers = [];
    for (const code of [CODE, '222222']) {
      const refused = await otp.send({ phone, code });
      answers.push(retryAfterOf(refused, 'OTP_ATTEMPTS_EXCEEDED'));
    }
    expect(answers[0]).toBe(answers[1]);
    expect((await otp.send({ phone })).body.data).toMatchObject({ id, retried: true, attemptsRemaining: 1 });
    expect((await otp.check({ id, code: CODE })).status).toBe(200);
  });

  test('costs nothing where none is pending, or one that ends within a minute', async () => {
    const phone = newPhone();
    await otp.sent({ phone, code: CODE });
    await otp.jump(4 * 60_000 + 1);
    await otp.sent({ phone, code: '222222' });
    await otp.jump(5 * 60_000);
    await otp.sent({ phone, code: '333333' });
    expect((await otp.limits(phone)).body.data.failedChecksLastDay).toBe(0);
  });
});

describe('a client address that has verified the phone', () => {
  const HOME = '198.51.100.77';

  /** The phone is verified from home, and then strangers use up what is theirs, from many addresses and from none. */
  async function attacked(verified: object, check: object = {}): Promise<string> {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, code: CODE, ...verified });
    expect((await otp.check({ id, code: CODE, ...check })).status).toBe(200);
    await otp.jump(DAY_MS);
    for (const stranger of [{}, { clientIp: '203.0.113.1' }, { clientIp: '203.0.113.2' }]) {
      await failChecks(phone, 5, stranger);
    }
    for (const stranger of [{}, { clientIp: '203.0.113.3' }]) {
      retryAfterOf(await otp.send({ phone, code: CODE, ...stranger }), 'OTP_ATTEMPTS_EXCEEDED');
    }
    return phone;
  }

  test('has the last five guesses of the 20, which no stranger can use up', async () => {
    const phone = await attacked({ clientIp: HOME });
    const { id, attemptsRemaining } = await otp.sent({ phone, code: CODE, clientIp: HOME });
    expect(attemptsRemaining).toBe(5);
    retryAfterOf(await otp.check({ id, code: CODE, clientIp: '203.0.113.4' }), 'OTP_ATTEMPTS_EXCEEDED');
    expect((await guess(4, { id, clientIp: HOME })).body.attemptsRemaining).toBe(1);
    expect((await otp.check({ id, code: CODE, clientIp: HOME })).status).toBe(200);
    expect((await otp.limits(phone)).body.data.failedChecksLastDay).toBe(0);
  });

  test('has no more than 20 with those of strangers', async () => {
    const phone = await attacked({ clientIp: HOME });
    const { id } = await otp.sent({ phone, code: CODE, clientIp: HOME });
    await guess(5, { id, clientIp: HOME });
    await otp.jump(30_000);
    retryAfterOf(await otp.send({ phone, code: CODE, clientIp: HOME }), 'OTP_ATTEMPTS_EXCEEDED');
  });

  test('is the one that the check named, not the one that asked for the code', async () => {
    const phone = await attacked({ clientIp: '203.0.113.9' }, { clientIp: HOME });
    retryAfterOf(await otp.send({ phone, code: CODE, clientIp: '203.0.113.9' }), 'OTP_ATTEMPTS_EXCEEDED');
    expect((await otp.sent({ phone, code: CODE, clientIp: HOME })).attemptsRemaining).toBe(5);
  });

  test('is forgotten after 30 days', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone, code: CODE, clientIp: HOME });
    await otp.check({ id, code: CODE });
    const verifiedAt = server.clock.now();
    await otp.jump(30 * DAY_MS - 3 * 30_000 - 1);
    await failChecks(phone, 15);
    expect((await otp.sent({ phone, code: CODE, clientIp: HOME })).attemptsRemaining).toBe(5);
    server.clock.set(verifiedAt + 30 * DAY_MS + 30_000);
    retryAfterOf(await otp.send({ phone, code: CODE, clientIp: HOME }), 'OTP_ATTEMPTS_EXCEEDED');
  });

  test('is known on this phone and in this project only', async () => {
    const phone = newPhone();
    const other = await attacked({ clientIp: HOME });
    await failChecks(phone, 15);
    retryAfterOf(await otp.send({ phone, code: CODE, clientIp: HOME }), 'OTP_ATTEMPTS_EXCEEDED');
    expect((await otp.sent({ phone: other, code: CODE, clientIp: HOME })).attemptsRemaining).toBe(5);
  });
});

describe('one line', () => {
  const spellings = (national: string) => {
    const [a, b, c] = [national.slice(0, 3), national.slice(3, 7), national.slice(7)];
    const ways = (code: string, sep: string) => [
      `${code}${sep}${a}${sep}${b}${sep}${c}`,
      `${code}${sep}${a}${b}${c}`,
      `${code}${sep}(${a})${sep}${b}${sep}${c}`,
    ];
    const separators = [' ', '-', '.', '/'];
    return [
      ...separators.flatMap((sep) => ways('+62', sep)),
      ...separators.flatMap((sep) => ways('62', sep)),
      ...[' ', '-', '.', '/'].map((sep) => `0${a}${sep}${b}${sep}${c}`),
      `+62${national}`,
      `62${national}`,
      `0062${national}`,
      `0${national}`,
      `(0${a}) ${b} ${c}`,
      `tel:+62${national}`,
      `+62 (0)${a} ${b} ${c}`,
      ` +62${national} `,
      `(+62) ${a} ${b} ${c}`,
      `+62\u00a0${a}\u00a0${b}\u00a0${c}`,
      `+62 ${a}\u2011${b}\u2011${c}`,
      `00 62 ${a} ${b} ${c}`,
    ];
  };

  test('in 40 spellings is sent one message and has one budget', async () => {
    const ways = [...new Set(spellings(newPhone().slice(3)))];
    expect(ways).toHaveLength(40);
    const sends = await Promise.all(ways.map((phone) => otp.send({ phone, code: CODE })));
    expect(countByStatus(sends)).toEqual({ 201: 1, 429: 39 });
    const checks = await Promise.all(ways.map((phone) => otp.check({ phone, code: WRONG })));
    expect(countByStatus(checks)).toEqual({ 422: 5, 429: 35 });
    const shown = await Promise.all(ways.map((phone) => otp.limits(phone)));
    for (const { body } of shown) {
      expect(body.data).toMatchObject({ messagesLast10Minutes: 1, failedChecksLastDay: 5 });
    }
  });

  test.each([
    ['Brazil, with and without the ninth digit', '+5511987651234', '+551187651234'],
    ['Mexico, with and without the 1', '+525512341234', '+5215512341234'],
    ['Argentina, with and without the 9', '+5491123451234', '+541123451234'],
  ])('%s is sent one message and has one budget', async (_country, one, other) => {
    const { id } = await otp.sent({ phone: one, code: CODE });
    retryAfterOf(await otp.send({ phone: other }), 'RATE_LIMIT_EXCEEDED');
    expect((await otp.check({ phone: one, code: WRONG })).body.attemptsRemaining).toBe(4);
    expect((await otp.check({ phone: other, code: WRONG })).body.attemptsRemaining).toBe(3);
    await otp.jump(30_000);
    expect((await otp.send({ phone: other })).body.data).toMatchObject({ id, retried: true });
    expect((await otp.check({ phone: other, code: CODE })).body.data.id).toBe(id);
  });

  test('superseded in its other spelling is superseded', async () => {
    const old = await otp.sent({ phone: '+5521987651234', code: '111111' });
    await otp.jump(30_000);
    const next = await otp.sent({ phone: '+552187651234', code: '222222' });
    expect((await otp.read(old.id)).body.data.reason).toBe('superseded');
    expect((await otp.check({ phone: '+5521987651234', code: '222222' })).body.data.id).toBe(next.id);
  });
});

describe('an administrator', () => {
  test('sees what a phone has used', async () => {
    const phone = newPhone();
    expect((await otp.limits(phone)).body).toEqual({
      success: true,
      data: {
        phone,
        messagesLast10Minutes: 0,
        messagesLastDay: 0,
        failedChecksLastDay: 0,
        guessesRemaining: 20,
        guessesRemainingUnknownClient: 15,
        nextSendAt: null,
      },
    });
    const { id } = await otp.sent({ phone, code: CODE });
    await guess(3, { id });
    expect((await otp.limits(phone)).body.data).toEqual({
      phone,
      messagesLast10Minutes: 1,
      messagesLastDay: 1,
      failedChecksLastDay: 3,
      guessesRemaining: 17,
      guessesRemainingUnknownClient: 12,
      nextSendAt: new Date(server.clock.now() + 30_000).toISOString(),
    });
  });

  test('lifts a lock, which is recorded with who did it and a masked phone', async () => {
    const phone = newPhone();
    await failChecks(phone, 15);
    retryAfterOf(await otp.send({ phone, code: CODE }), 'OTP_ATTEMPTS_EXCEEDED');
    await otp.jump(1);
    const answer = await otp.lift(phone);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ success: true, data: { id: phone } });
    expect((await otp.limits(phone)).body.data).toMatchObject({
      messagesLastDay: 0,
      failedChecksLastDay: 0,
      guessesRemaining: 20,
      nextSendAt: null,
    });
    expect((await otp.sent({ phone, code: CODE })).attemptsRemaining).toBe(5);

    const events = await server.app.database.reader
      .selectFrom('events')
      .select('data')
      .where('type', '=', 'limits.cleared')
      .execute();
    const masked = `+*********${phone.slice(-4)}`.slice(-phone.length);
    const recorded = events.map(({ data }) => JSON.parse(data!));
    expect(recorded).toContainEqual({ phone: expect.stringMatching(/^\+\*+\d{4}$/), actor: 'admin' });
    expect(recorded.map((data) => data.phone)).toContain(masked);
  });

  test('gives a pending verification no guesses beyond its own five', async () => {
    const { id, phone } = await otp.sent({ phone: newPhone(), code: CODE });
    await guess(4, { id });
    await otp.jump(1);
    await otp.lift(phone);
    expect((await otp.read(id)).body.data.attemptsRemaining).toBe(1);
    expect((await otp.check({ id, code: WRONG })).body.attemptsRemaining).toBe(0);
    expect((await otp.check({ id, code: CODE })).status).toBe(429);
  });

  test('lifting nothing is no error', async () => {
    const phone = newPhone();
    expect((await otp.lift(phone)).body.data).toEqual({ id: phone });
  });

  test('is told when a phone cannot exist', async () => {
    expect((await otp.limits('12345')).body.code).toBe('PHONE_INVALID');
    expect((await otp.lift('12345')).body.code).toBe('PHONE_INVALID');
  });
});

test('every change made here has exactly one event', () => expectOneEventPerChange(server));
