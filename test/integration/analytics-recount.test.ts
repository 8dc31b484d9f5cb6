import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventFeed } from '../../src/events/feed.ts';
import { happenings, type Story, stories } from '../support/analytics-stories.ts';
import { makeProject } from '../support/keys.ts';
import { slowRecount } from '../support/slow-recount.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { QUICK_ADMIN } from '../support/verifications.ts';

/** Their clocks change on 29 March 2026 at 1:00 UTC, on 5 April at 15:00 UTC by half an hour, or never. */
const ZONES = ['UTC', 'Europe/Berlin', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'America/St_Johns'];
const BEGIN = Date.UTC(2026, 2, 27, 20);
const DAYS = 10;
const RUNS = 12;

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({
    env: { ...QUICK_ADMIN, RETENTION_DAYS_VERIFICATIONS: '0', RETENTION_DAYS_ANALYTICS: '0' },
  });
  server.clock.set(BEGIN + 12 * 86_400_000);
});
afterAll(() => server.stop());

const dates: [string, string] = ['2026-03-28', '2026-04-05'];
const [startDate, endDate] = dates;

/** Lets every event be counted: a question alone waits for a moment only. */
async function countAll() {
  const { database } = server.app;
  const feed = eventFeed(database);
  while ((await feed.heldBackSince()) !== undefined);
  const end = await feed.end();
  for (let cursor = ''; cursor !== end; ) {
    await server.call('GET', 'analytics/success-rate');
    const row = await database.reader
      .selectFrom('event_consumers')
      .select('cursor')
      .where('name', '=', 'analytics')
      .executeTakeFirst();
    cursor = row?.cursor ?? '';
  }
}

async function get(path: string, key: string) {
  const { status, body } = await server.call('GET', `analytics/${path}`, { key });
  expect(status, JSON.stringify(body)).toBe(200);
  return body.data;
}

/** Holds every figure of a project against the slow recount. */
async function expectFigures({ key, number }: { key: string; number: number }, timezone: string) {
  const slow = await slowRecount(server.app.database, number);
  const zone = `timezone=${encodeURIComponent(timezone)}`;
  for (const by of ['country', 'prefix', 'channel', 'template', 'purpose', 'hour']) {
    const { rows } = await get(`conversion?by=${by}&from=${startDate}&to=${endDate}&${zone}`, key);
    const counted = rows
      .map(({ conversion: _, ...row }: Record<string, unknown>) => row)
      .filter(({ sent, delivered, verified }: Record<string, number>) => sent! + delivered! + verified! > 0)
      .sort((a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : 1));
    expect(counted, by).toEqual(slow.conversion(by, dates, timezone));
  }
  const { dailyStats } = await get(`dashboard?days=14&${zone}`, key);
  expect(dailyStats).toHaveLength(14);
  for (const day of dailyStats) expect(day).toEqual(slow.day(day.date, timezone));

  const period = `startDate=${startDate}&endDate=${endDate}&${zone}`;
  expect(await get(`top-phones?${period}`, key)).toEqual(slow.topPhones(dates, timezone));

  const times = await get(`delivery-time?${period}`, key);
  for (const by of ['channel', 'country'] as const) {
    const recounted = slow.deliveries(by, dates, timezone);
    const counted = times[by === 'channel' ? 'byChannel' : 'byCountry'];
    expect(counted.map(({ key: name }: { key: string }) => name).sort()).toEqual(
      [...recounted.keys()].sort(),
    );
    for (const { key: name, messages, averageMs, ...percentiles } of counted) {
      const all = recounted.get(name)!;
      expect(messages).toBe(all.length);
      expect(averageMs).toBe(Math.round(all.reduce((sum, ms) => sum + ms, 0) / all.length));
      for (const [percent, given] of Object.entries(percentiles) as [string, number][]) {
        const exact = all[Math.ceil((all.length * Number(percent.slice(1, -2))) / 100) - 1]!;
        expect(given).toBeGreaterThanOrEqual(exact);
        expect(given).toBeLessThanOrEqual(Math.max(1, exact * 1.0906 + 0.5));
      }
    }
  }
}

async function rebuild() {
  const all: { rebuilt: string[]; left: string[] } = { rebuilt: [], left: [] };
  for (let from: string | null | undefined; from !== null; ) {
    const answer = await server.call('POST', 'analytics/rebuild', {
      asAdmin: true,
      body: from ? { from } : {},
    });
    expect(answer.status, answer.text).toBe(200);
    all.rebuilt.push(...answer.body.data.rebuilt);
    all.left.push(...answer.body.data.left);
    from = answer.body.data.next;
  }
  return all;
}

const cases = fc.record({
  told: stories(DAYS),
  cuts: fc.array(fc.nat(1_000), { maxLength: 3 }),
  timezone: fc.constantFrom(...ZONES),
});

test('every figure equals a slow recount of the rows, whenever the events were counted, and after a rebuild', async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ({ told, cuts, timezone }) => {
      const project = await makeProject(server);
      const happening = happenings(server.app.database, project.number, told as Story[], BEGIN);
      const { times } = happening;
      for (const at of cuts.map((cut) => times[cut % times.length]!).sort((a, b) => a - b)) {
        await happening.until(at);
        await countAll();
      }
      await happening.until(Number.POSITIVE_INFINITY);
      await countAll();
      await expectFigures(project, timezone);
      expect((await rebuild()).left).toEqual([]);
      await expectFigures(project, timezone);
    }),
    { numRuns: RUNS, endOnFailure: true },
  );
}, 180_000);
