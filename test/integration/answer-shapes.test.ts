import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { z } from 'zod';
import { type OpenApi, operationOf, type ServedRoutes, startDocumentedApp } from '../support/openapi.ts';
import type { Answer, CallOptions, TestApp } from '../support/test-app.ts';
import { newPhone, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let document: OpenApi;
let served: ServedRoutes;
beforeAll(async () => {
  ({ server, document, served } = await startDocumentedApp());
});
afterAll(() => server.stop());

describe('an answer has the shape that its route declares, and not a field more', () => {
  const HEADERS = ['X-Request-Id', 'RateLimit', 'RateLimit-Policy', 'Retry-After', 'Idempotency-Replayed'];

  /** Makes a call and holds the answer against what its route declares for its status: schema, code and headers. */
  async function call(
    route: string,
    status: number,
    path: string,
    options: CallOptions = {},
  ): Promise<Answer> {
    const answer = await server.call(route.split(' ')[0]!, path, options);
    expect(answer.status, answer.text).toBe(status);
    const responses = served.get(route)?.schema?.response as Record<number, z.ZodType> | undefined;
    const schema = responses?.[status];
    expect(schema, `${route} declares ${status}`).toBeDefined();
    expect(schema?.parse(answer.body)).toEqual(answer.body);
    const { description, headers = {} } = operationOf(document, route).responses[status]!;
    if (status >= 400) expect(description, route).toContain(`${answer.body.code}: `);
    for (const name of HEADERS) {
      if (answer.headers.has(name)) expect(Object.keys(headers), `${route} ${status}`).toContain(name);
    }
    return answer;
  }

  test('of verifications', async () => {
    const otp = verificationsOf(server);
    const phone = newPhone();
    const body = { phone, code: '482913', message: 'Use {{code}}.', metadata: { order: 7 } };
    const sent = await call('POST /api/v1/otp/send', 201, 'otp/send', { body });
    const { id } = sent.body.data;
    await call('POST /api/v1/otp/send', 429, 'otp/send', { body });
    await call('POST /api/v1/otp/send', 400, 'otp/send', { body: { phone: '1' } });
    await otp.jump(30_000);
    await call('POST /api/v1/otp/send', 200, 'otp/send', { body });
    await otp.jump(60_000);
    await call('POST /api/v1/otp/:id/resend', 200, `otp/${id}/resend`);
    await call('POST /api/v1/otp/:id/resend', 429, `otp/${id}/resend`);
    await otp.deliver();
    await call('POST /api/v1/otp/verify', 422, 'otp/verify', { body: { id, code: '000000' } });
    await call('GET /api/v1/otp/:id', 200, `otp/${id}`);
    await call('POST /api/v1/otp/verify', 200, 'otp/verify', { body: { id, code: '482913' } });
    await call('POST /api/v1/otp/verify', 404, 'otp/verify', { body: { id, code: '482913' } });
    await call('GET /api/v1/otp/:id', 200, `otp/${id}`);
    await call('GET /api/v1/otp/:id', 404, 'otp/ver_01jd3x8zq2e6v9k5m7n0p4r8st');
    await call('GET /api/v1/otp', 200, 'otp?limit=1');
    await call('GET /api/v1/otp', 403, 'otp?phone=%2B19005550123');
    await call('GET /api/v1/otp/status', 200, 'otp/status');

    const canceled = await otp.sent({ phone: newPhone() });
    await call('POST /api/v1/otp/:id/cancel', 200, `otp/${canceled.id}/cancel`);
    const expired = await otp.sent({ phone: newPhone(), code: '482913', message: '{{code}}' });
    await otp.jump(5 * 60_000);
    await call('POST /api/v1/otp/verify', 410, 'otp/verify', { body: { id: expired.id, code: '482913' } });
    await call('POST /api/v1/otp/:id/cancel', 410, `otp/${expired.id}/cancel`);
    await call('GET /api/v1/otp', 200, 'otp?status=expired');
  });

  test('of schedules', async () => {
    const otp = verificationsOf(server);
    const scheduledTime = new Date(server.clock.now() + 60_000).toISOString();
    const body = { phone: newPhone(), scheduledTime, metadata: { order: 7 } };
    const route = 'POST /api/v1/scheduler/schedule';
    const { id } = (await call(route, 201, 'scheduler/schedule', { body })).body.data;
    const { id: other } = (await call(route, 201, 'scheduler/schedule', { body })).body.data;
    await call(route, 400, 'scheduler/schedule', { body: { phone: '1', scheduledTime } });
    await call(route, 403, 'scheduler/schedule', { body: { phone: '+19005550123', scheduledTime } });
    const change = { body: { maxAttempts: 2 } };
    await call('PUT /api/v1/scheduler/:id', 200, `scheduler/${id}`, change);
    await call('GET /api/v1/scheduler/:id', 200, `scheduler/${id}`);
    await call('GET /api/v1/scheduler/list', 200, 'scheduler/list?status=pending');
    await call('DELETE /api/v1/scheduler/cancel/:id', 200, `scheduler/cancel/${other}`);
    await call('PUT /api/v1/scheduler/:id', 409, `scheduler/${other}`, change);
    await otp.jump(60_000);
    await call('GET /api/v1/scheduler/:id', 200, `scheduler/${id}`);
    await call('DELETE /api/v1/scheduler/cancel/:id', 409, `scheduler/cancel/${id}`);
    await call('GET /api/v1/scheduler/:id', 404, 'scheduler/sch_01jd3x8zq2e6v9k5m7n0p4r8st');
    await call('GET /api/v1/scheduler/list', 200, 'scheduler/list');
    await call('GET /api/v1/scheduler/list', 400, 'scheduler/list?status=none');
  });

  test('of keys', async () => {
    const body = {
      name: 'shape',
      permissions: ['otp:read'],
      rateLimit: 9,
      expiresAt: new Date(server.clock.now() + 1_000).toISOString(),
    };
    const made = await call('POST /api/v1/keys', 201, 'keys', { body });
    await call('POST /api/v1/keys', 403, 'keys', { body, key: made.body.data.key });
    await call('POST /api/v1/keys', 401, 'keys', { body, key: null });
    await call('POST /api/v1/keys', 400, 'keys', { body: {} });
    await call('GET /api/v1/keys', 200, 'keys');
    await call('DELETE /api/v1/keys/:id', 200, `keys/${made.body.data.id}`);
    await call('DELETE /api/v1/keys/:id', 404, `keys/${made.body.data.id}`);
    const route = 'POST /api/admin/generate-token';
    const repeated = { asAdmin: true, headers: { 'idempotency-key': 'once' } };
    await call(route, 200, '/api/admin/generate-token', repeated);
    const { headers } = await call(route, 200, '/api/admin/generate-token', repeated);
    expect(headers.get('idempotency-replayed')).toBe('true');
    await call(route, 422, '/api/admin/generate-token', { ...repeated, body: {} });
    await call(route, 403, '/api/admin/generate-token');
  });

  test('of the virtual phone, limits and health', async () => {
    const asAdmin = true;
    await verificationsOf(server).sent({ phone: '+6281299999999' });
    await verificationsOf(server).deliver();
    await call('GET /api/v1/simulator/messages', 200, 'simulator/messages?limit=2', { asAdmin });
    await call('GET /api/v1/simulator/messages', 403, 'simulator/messages?to=%2B19005550123', { asAdmin });
    const refused = { to: '+19005550123' };
    await call('PUT /api/v1/simulator/faults', 403, 'simulator/faults', { asAdmin, body: refused });
    const body = { to: '+6281299999999', channel: 'whatsapp', delayMs: 0 };
    await call('PUT /api/v1/simulator/faults', 200, 'simulator/faults', { asAdmin, body });
    await call('GET /api/v1/limits/:phone', 200, 'limits/+6281299999999', { asAdmin });
    await call('GET /api/v1/limits/:phone', 400, 'limits/12', { asAdmin });
    await call('DELETE /api/v1/limits/:phone', 200, 'limits/+6281299999999', { asAdmin });
    await call('POST /api/v1/database/demo-data', 201, 'database/demo-data', { asAdmin, body: { count: 5 } });
    for (const name of ['', '/live', '/ready', '/metrics']) {
      await call(`GET /api/v1/health${name}`, 200, `health${name}`);
    }
  });

  test('of the import from v3', async () => {
    const logs = [{ at: '2025-06-01T08:30:00.000Z', action: 'otp_sent', phone: '+*********6034' }];
    const body = { tokens: [{ hash: '0'.repeat(64) }], logs };
    const route = 'POST /api/v1/migrate/v3';
    await call(route, 200, 'migrate/v3', { asAdmin: true, body });
    await call(route, 400, 'migrate/v3', { asAdmin: true, body: { tokens: ['x'] } });
    await call(route, 403, 'migrate/v3', { body });
  });

  test('of the session', async () => {
    const wrong = { key: null, body: { password: 'wrong' } };
    await call('POST /api/v1/session', 401, 'session', wrong);
    const right = { key: null, body: { password: server.adminPassword } };
    const { headers, body } = await call('POST /api/v1/session', 200, 'session', right);
    const cookie = headers.getSetCookie()[0]!.split(';')[0]!;
    const accompanied = { cookie, 'x-session-secret': body.data.secret, origin: server.address };
    const signedIn = { key: null, headers: accompanied };
    await call('GET /api/v1/session', 200, 'session', signedIn);
    await call('POST /api/v1/session/ticket', 201, 'session/ticket', signedIn);
    await call('DELETE /api/v1/session', 200, 'session', signedIn);
    await call('GET /api/v1/session', 401, 'session', signedIn);
  });
});
