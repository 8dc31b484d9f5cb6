import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { DAY_MS, expectOneEventPerChange, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const COUNT = 600;

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({ env: { ...QUICK_ADMIN, RETENTION_DAYS_VERIFICATIONS: '0' } });
  const answer = await server.call('POST', 'database/demo-data', { asAdmin: true, body: { count: COUNT } });
  expect(answer.status).toBe(201);
  expect(answer.body.data.verifications).toBe(COUNT);
});
afterAll(() => server.stop());

const all = () => server.app.database.reader.selectFrom('verifications').selectAll().execute();

describe('demo data', () => {
  test('shows every state of a verification and several countries', async () => {
    const rows = await all();
    expect(new Set(rows.map(({ status }) => status))).toEqual(
      new Set(['pending', 'verified', 'expired', 'canceled', 'max_attempts_reached', 'failed']),
    );
    expect(new Set(rows.map(({ phone }) => phone!.slice(0, 3))).size).toBeGreaterThanOrEqual(5);
    expect(rows.every(({ metadata }) => metadata === '{"demo":true}')).toBe(true);
  });

  test('spreads over two weeks, and over more of the day than of the night', async () => {
    const now = server.clock.now();
    const ages = (await all()).map(({ created_at }) => now - created_at);
    expect(Math.min(...ages)).toBeGreaterThan(0);
    expect(Math.max(...ages)).toBeLessThanOrEqual(14 * DAY_MS + DAY_MS);
    expect(new Set(ages.map((age) => Math.floor(age / DAY_MS))).size).toBeGreaterThanOrEqual(13);
    const indonesian = (await all()).filter(({ phone }) => phone!.startsWith('+62'));
    const hours = indonesian.map(({ created_at }) => new Date(created_at + 7 * 3_600_000).getUTCHours());
    const evening = hours.filter((hour) => hour >= 18 && hour < 22).length;
    const night = hours.filter((hour) => hour >= 1 && hour < 5).length;
    expect(evening).toBeGreaterThan(4 * night);
  });

  test('is as consistent as what really happened: an event for each change, in the order of time', async () => {
    await expectOneEventPerChange(server);
    const events = await server.app.database.reader.selectFrom('events').selectAll().orderBy('seq').execute();
    for (const id of new Set(events.map((event) => event.subject))) {
      const times = events.filter((event) => event.subject === id).map(({ at }) => at);
      expect(times).toEqual([...times].sort((a, b) => a - b));
    }
  });

  test('is read by every list and by its own address', async () => {
    const { body } = await server.call('GET', 'otp?limit=200');
    expect(body.data).toHaveLength(200);
    for (const { id } of body.data.slice(0, 20)) {
      const one = await server.call('GET', `otp/${id}`);
      expect(one.status).toBe(200);
      expect(one.body.data.timeline.length).toBeGreaterThanOrEqual(3);
    }
  });

  test('holds codes only where they are pending, and those end like any other', async () => {
    const sealed = async () =>
      (await server.app.database.reader.selectFrom('verifications').select('sealed_code').execute()).filter(
        ({ sealed_code }) => sealed_code !== null,
      ).length;
    const pending = (await all()).filter(({ status }) => status === 'pending');
    expect(pending.length).toBe(COUNT / 50);
    expect(await sealed()).toBe(pending.length);
    const { check, jump } = verificationsOf(server);
    expect((await check({ id: pending[0]!.id, code: 'nocode' })).status).toBe(422);
    await jump(5 * 60_000);
    await server.clock.advance(1_000);
    expect((await all()).filter(({ status }) => status === 'pending')).toEqual([]);
    expect(await sealed()).toBe(0);
    await expectOneEventPerChange(server);
  });

  test('takes an administrator and a sensible number', async () => {
    const body = { count: 1 };
    expect((await server.call('POST', 'database/demo-data', { body })).status).toBe(403);
    for (const count of [0, 1_001, 1.5, '5', undefined]) {
      const answer = await server.call('POST', 'database/demo-data', { asAdmin: true, body: { count } });
      expect(answer.status).toBe(400);
    }
  });

  test('does not exist in production', async () => {
    const production = await startTestApp({
      env: {
        ...QUICK_ADMIN,
        NODE_ENV: 'production',
        DB_MASTER_KEY: 'a key of the tests, long enough by far',
      },
    });
    try {
      const answer = await production.call('POST', 'database/demo-data', {
        asAdmin: true,
        body: { count: 1 },
      });
      expect(answer.status).toBe(404);
    } finally {
      await production.stop();
    }
  });

  test('is not made again by a request that is repeated with its Idempotency-Key', async () => {
    const make = () =>
      server.call('POST', 'database/demo-data', {
        asAdmin: true,
        body: { count: 1 },
        headers: { 'idempotency-key': 'one-more' },
      });
    const first = await make();
    const count = (await all()).length;
    const again = await make();
    expect([again.status, again.text]).toEqual([201, first.text]);
    expect(await all()).toHaveLength(count);
  });
});
