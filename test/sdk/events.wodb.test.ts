import { afterAll, beforeAll, expect, test } from 'vitest';
import { type StreamEvent, type StreamReset, Wotp } from '../../sdk/src/index.ts';
import { makeKey } from '../support/keys.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp();
});
afterAll(() => server.stop());

/** A network whose streams a test can cut. */
function cuttable() {
  let connection = new AbortController();
  const network = (url: Parameters<typeof fetch>[0], init: RequestInit = {}) => {
    connection = new AbortController();
    network.connections += 1;
    return fetch(url, { ...init, signal: AbortSignal.any([connection.signal, init.signal!]) });
  };
  network.connections = 0;
  network.cut = () => connection.abort();
  return network;
}

/** Reads a stream; resolves to what came once it has ended. */
async function collect(
  stream: AsyncIterable<StreamEvent | StreamReset>,
  into: (StreamEvent | StreamReset)[],
): Promise<void> {
  for await (const event of stream) into.push(event);
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await server.clock.advance(100);
}

test('events come in order, without a gap after a lost connection, until the signal ends the stream', async () => {
  const network = cuttable();
  const wotp = new Wotp({ baseUrl: server.address, apiKey: server.key, fetch: network });
  const end = new AbortController();
  const events: (StreamEvent | StreamReset)[] = [];
  const otp = verificationsOf(server);
  const first = await otp.sent({ phone: newPhone() });
  const start = await lastIdOf(first.id);
  const reading = collect(
    wotp.events.stream({ types: ['otp.created'], lastEventId: start, signal: end.signal }),
    events,
  );
  const second = await otp.sent({ phone: newPhone() });
  await until(() => events.length === 1);
  network.cut();
  const third = await otp.sent({ phone: newPhone() });
  await until(() => events.length === 2);
  expect(network.connections).toBeGreaterThan(1);
  expect(events).toMatchObject([
    { type: 'otp.created', data: { id: second.id }, id: expect.stringMatching(/^[\d.]+$/) },
    { type: 'otp.created', data: { id: third.id } },
  ]);
  end.abort();
  await reading;
});

test('a cursor that is kept no longer begins with a reset', async () => {
  const wotp = new Wotp({ baseUrl: server.address, apiKey: server.key });
  const end = new AbortController();
  const events: (StreamEvent | StreamReset)[] = [];
  const reading = collect(wotp.events.stream({ lastEventId: '0.0.999999.1', signal: end.signal }), events);
  await until(() => events.length === 1);
  expect(events[0]).toMatchObject({ type: 'reset', data: { reason: expect.any(String) } });
  end.abort();
  await reading;
});

test('a key that may not read it is refused, and not again and again', async () => {
  const { key } = await makeKey(server, ['otp:send']);
  const network = cuttable();
  const wotp = new Wotp({ baseUrl: server.address, apiKey: key, fetch: network });
  await expect(collect(wotp.events.stream(), [])).rejects.toMatchObject({ requiredPermission: 'logs:read' });
  expect(network.connections).toBe(1);
});

/** The cursor of the newest event of a verification. */
async function lastIdOf(id: string): Promise<string> {
  const { seq, epoch, tx, at } = await server.app.database.reader
    .selectFrom('events')
    .select(['seq', 'epoch', 'tx', 'at'])
    .where('subject', '=', id)
    .orderBy('seq', 'desc')
    .executeTakeFirstOrThrow();
  return `${epoch}.${tx}.${seq}.${at}`;
}
