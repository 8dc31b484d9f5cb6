import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { MINUTE_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const WAIT_MS = 25_000;

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

let peopleMade = 0;
/** A person with a phone and a mailbox that nobody else has. */
function newPerson() {
  peopleMade += 1;
  return { phone: newPhone(), email: `person${peopleMade}@example.com` };
}
/** The code that a text shows. */
const codeIn = (text: string) => /\d{6}/.exec(text)![0];
const next = (id: string) => server.call('POST', `otp/${id}/next`);
/** What the timeline says of each message, by the channel it was to go: its states and reasons. */
async function story(id: string): Promise<string[]> {
  const { data } = (await otp.read(id)).body;
  return data.timeline.map(({ status, reason }: { status: string; reason: string | null }) =>
    reason === null ? status : `${status}: ${reason}`,
  );
}
/** Moves time on in steps short enough that what one starts is over before the next. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1_000) await server.clock.advance(Math.min(1_000, left));
}

beforeEach(async () => {
  for (const channel of ['whatsapp', 'sms', 'email']) await otp.fault({ channel });
});

describe('the answer to a send', () => {
  test('names the route, what the virtual phone stands in for, and when the next channel is used', async () => {
    const { phone, email } = newPerson();
    const data = await otp.sent({ phone, email });
    expect(data).toMatchObject({
      phone,
      email,
      channel: 'simulator',
      plays: 'whatsapp',
      route: ['whatsapp', 'email'],
      nextAt: new Date(server.clock.now() + WAIT_MS).toISOString(),
    });
    expect(await otp.sent({ phone: newPhone() })).toMatchObject({ route: ['whatsapp'], nextAt: null });
  });

  test('follows the route of the request', async () => {
    const data = await otp.sent({ ...newPerson(), channels: ['sms', 'email'] });
    expect(data).toMatchObject({ plays: 'sms', route: ['sms', 'email'] });
    expect(await otp.sent({ ...newPerson(), channel: 'email' })).toMatchObject({ route: ['email'] });
  });

  test('is 400 where an address is missing that every channel of the request needs', async () => {
    const noEmail = await otp.send({ phone: newPhone(), channel: 'email' });
    expect(expectProblem(noEmail, 'VALIDATION_ERROR').errors).toMatchObject([{ path: 'email' }]);
    const nothing = await otp.send({});
    expect(expectProblem(nothing, 'VALIDATION_ERROR').errors).toMatchObject([{ path: 'phone' }]);
    expectProblem(await otp.send({ email: 'two@example.com, three@example.com' }), 'EMAIL_INVALID');
  });
});

describe('the next channel', () => {
  test('is used after the waiting time without a delivery, with the same code, and says why', async () => {
    const { phone, email } = newPerson();
    await otp.fault({ to: phone, channel: 'whatsapp', drop: true });
    const { id } = await otp.sent({ phone, email });
    await pass(WAIT_MS - 1_000);
    expect(await otp.inbox(email)).toEqual([]);
    await pass(4_000);
    expect(await otp.inbox(phone)).toEqual([]);
    const [mail] = await otp.inbox(email);
    expect(mail).toMatchObject({ to: email, plays: 'email' });
    expect(await story(id)).toContain('queued: no receipt for 25 s: sent by e-mail');
    expect((await otp.read(id)).body.data).toMatchObject({ plays: 'email', nextAt: null });
    const checked = await otp.check({ id, code: codeIn(mail!.text) });
    expect(checked.body.data).toMatchObject({ valid: true, phone, email, channels: ['whatsapp', 'email'] });
  });

  test('is used at once where the one before refuses for good', async () => {
    const { phone, email } = newPerson();
    await otp.fault({ to: phone, notOnWhatsApp: true });
    const { id } = await otp.sent({ phone, email });
    await otp.deliver();
    expect(await otp.inbox(email)).toHaveLength(1);
    expect(await story(id)).toContain('queued: WhatsApp refused it (PHONE_NOT_ON_WHATSAPP): sent by e-mail');
    expect((await otp.read(id)).body.data.status).toBe('pending');
  });

  test('is not used once a message was delivered', async () => {
    const { phone, email } = newPerson();
    const { id } = await otp.sent({ phone, email });
    await otp.deliver();
    expect((await otp.read(id)).body.data.nextAt).toBeNull();
    await pass(WAIT_MS + 5_000);
    expect(await otp.inbox(phone)).toHaveLength(1);
    expect(await otp.inbox(email)).toEqual([]);
  });

  test('is not used after the code was verified or canceled', async () => {
    for (const end of ['verify', 'cancel'] as const) {
      const { phone, email } = newPerson();
      await otp.fault({ to: phone, drop: true });
      const { id } = await otp.sent({ phone, email, code: '481516', message: 'Code {{code}}' });
      await pass(2_000);
      if (end === 'verify') expect((await otp.check({ id, code: '481516' })).status).toBe(200);
      else await otp.cancel(id);
      await pass(WAIT_MS + 5_000);
      expect(await otp.inbox(email), end).toEqual([]);
    }
  });

  test('is not begun with less than 30 seconds of life', async () => {
    const { phone, email } = newPerson();
    await otp.fault({ to: phone, drop: true });
    const { id } = await otp.sent({ phone, email, expiryMinutes: 1 });
    await pass(5_000);
    expect((await otp.read(id)).body.data.nextAt).not.toBeNull();
    const late = newPerson();
    await otp.fault({ to: late.phone, drop: true });
    const sent = await otp.sent({ ...late, channels: ['whatsapp', 'sms', 'email'], expiryMinutes: 1 });
    await otp.fault({ to: late.phone, channel: 'sms', drop: true });
    await pass(55_000);
    expect(await otp.inbox(late.email)).toEqual([]);
    expect((await otp.read(sent.id)).body.data.nextAt).toBeNull();
  });

  test('is not begun late, when the server was held up until less than 30 seconds of life were left', async () => {
    const { phone, email } = newPerson();
    await otp.fault({ to: phone, drop: true });
    const { id } = await otp.sent({ phone, email, expiryMinutes: 1 });
    await pass(5_000);
    await otp.jump(30_000);
    await pass(2_000);
    expect((await otp.read(id)).body.data).toMatchObject({ status: 'pending', nextAt: null });
    expect(await otp.inbox(email)).toEqual([]);
  });

  test('follows along the whole route, each channel once, and after the last one the verification fails', async () => {
    const { phone, email } = newPerson();
    await otp.fault({ to: phone, notOnWhatsApp: true });
    await otp.fault({ to: phone, channel: 'sms', drop: true });
    const { id } = await otp.sent({ phone, email, channels: ['whatsapp', 'sms', 'email'] });
    await pass(WAIT_MS + 5_000);
    expect(await otp.inbox(email)).toHaveLength(1);
    const { timeline } = (await otp.read(id)).body.data;
    const messages = new Set(timeline.map((entry: { messageId: string }) => entry.messageId));
    expect(messages.size).toBe(3);

    const alone = newPerson();
    await otp.fault({ to: alone.phone, notOnWhatsApp: true });
    const last = await otp.sent({ phone: alone.phone });
    await otp.deliver();
    expect((await otp.read(last.id)).body.data).toMatchObject({
      status: 'failed',
      reason: 'PHONE_NOT_ON_WHATSAPP',
    });
  });

  test('is not used beyond the five messages that a phone gets in 10 minutes', async () => {
    const phone = newPhone();
    const { id: first } = await otp.sent({ phone });
    for (const gapMs of [30_000, 60_000, 120_000]) {
      await otp.jump(gapMs);
      expect((await otp.resend(first)).status).toBe(200);
    }
    await otp.jump(60_000);
    const { id } = await otp.sent({ phone, purpose: 'another', channels: ['whatsapp', 'sms'] });
    await otp.deliver();
    const before = await otp.inbox(phone);
    expect(before).toHaveLength(5);
    expectProblem(await next(id), 'RATE_LIMIT_EXCEEDED');
    await otp.deliver();
    expect(await otp.inbox(phone)).toEqual(before);
  });

  test('is used when it is asked for, without waiting, until none is left', async () => {
    const { phone, email } = newPerson();
    const { id } = await otp.sent({ phone, email });
    await otp.deliver();
    const moved = await next(id);
    expect(moved.status).toBe(200);
    expect(moved.body.data).toMatchObject({ id, plays: 'email', nextAt: null, messageStatus: 'queued' });
    await otp.deliver();
    expect(codeIn((await otp.inbox(email))[0]!.text)).toBe(codeIn((await otp.inbox(phone))[0]!.text));
    const none = await next(id);
    expect(expectProblem(none, 'CONFLICT').detail).toBe('No other channel is left for this verification.');
    expectProblem(await next('ver_01jd3x8zq2e6v9k5m7n0p4r8st'), 'OTP_NOT_FOUND');
  });
});

describe('a repeated send', () => {
  test('goes out on the present channel, and along another route where it names one', async () => {
    const { phone, email } = newPerson();
    const { id } = await otp.sent({ phone, email });
    await next(id);
    await otp.jump(MINUTE_MS);
    const again = await otp.send({ phone, email });
    expect(again.body.data).toMatchObject({ id, retried: true, plays: 'email' });
    await otp.jump(2 * MINUTE_MS);
    const named = await otp.send({ phone, email, channels: ['sms', 'whatsapp'] });
    expect(named.body.data).toMatchObject({
      id,
      plays: 'sms',
      route: ['whatsapp', 'email', 'sms', 'whatsapp'],
    });
  });
});

describe('an e-mail address alone', () => {
  test('is proved under the same rules, found by every spelling of it', async () => {
    const { id, route } = await otp.sent({ email: 'Ayu.Lestari@Example.com' });
    expect(route).toEqual(['email']);
    await otp.deliver();
    const [mail] = await otp.inbox('Ayu.Lestari@example.com');
    const wrong = await otp.check({ email: 'ayu.lestari@example.com', code: '000000' });
    expect(expectProblem(wrong, 'OTP_INCORRECT').attemptsRemaining).toBe(4);
    const right = await otp.check({ email: 'ayu.lestari@EXAMPLE.com', code: codeIn(mail!.text) });
    expect(right.body.data).toMatchObject({ id, email: 'Ayu.Lestari@example.com', channels: ['email'] });
    expect(right.body.data).not.toHaveProperty('phone');
    const { body } = await server.call('GET', 'otp?email=ayu.lestari@example.com');
    expect(body.data).toMatchObject([{ id, status: 'verified' }]);
  });

  test('has its own pause between two messages', async () => {
    const { email } = newPerson();
    await otp.sent({ email });
    expectProblem(
      await otp.send({ email: email.toUpperCase().replace('EXAMPLE.COM', 'example.com') }),
      'RATE_LIMIT_EXCEEDED',
    );
  });
});

test('an address beside a phone gets no more than its own limit, however many phones name it', async () => {
  const { email } = newPerson();
  for (let i = 0; i < 5; i++) {
    const { id } = await otp.sent({ phone: newPhone(), email });
    expect((await next(id)).status).toBe(200);
  }
  const { route } = await otp.sent({ phone: newPhone(), email });
  expect(route).toEqual(['whatsapp']);
  const refused = await otp.send({ phone: newPhone(), email, channel: 'email' });
  expect(expectProblem(refused, 'RATE_LIMIT_EXCEEDED').detail).toMatch(
    /^This e-mail address has got as many/,
  );
  expect(Number(refused.headers.get('retry-after'))).toBe(10 * 60);
});

test('who has opted out is reached by e-mail, and refused where that is not there', async () => {
  const { phone, email } = newPerson();
  await server.call('POST', 'opt-outs', { body: { phone }, asAdmin: true });
  expect(await otp.sent({ phone, email })).toMatchObject({ route: ['email'] });
  expectProblem(await otp.send({ phone }), 'PHONE_OPTED_OUT');
});
