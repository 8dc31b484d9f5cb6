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

  test('creates, lists, changes and deletes templates with the documented bodies', async () => {
    const wanted = {
      code: 'welcome_otp',
      name: 'Welcome',
      content: 'Welcome {{name}}! Your code is {{code}}. Valid for {{expiry}} minutes.',
      language: 'en',
      variables: ['name', 'code', 'expiry'],
    };
    const made = await server.call('POST', 'templates', { body: wanted });
    expect(made.body.data).toMatchObject({ ...wanted, usageCount: 0, isActive: true });
    const { id } = made.body.data;
    const listed = await server.call('GET', 'templates?limit=200');
    expect(listed.body.data.map((found: { code: string }) => found.code)).toContain('welcome_otp');
    const content = 'Hello {{name}}, {{code}}';
    const changed = await server.call('PUT', `templates/${id}`, { body: { content, isActive: false } });
    expect(changed.body.data).toMatchObject({ content, variables: ['name', 'code'], isActive: false });
    expect((await server.call('DELETE', `templates/${id}`)).body.data).toEqual({ id });
  });

  test('sends one text to many and follows it', async () => {
    const body = {
      recipients: [
        { phone: v3Phone(), code: '482913', name: 'Ayu' },
        { phone: v3Phone(), code: '731846', name: 'Budi' },
      ],
      template: 'Hello {{name}}, your code is {{code}}',
      metadata: { campaign: 'spring' },
    };
    const sent = await server.call('POST', 'bulk/send', { body });
    expect(sent.status).toBe(202);
    const { bulkId } = sent.body.data;
    expect(sent.body.data).toMatchObject({ bulkId, status: 'processing', total: 2 });
    await server.clock.advance(5_000);
    const { body: status } = await server.call('GET', `bulk/status/${bulkId}`);
    expect(status.data).toMatchObject({
      bulkId,
      status: 'completed',
      total: 2,
      processed: 2,
      successful: 2,
      failed: 0,
      progress: '100.00',
      createdAt: expect.any(String),
      completedAt: expect.any(String),
    });
    const { phone, code } = body.recipients[0]!;
    expect((await otp.check({ phone, code })).body.data).toMatchObject({ valid: true });
  });

  test('reads the figures under their old names', async () => {
    const rate = { total: expect.any(Number), successful: expect.any(Number), failed: expect.any(Number) };
    const { body: all } = await server.call('GET', 'analytics/dashboard?days=7');
    expect(all.data).toMatchObject({
      dailyStats: expect.arrayContaining([{ date: '2026-01-15', ...rate }]),
      topPhones: expect.any(Array),
      successRate: { ...rate, successRate: expect.stringMatching(/^\d+\.\d\d$/) },
      averageDeliveryTime: expect.stringMatching(/^\d+\.\d\ds$/),
      period: '7 days',
    });
    const between = 'startDate=2026-01-01&endDate=2026-01-31';
    const { body: part } = await server.call('GET', `analytics/success-rate?${between}`);
    expect(part.data).toMatchObject(rate);
    expect((await server.call('GET', `analytics/delivery-time?${between}`)).status).toBe(200);
    const { body: top } = await server.call('GET', 'analytics/top-phones?limit=10');
    expect(top.data[0]).toMatchObject({ phone: expect.any(String), count: expect.any(Number) });
  });

  test('reads the last entries of the log as an administrator', async () => {
    const { status, body } = await server.call('GET', '/api/admin/logs', { asAdmin: true });
    expect(status).toBe(200);
    expect(body.data.length).toBeGreaterThan(5);
    expect(body.data[0]).toMatchObject({ action: expect.any(String), timestamp: expect.any(String) });
  });

  test('asks for health and metrics without a key', async () => {
    const { body: health } = await server.call('GET', 'health', { key: null });
    expect(health).toMatchObject({
      status: 'healthy',
      timestamp: expect.any(String),
      uptime: expect.any(Number),
      checks: {
        whatsapp: { status: 'healthy', connected: false },
        database: { status: 'healthy' },
        memory: { heapUsed: expect.anything(), heapTotal: expect.anything() },
        disk: { status: expect.any(String) },
      },
    });
    expect((await server.call('GET', 'health/metrics', { key: null })).status).toBe(200);
  });
});
