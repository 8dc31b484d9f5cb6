import { afterAll, beforeAll, expect, test } from 'vitest';
import { seeded } from '../../bench/seeded.js';
import type { Fault } from '../../src/channels/simulator/faults.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const PEOPLE = 1_000;
const CHANNELS = ['whatsapp', 'sms', 'email'] as const;
const WAIT_MS = 25_000;
const LIFE_MS = 5 * 60_000;
const SLOW_MS = 20_000;
/** Sends a second. With many more, those that are slow would take all the room of the virtual phone. */
const RATE = 10;

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: { ...QUICK_ADMIN, SENDS_PER_PREFIX: '0' } });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

/** The same faults each time: a fifth of the channels refuses, a fifth drops, a fifth is slow. */
const random = seeded(13);
function nextFault(): Partial<Fault> & { works: boolean; cause: string } {
  const chance = random(5);
  if (chance === 0) return { refuse: true, works: false, cause: 'refused' };
  if (chance === 1) return { drop: true, works: false, cause: 'dropped' };
  return chance === 2 ? { delayMs: SLOW_MS, works: true, cause: 'slow' } : { works: true, cause: 'at once' };
}

/** In 95 of 100 waits no longer than this, in whole seconds. */
const p95Seconds = (waitsMs: readonly number[]) =>
  Math.ceil(waitsMs.toSorted((a, b) => a - b)[Math.ceil(waitsMs.length * 0.95) - 1]! / 1_000);

/** From acceptance to readable, by what went wrong on the way, one channel after the other. */
const P95_SECONDS = {
  'at once': 1,
  slow: 21,
  'dropped, at once': 26,
  'refused, at once': 1,
  'dropped, slow': 46,
  'refused, slow': 21,
  'dropped, dropped, at once': 51,
  'dropped, refused, at once': 26,
  'refused, dropped, at once': 26,
  'refused, refused, at once': 1,
  'dropped, dropped, slow': 71,
  'dropped, refused, slow': 46,
  'refused, dropped, slow': 46,
  'refused, refused, slow': 21,
};

test('whoever some channel works for has a readable code while it lives, and gets nothing after the check', async () => {
  const people = [];
  for (let i = 0; i < PEOPLE; i++) {
    const phone = newPhone();
    const email = `person${i}@example.com`;
    const works: boolean[] = [];
    const causes: string[] = [];
    for (const channel of CHANNELS) {
      const { works: isFine, cause, ...fault } = nextFault();
      if (!works.includes(true)) causes.push(cause);
      works.push(isFine);
      const to = channel === 'email' ? email : phone;
      if (Object.keys(fault).length > 0) await otp.fault({ to, channel, ...fault });
    }
    const { id } = await otp.sent({ phone, email, channels: CHANNELS });
    people.push({
      id,
      phone,
      email,
      works,
      cause: causes.join(', '),
      sentAt: server.clock.now(),
      readableAt: 0,
    });
    if (i % RATE === RATE - 1) await server.clock.advance(1_000);
  }
  const { reader } = server.app.database;
  const arrivals = async () =>
    reader
      .selectFrom('simulator_messages')
      .innerJoin('messages', 'messages.id', 'simulator_messages.message_id')
      .select(['owner_id', 'simulator_messages.at'])
      .execute();
  for (let passed = 0; passed < LIFE_MS - 10_000; passed += 1_000) await server.clock.advance(1_000);
  for (const { owner_id, at } of await arrivals()) {
    const person = people.find(({ id }) => id === owner_id)!;
    person.readableAt = person.readableAt === 0 ? at : Math.min(person.readableAt, at);
  }

  const unreached = people.filter(({ works, readableAt }) => works.some(Boolean) && readableAt === 0);
  expect(unreached).toEqual([]);
  for (const { works, sentAt, readableAt } of people) {
    if (works.some(Boolean)) expect(readableAt - sentAt).toBeLessThan(LIFE_MS);
    else expect(readableAt).toBe(0);
  }
  const waits: Record<string, number[]> = {};
  for (const { cause, works, sentAt, readableAt } of people) {
    if (works.some(Boolean)) waits[cause] = [...(waits[cause] ?? []), readableAt - sentAt];
  }
  expect(Object.fromEntries(Object.entries(waits).map(([cause, ms]) => [cause, p95Seconds(ms)]))).toEqual(
    P95_SECONDS,
  );
  const sends = await reader.selectFrom('verifications').select(['id', 'sends', 'step']).execute();
  for (const { sends: list, step } of sends) {
    const count = JSON.parse(list).length;
    expect(count).toBeLessThanOrEqual(CHANNELS.length);
    expect(count).toBe(step + 1);
  }

  const before = (await arrivals()).length;
  for (const { id } of people) await otp.cancel(id);
  for (let passed = 0; passed < 2 * WAIT_MS; passed += 1_000) await server.clock.advance(1_000);
  expect((await arrivals()).length).toBe(before);
}, 180_000);
