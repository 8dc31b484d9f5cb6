import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { ENGINE } from '../support/engine.ts';
import { openStream, type StreamClient } from '../support/event-stream.ts';
import { makeKey } from '../support/keys.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { settle } from '../support/test-clock.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

vi.setConfig({ testTimeout: 60_000 });

const CLIENTS = 500;
const PROJECT = 1;
const query = { types: 'otp.*' };

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
});
afterAll(() => server.stop());

const send = async (node = server): Promise<string> =>
  (await verificationsOf(node).sent({ phone: newPhone() })).id;

const idsOf = ({ events }: StreamClient): string[] => events.map(({ data }) => data.data.id);

/** Writes events with long reasons, which take 2 kB each on the stream. */
async function writeLong(count: number): Promise<void> {
  const { database } = server.app;
  await database.transaction(async (trx) => {
    for (let i = 0; i < count; i++) {
      await trx
        .insertInto('events')
        .values({
          project_id: PROJECT,
          type: 'number.opted_out',
          at: server.clock.now(),
          data: JSON.stringify({ from: '+6281234500000', sessionId: `${i}${'x'.repeat(1_900)}` }),
        })
        .execute();
    }
  });
}

test('500 clients beside one that never reads get every event in order, and their number is a figure of the server', async () => {
  const deaf = await openStream(server, { query, isDeaf: true });
  const clients: StreamClient[] = [];
  while (clients.length < CLIENTS)
    clients.push(...(await Promise.all(Array.from({ length: 50 }, () => openStream(server, { query })))));
  const figures = async () => (await server.call('GET', 'health/metrics', { key: null })).body.figures;
  expect((await figures()).eventStreams).toBe(CLIENTS + 1);
  const ids: string[] = [];
  for (let i = 0; i < 10; i++) ids.push(await send());
  for (const client of clients) {
    await client.types(10);
    expect(idsOf(client)).toEqual(ids);
  }
  for (const client of [...clients, deaf]) client.destroy();
  while ((await figures()).eventStreams > 0) await settle();
});

test('a client that takes nothing from its connection is dropped after 30 seconds, and harms no other', async () => {
  const types = { types: 'number.*' };
  const reader = await openStream(server, { query: types });
  const deaf = await openStream(server, { query: types, isDeaf: true });
  // More than the buffers of the system take for a connection.
  for (let i = 0; i < 20; i++) await writeLong(500);
  await reader.types(10_000);
  expect(reader.events.map(({ data }) => Number.parseInt(data.data.sessionId, 10))).toEqual(
    Array.from({ length: 10_000 }, (_, i) => i % 500),
  );
  await server.clock.advance(31_000);
  await settle();
  deaf.destroy();
  const line = server.logLines
    .map((text) => JSON.parse(text))
    .filter(({ path, aborted }) => path === '/api/v1/events/stream' && aborted)
    .at(-1);
  expect(line).toMatchObject({ status: 200 });
  expect(reader.isClosed).toBe(false);
});

test('a stop ends every stream at once and asks its client to come again', async () => {
  const stopping = await startTestApp({ env: QUICK_ADMIN });
  const clients = await Promise.all(Array.from({ length: 20 }, () => openStream(stopping, { query })));
  const begun = performance.now();
  await stopping.stop();
  // The time for requests that do not end would be three seconds.
  expect(performance.now() - begun).toBeLessThan(2_500);
  for (const client of clients) {
    while (!client.isClosed) await settle();
    expect(client.retryMs).toBeGreaterThanOrEqual(2_000);
  }
});

test.runIf(ENGINE === 'postgres')('over two nodes', async () => {
  const { clock, key, adminPassword } = server;
  const other = await startTestApp({ env: QUICK_ADMIN, clock, sharing: server, key, adminPassword });
  onTestFinished(() => other.stop());
  const [here, there] = [await openStream(server, { query }), await openStream(other, { query })];
  const ids: string[] = [];
  for (let i = 0; i < 10; i++) ids.push(await send(i % 2 === 0 ? server : other));
  for (const client of [here, there]) {
    await client.types(10);
    expect(idsOf(client).sort()).toEqual([...ids].sort());
  }
  expect(idsOf(here)).toEqual(idsOf(there));

  here.destroy();
  ids.push(await send(), await send(other));
  const moved = await openStream(other, { query, headers: { 'last-event-id': here.lastId! } });
  await moved.types(2);
  expect(idsOf(moved).sort()).toEqual(ids.slice(-2).sort());

  const made = await makeKey(server, ['logs:read']);
  const stream = await openStream(other, { key: made.key });
  await server.call('DELETE', `keys/${made.id}`);
  await clock.advance(1_000);
  while (!stream.isClosed) await settle();
});
