import { afterEach, beforeEach, expect, test } from 'vitest';
import { ScriptedChannel } from '../../test/support/scripted-channel.ts';
import { silentLog } from '../../test/support/silent-log.ts';
import { type TestClock, testClock } from '../../test/support/test-clock.ts';
import { openTestDatabase } from '../../test/support/test-database.ts';
import { MASTER_KEY } from '../../test/support/wodb.ts';
import type { Database } from '../database/database.ts';
import { type Keyring, openKeyring } from '../database/keyring.ts';
import { DEFAULT_PROJECT } from '../database/project.ts';
import { eventRecorder } from '../events/record.ts';
import { channelStops } from './stops.ts';
import { WatchedChannel } from './watched-channel.ts';

let database: Database;
let close: () => Promise<void>;
let clock: TestClock;
let keyring: Keyring;

beforeEach(async () => {
  ({ database, close } = await openTestDatabase());
  clock = testClock();
  keyring = await openKeyring(database, MASTER_KEY, clock);
});
afterEach(() => close());

/** A process with one channel, of which the test says how it does. */
function startProcess(hasOwnLinks = false) {
  const channel = new ScriptedChannel('email');
  channel.hasOwnLinks = hasOwnLinks;
  const watched = new WatchedChannel(channel, { clock, log: silentLog });
  const events = eventRecorder(database, clock, keyring);
  const stops = channelStops({ channels: [watched], database, events, clock });
  return {
    /** Takes nothing more until `works`. */
    async fails(reason = 'signing in was refused') {
      channel.unready.set(DEFAULT_PROJECT, { state: 'offline', reason });
      await clock.advance(1_000);
      await stops.look();
    },
    /** Is not held back any more, which does not say that it works. */
    async seemsToWork() {
      channel.unready.clear();
      await clock.advance(1_000);
      await stops.look();
    },
    /** Begins to hand over a message; resolves once it does to what lets the provider take it. */
    beginSend() {
      const message = { id: 'msg_1', projectId: 1, to: 'jo@example.com', text: 'Code', expiresAt: 0 };
      const sending = watched.send(message, new AbortController().signal);
      return async () => {
        channel.tries.at(-1)!.acknowledge();
        await sending;
        await stops.look();
      };
    },
  };
}

async function recorded() {
  const rows = await database.reader.selectFrom('events').selectAll().orderBy('seq').execute();
  return rows.map(({ type, data, project_id }) => ({ type, project: project_id, ...JSON.parse(data!) }));
}
const STOPPED = {
  type: 'channel.stopped',
  project: null,
  channel: 'email',
  actor: 'server',
  reason: 'signing in was refused',
};
const RECOVERED = {
  type: 'channel.recovered',
  project: null,
  channel: 'email',
  actor: 'server',
  stoppedAt: expect.any(Number),
};

test('a channel that stops, and one that works again, is one event each', async () => {
  const one = startProcess();
  await one.beginSend()();
  expect(await recorded()).toEqual([]);
  for (let i = 0; i < 3; i++) await one.fails();
  const stoppedAt = clock.now() - 2_000;
  await one.seemsToWork();
  await one.beginSend()();
  await one.beginSend()();
  expect(await recorded()).toEqual([STOPPED, { ...RECOVERED, stoppedAt }]);
  await one.fails('another reason');
  expect((await recorded()).at(-1)).toEqual({ ...STOPPED, reason: 'another reason' });
});

test('a channel works again when it takes a message, and not when it is tried again or takes one from before', async () => {
  const one = startProcess();
  const takeEarlier = one.beginSend();
  for (let i = 0; i < 3; i++) {
    await one.fails();
    await one.seemsToWork();
  }
  await takeEarlier();
  expect(await recorded()).toEqual([STOPPED]);
});

test('a channel that a restart has set right works again', async () => {
  await startProcess().fails();
  const restarted = startProcess();
  await restarted.seemsToWork();
  expect(await recorded()).toEqual([STOPPED]);
  await restarted.beginSend()();
  expect(await recorded()).toEqual([STOPPED, RECOVERED]);
});

test('a channel that is still stopped after a restart has not stopped again', async () => {
  await startProcess().fails();
  await startProcess().fails();
  expect(await recorded()).toEqual([STOPPED]);
});

test('of several processes the first to see it records it, and one whose channel works does not undo it', async () => {
  const [one, two, working] = [startProcess(), startProcess(), startProcess()];
  await working.beginSend()();
  await one.fails();
  await two.fails();
  await working.beginSend()();
  await one.fails();
  expect(await recorded()).toEqual([STOPPED]);
  await one.seemsToWork();
  await one.beginSend()();
  expect(await recorded()).toEqual([STOPPED, RECOVERED]);
});

test('linked numbers have events of their own', async () => {
  await startProcess(true).fails();
  expect(await recorded()).toEqual([]);
});
