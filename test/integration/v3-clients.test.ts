import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
let token: string;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
  const { status, body } = await server.call('POST', '/api/admin/generate-token', { asAdmin: true });
  expect(status).toBe(200);
  token = body.token;
});
afterAll(() => server.stop());

/** A phone as v3's clients write it: digits without plus. */
let phonesMade = 0;
const v3Phone = () => `62838349460${String(10 + phonesMade++)}`;

/** What v3's documentation shows of `POST /otp/send`. */
const v3Send = (phone: string) => ({
  phone,
  message: 'Your verification code is 123456',
  code: '123456',
  expiryMinutes: 5,
});

describe('a client of version 3', () => {
  test('gets a token that stands at the top of the answer, as it did', async () => {
    const { status, body } = await server.call('POST', '/api/admin/generate-token', { asAdmin: true });
    expect(status).toBe(200);
    expect(body).toEqual({
      success: true,
      token: expect.stringMatching(/^otp_[0-9a-f]{64}$/),
      message: expect.any(String),
    });
  });

  test('sends with its token and the documented body', async () => {
    const phone = v3Phone();
    const { status, body } = await otp.send(v3Send(phone), { key: token });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      success: true,
      data: { messageId: expect.any(String), phone: `+${phone}` },
    });
    await otp.deliver();
    expect(await otp.inbox(phone)).toMatchObject([{ text: 'Your verification code is 123456' }]);
  });

  test('verifies by phone and code', async () => {
    const phone = v3Phone();
    await otp.send(v3Send(phone), { key: token });
    const { status, body } = await otp.check({ phone, code: '123456' }, { key: token });
    expect(status).toBe(200);
    expect(body).toMatchObject({ success: true, data: { valid: true } });
  });

  test('is told of a wrong code with success: false and an error', async () => {
    const phone = v3Phone();
    await otp.send(v3Send(phone), { key: token });
    const { status, body } = await otp.check({ phone, code: '654321' }, { key: token });
    expect(status).toBe(422);
    expect(body).toMatchObject({ success: false, code: 'OTP_INCORRECT', error: expect.any(String) });
    expect(body).not.toHaveProperty('data');
  });

  test.each([
    ['no code: the first 4 to 8 digits of the message', { message: 'Code 48151623 (5 min)' }, '48151623'],
    ['a code of four digits', { message: 'Kode: 4815', code: '4815' }, '4815'],
    ['a code of eight letters and digits', { message: 'Kode: aB3dE6gH', code: 'aB3dE6gH' }, 'aB3dE6gH'],
  ])('may send %s', async (_what, body, code) => {
    const phone = v3Phone();
    expect((await otp.send({ phone, ...body }, { key: token })).status).toBe(201);
    expect((await otp.check({ phone, code }, { key: token })).status).toBe(200);
  });

  test('may send again while a code is pending, and the code it was given still verifies', async () => {
    const phone = v3Phone();
    await otp.send(v3Send(phone), { key: token });
    await otp.jump(30_000);
    expect((await otp.send(v3Send(phone), { key: token })).status).toBe(200);
    expect((await otp.check({ phone, code: '123456' }, { key: token })).status).toBe(200);
  });

  test('is refused more than ten minutes of life, with the reason', async () => {
    const { status, body } = await otp.send({ ...v3Send(v3Phone()), expiryMinutes: 60 }, { key: token });
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'VALIDATION_ERROR', errors: [{ path: 'expiryMinutes' }] });
    expect(body.errors[0].message).toContain('OTP_MAX_EXPIRY_MINUTES');
  });

  test('is told its limits by the old headers too', async () => {
    const { headers } = await otp.send(v3Send(v3Phone()), { key: token });
    expect(headers.get('x-ratelimit-limit')).toBe('10000');
    expect(Number(headers.get('x-ratelimit-remaining'))).toBeLessThan(10_000);
    const reset = Number(headers.get('x-ratelimit-reset')) * 1000;
    expect(reset).toBeGreaterThan(server.clock.now());
    expect(reset).toBeLessThanOrEqual(server.clock.now() + 3_600_000 + 1000);
  });

  test('asks for the link to WhatsApp', async () => {
    const { status, body } = await server.call('GET', 'otp/status', { key: token });
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ connected: false, uptime: expect.any(Number) });
  });

  test('schedules, lists and cancels with the documented bodies, by a key that may', async () => {
    const phone = v3Phone();
    const scheduledTime = new Date(server.clock.now() + 3_600_000).toISOString();
    const body = { ...v3Send(phone), scheduledTime, maxAttempts: 3 };
    const made = await server.call('POST', 'scheduler/schedule', { body });
    expect(made.status).toBe(201);
    const { id } = made.body.data;
    const schedule = { id, phone: `+${phone}`, scheduledTime, status: 'pending' };
    expect(made.body).toMatchObject({ success: true, data: schedule });
    const listed = await server.call('GET', 'scheduler/list');
    expect(listed.body.data).toMatchObject([{ ...schedule, attempts: 0, maxAttempts: 3 }]);
    expect((await server.call('DELETE', `scheduler/cancel/${id}`)).body).toEqual({
      success: true,
      data: { id },
    });
    expect((await server.call('GET', 'scheduler/list?status=canceled')).body.data).toMatchObject([{ id }]);
  });

  test('makes and lists keys as an administrator with the documented bodies', async () => {
    const permissions = ['otp:send', 'otp:verify', 'analytics:read'];
    const wanted = { name: 'Shop', permissions, rateLimit: 1000 };
    const made = await server.call('POST', 'keys', { body: wanted, asAdmin: true });
    expect(made.body.data).toMatchObject({ ...wanted, key: expect.stringMatching(/^wotp_[0-9a-f]{64}$/) });
    const { key, id } = made.body.data;
    const phone = v3Phone();
    expect((await otp.send(v3Send(phone), { key })).headers.get('x-ratelimit-limit')).toBe('1000');
    const listed = await server.call('GET', 'keys', { asAdmin: true });
    expect(listed.body.data.find((found: { id: string }) => found.id === id)).toMatchObject({
      ...wanted,
      keyPreview: `wotp_...${key.slice(-8)}`,
      usageCount: 1,
    });
    expect((await server.call('DELETE', `keys/${id}`, { asAdmin: true })).body.data).toEqual({ id });
    expect((await otp.check({ phone, code: '123456' }, { key })).status).toBe(401);
  });
});
