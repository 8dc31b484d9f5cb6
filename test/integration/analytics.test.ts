import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeKey, makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { settledEvents } from '../support/settled-events.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const CODE = '481516';
const DAY_MS = 86_400_000;

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
let project: Awaited<ReturnType<typeof makeProject>>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());
beforeEach(async () => {
  await otp.fault({});
  project = await makeProject(server);
});

/** The answer, once all that happened is counted. */
async function get(path: string, key = project.key) {
  await settledEvents(server);
  await server.clock.advance(10_000);
  return server.call('GET', `analytics/${path}`, { key });
}
const figures = async (path: string, key = project.key) => (await get(path, key)).body.data;

const send = (to = newPhone()) => otp.sent({ phone: to, code: CODE, purpose: 'login' }, { key: project.key });

describe('the figures of a project', () => {
  test('are those of its messages and verifications', async () => {
    const [first] = [await send(), await send(), await send()];
    await otp.deliver();
    await otp.check({ id: first!.id, code: CODE }, { key: project.key });
    const dashboard = await figures('dashboard');
    expect(dashboard.dailyStats).toHaveLength(7);
    expect(dashboard.dailyStats.at(-1)).toEqual({ date: '2026-01-15', total: 3, successful: 3, failed: 0 });
    expect(dashboard.successRate).toEqual({ total: 3, successful: 3, failed: 0, successRate: '100.00' });
    expect(dashboard.period).toBe('7 days');
    expect(dashboard.averageDeliveryTime).toMatch(/^0\.[3-9]\ds$/);
    expect(await figures('success-rate')).toEqual(dashboard.successRate);
    const conversion = { sent: 3, delivered: 3, verified: 1, conversion: 0.3333 };
    for (const [by, key] of Object.entries({ country: 'ID', purpose: 'login', channel: 'simulator' }))
      expect((await figures(`conversion?by=${by}`)).rows, by).toEqual([{ key, ...conversion }]);
    const { rows } = await figures('conversion?by=hour&timezone=Asia/Jakarta');
    expect(rows).toHaveLength(24);
    expect(rows[19]).toEqual({ key: '19', ...conversion });
    const { byChannel, byCountry, p50Ms } = await figures('delivery-time');
    expect([byChannel.length, byChannel[0].key, byCountry[0].key]).toEqual([1, 'simulator', 'ID']);
    expect(p50Ms).toBeGreaterThanOrEqual(300);
  });

  test('count a failed message, and a code that could not be delivered as not sent', async () => {
    const phone = newPhone();
    await otp.fault({ to: phone, notOnWhatsApp: true });
    await send(phone);
    await otp.deliver();
    expect(await figures('success-rate')).toEqual({
      total: 1,
      successful: 0,
      failed: 1,
      successRate: '0.00',
    });
    expect((await figures('conversion')).rows).toEqual([]);
  });

  test('count a verification once however often its code is sent', async () => {
    const { id } = await send();
    await server.clock.advance(31_000);
    await otp.resend(id, { key: project.key });
    await otp.deliver();
    expect(await figures('success-rate')).toMatchObject({ total: 2, successful: 2 });
    expect((await figures('conversion')).rows).toMatchObject([{ key: 'ID', sent: 1, delivered: 1 }]);
  });

  test('are never those of another project', async () => {
    await send();
    const other = await makeProject(server);
    for (const path of ['success-rate', 'dashboard', 'delivery-time', 'top-phones', 'conversion']) {
      const text = JSON.stringify(await figures(path, other.key));
      expect(text, path).not.toMatch(/"(total|messages|count|sent)":[1-9]/);
    }
  });

  test('name phones in full only to keys that may read the log', async () => {
    const phone = newPhone();
    await send(phone);
    const { key } = await makeKey(server, ['analytics:read'], { projectId: project.number });
    expect(await figures('top-phones')).toEqual([{ phone, count: 1 }]);
    const [masked] = await figures('top-phones', key);
    expect(masked.phone).not.toContain(phone.slice(-8, -4));
    expect((await figures('dashboard', key)).topPhones).toEqual([masked]);
    const { text } = await get('top-phones?format=csv', key);
    expect(text).not.toContain(phone);
  });

  test('stay when verifications are deleted, but for the phones', async () => {
    await send();
    await otp.deliver();
    await figures('success-rate');
    await otp.jump(40 * DAY_MS);
    // The retention runs every ten minutes.
    await server.clock.advance(11 * 60_000);
    const period = 'startDate=2026-01-01&endDate=2026-02-01';
    expect(await figures(`success-rate?${period}`)).toMatchObject({ total: 1 });
    expect(await figures(`top-phones?${period}`)).toEqual([]);
    const { body } = await server.call('POST', 'analytics/rebuild', { asAdmin: true, body: {} });
    expect(body.data.rebuilt).not.toContain('2026-01-15');
    expect(await figures(`success-rate?${period}`)).toMatchObject({ total: 1 });
  }, 60_000);
});

describe('CSV', () => {
  test('is a file whose cells no spreadsheet takes for formulas', async () => {
    await send();
    await otp.deliver();
    const answer = await get('conversion?by=prefix&format=csv');
    expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="conversion.csv"');
    expect(answer.text).toMatch(/^key,sent,delivered,verified,conversion\r\n'\+62812\d,1,1,0,0\r\n$/);
  });

  test.each(['dashboard', 'success-rate', 'delivery-time', 'top-phones', 'conversion'])(
    'is there for %s',
    async (path) => {
      await send();
      await otp.deliver();
      const { status, text } = await get(`${path}?format=csv`);
      expect(status).toBe(200);
      expect(text.split('\r\n').length).toBeGreaterThanOrEqual(3);
    },
  );
});

describe('a question', () => {
  test.each([
    ['conversion?by=weather', 'by'],
    ['conversion?timezone=Mars/Base', 'timezone'],
    ['conversion?from=yesterday', 'from'],
    ['conversion?from=2026-02-30', 'from'],
    ['conversion?from=2026-01-15&to=2026-01-01', 'from'],
    ['conversion?from=1990-01-01', 'from'],
    ['dashboard?days=0', 'days'],
    ['dashboard?days=367', 'days'],
    ['top-phones?limit=101', 'limit'],
    ['success-rate?from=2026-01-01', 'from'],
  ])('%s is refused, and the field is named', async (path, field) => {
    const answer = await get(path);
    expectProblem(answer, 'VALIDATION_ERROR');
    expect(JSON.stringify(answer.body)).toContain(field);
  });

  test('needs analytics:read', async () => {
    const { key } = await makeKey(server, ['otp:send']);
    expectProblem(await get('conversion', key), 'FORBIDDEN');
    expectProblem(
      await server.call('POST', 'analytics/rebuild', { key: project.key, body: {} }),
      'FORBIDDEN',
    );
  });
});
