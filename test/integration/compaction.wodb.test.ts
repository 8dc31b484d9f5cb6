import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const asAdmin = true;

let server: TestApp;
beforeAll(async () => {
  const env = { ...QUICK_ADMIN, RETENTION_DAYS_VERIFICATIONS: '1', RETENTION_DAYS_EVENTS: '1' };
  // The pauses of a compaction take real time.
  server = await startTestApp({ env, clock: systemClock() });
  await server.call('POST', 'database/demo-data', { asAdmin, body: { count: 1_000 } });
});
afterAll(() => server.stop());

/** Compacts step by step to the end; resolves to what the steps answered. */
async function compact() {
  const steps = [];
  for (;;) {
    const { status, body } = await server.call('POST', 'database/compact', { asAdmin });
    expect(status).toBe(200);
    steps.push(body.data);
    if (body.data.done) return steps;
  }
}

describe('compacting a server that runs', () => {
  test('deletes what is over and makes the file smaller, while sends are answered', async () => {
    const { send, sent } = verificationsOf(server);
    const { id } = await sent({ phone: newPhone() });
    const file = join(server.dir, 'wotp.wodb');
    let isDone = false;
    const load = (async () => {
      const statuses = [];
      // Few enough that what they write is small beside what is deleted, however long that takes.
      while (!isDone && statuses.length < 100) statuses.push((await send({ phone: newPhone() })).status);
      return statuses;
    })();
    const steps = await compact();
    isDone = true;
    const statuses = await load;
    expect(statuses.length).toBeGreaterThan(5);
    expect(new Set(statuses)).toEqual(new Set([201]));

    const purged = steps.reduce((sum, step) => sum + step.purged.verifications, 0);
    expect(purged).toBeGreaterThan(800);
    const after = steps.at(-1)!;
    expect(after.bytes).toBeLessThan(steps[0]!.bytesBefore);
    expect(statSync(file).size).toBeLessThan(steps[0]!.bytesBefore / 2);
    expect((await server.call('GET', `otp/${id}`)).status).toBe(200);
    const { reader } = server.app.database;
    const lost = await reader
      .selectFrom('messages')
      .leftJoin('verifications', 'verifications.id', 'messages.owner_id')
      .where('verifications.id', 'is', null)
      .select('messages.id')
      .execute();
    expect(lost).toEqual([]);
  });

  test('stands in the events, with who asked for it, as demo data does', async () => {
    await compact();
    const told = await server.app.database.reader
      .selectFrom('events')
      .select(['type', 'data'])
      .where('type', 'in', ['database.compacted', 'database.seeded'])
      .execute();
    const actors = new Map(told.map(({ type, data }) => [type, JSON.parse(data!)]));
    expect(actors.get('database.compacted')).toEqual({ actor: 'admin', purged: expect.any(Object) });
    expect(actors.get('database.seeded')).toEqual({ actor: 'admin', verifications: 1_000 });
  });

  test('that has nothing to do is done at once', async () => {
    await compact();
    const [step] = await compact();
    expect(step).toMatchObject({ done: true, freeBytes: 0, purged: { verifications: 0 } });
  });

  test('takes an administrator', async () => {
    expect((await server.call('POST', 'database/compact')).status).toBe(403);
    expect((await server.call('POST', 'database/compact', { key: null })).status).toBe(401);
    expect((await server.call('POST', 'database/compact', { asAdmin, body: { all: true } })).status).toBe(
      400,
    );
  });
});
