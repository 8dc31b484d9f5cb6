import type { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { silentTroubles } from '../../test/support/silent-log.ts';
import { settle, testClock } from '../../test/support/test-clock.ts';
import { openTestDatabase } from '../../test/support/test-database.ts';
import { eventFeed } from '../events/feed.ts';
import { eventRecorder } from '../events/record.ts';
import { type Caller, NOBODY } from '../http/caller.ts';
import { EventBroadcast } from './broadcast.ts';

const PROJECT = 1;
const TYPES = ['otp.created'];
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const callerNamed = (name: string): Caller => ({ ...NOBODY, kind: 'key', name });

async function openBroadcast({ max = { perCaller: 10, inAll: 20 } } = {}) {
  const { database, close } = await openTestDatabase();
  closing.push(close);
  const clock = testClock();
  const events = eventRecorder(database, clock);
  const feed = eventFeed(database);
  let pagesRead = 0;
  let refused = new Set<string>();
  const broadcast = new EventBroadcast({
    feed: {
      ...feed,
      after: (...args) => {
        pagesRead += 1;
        return feed.after(...args);
      },
    },
    onCommit: events.onCommit,
    stillAllowed: async (callers) => new Set(callers.filter(({ name }) => !refused.has(name))),
    clock,
    troubles: silentTroubles,
    max,
  });
  broadcast.start();
  closing.push(() => broadcast.stop());
  let written = 0;
  return {
    broadcast,
    clock,
    pagesRead: () => pagesRead,
    refuse: (name: string) => {
      refused = new Set([...refused, name]);
    },
    open: (name = 'key_a', lastEventId?: string) =>
      broadcast.open({ caller: callerNamed(name), projectId: PROJECT, types: TYPES }, lastEventId),
    /** Writes events in one transaction; their subjects count up. Resolves when the feed shows them. */
    async write(count: number): Promise<void> {
      const first = written;
      written += count;
      await database.transaction(async (trx) => {
        for (let i = first; i < first + count; i++)
          await events.record(trx, {
            type: 'otp.created',
            projectId: PROJECT,
            verificationId: `ver_${i}`,
            channel: 'sms',
          });
      });
      while ((await feed.heldBackSince()) !== undefined);
    },
    /** Lets the broadcast and its clients do all that they can. */
    async deliver(): Promise<void> {
      for (let i = 0; i < 20; i++) {
        await clock.advance(20);
        await broadcast.read();
      }
    },
  };
}

/** Reads a stream from now on. */
function readerOf(stream: Readable) {
  let text = '';
  let isEnded = false;
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  stream.on('close', () => {
    isEnded = true;
  });
  return {
    subjects: () => [...text.matchAll(/"id":"ver_(\d+)"/g)].map(([, number]) => Number(number)),
    lastId: () => [...text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1],
    text: () => text,
    isEnded: () => isEnded,
  };
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('the broadcast', () => {
  test('reads the feed once for all clients that are up to date', async () => {
    const { open, write, deliver, pagesRead } = await openBroadcast();
    const readers = [];
    for (let i = 0; i < 10; i++) readers.push(readerOf(await open()));
    await deliver();
    const before = pagesRead();
    await write(3);
    await deliver();
    for (const reader of readers) expect(reader.subjects()).toEqual(upTo(3));
    // `deliver` reads 20 times whether or not there is anything; the client costs none.
    expect(pagesRead() - before).toBeLessThan(30);
  });

  test('reads nothing while there is no client', async () => {
    const { write, deliver, pagesRead } = await openBroadcast();
    await write(3);
    await deliver();
    expect(pagesRead()).toBe(0);
  });

  test('gives each event once and in order to clients that join while others write', async () => {
    const { open, write, deliver } = await openBroadcast();
    await write(1);
    const first = readerOf(await open());
    await deliver();
    const start = first.lastId()!;
    const readers = [first];
    for (let i = 0; i < 8; i++) {
      const writing = write(130);
      readers.push(readerOf(await open('key_b', start)));
      await writing;
    }
    await deliver();
    for (const reader of readers) expect(reader.subjects()).toEqual(upTo(1 + 8 * 130).slice(1));
  });

  test('keeps little for a client that does not read, and drops it after 30 seconds; the others get everything', async () => {
    const { broadcast, open, write, deliver, clock } = await openBroadcast();
    const deaf = await open('key_a');
    const reader = readerOf(await open('key_b'));
    for (let i = 0; i < 10; i++) {
      await write(500);
      await deliver();
    }
    expect(reader.subjects()).toEqual(upTo(5_000));
    // 64 kB and one page; the 5,000 events take about 1 MB.
    expect(deaf.readableLength).toBeLessThan(100_000);
    await clock.advance(25_000);
    await broadcast.look();
    expect(deaf.destroyed).toBe(false);
    await clock.advance(5_000);
    await broadcast.look();
    expect(deaf.destroyed).toBe(true);
    await write(1);
    await deliver();
    expect(reader.subjects()).toHaveLength(5_001);
    expect(broadcast.size).toBe(1);
  });

  test('gives a client that paused all that it missed, in order, when it reads again', async () => {
    const { open, write, deliver } = await openBroadcast();
    const stream = await open();
    const reader = readerOf(stream);
    await deliver();
    stream.pause();
    for (let i = 0; i < 4; i++) {
      await write(500);
      await deliver();
    }
    stream.resume();
    await deliver();
    while (reader.subjects().length < 2_000) await settle();
    expect(reader.subjects()).toEqual(upTo(2_000));
    await write(1);
    await deliver();
    expect(reader.subjects()).toEqual(upTo(2_001));
  });

  test('refuses a caller one too many, and everybody when all streams are in use', async () => {
    const { open } = await openBroadcast({ max: { perCaller: 2, inAll: 3 } });
    const first = await open('key_a');
    await open('key_a');
    await expect(open('key_a')).rejects.toMatchObject({
      code: 'RATE_LIMIT_EXCEEDED',
      details: { retryAfterSeconds: 30 },
    });
    await open('key_b');
    await expect(open('key_c')).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      details: { retryAfterSeconds: 30 },
    });
    first.destroy();
    await settle();
    await open('key_c');
  });

  test('counts streams that are opened together', async () => {
    const { open } = await openBroadcast({ max: { perCaller: 5, inAll: 20 } });
    const outcomes = await Promise.allSettled(Array.from({ length: 50 }, () => open()));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(5);
  });

  test('ends the streams of a caller that is no longer allowed, and no other', async () => {
    const { broadcast, open, refuse } = await openBroadcast();
    const [a, b] = [readerOf(await open('key_a')), readerOf(await open('key_b'))];
    refuse('key_a');
    await broadcast.look();
    await settle();
    expect([a.isEnded(), b.isEnded()]).toEqual([true, false]);
    expect(broadcast.size).toBe(1);
  });

  test('asks its clients to connect again when it stops, each after another time', async () => {
    const { broadcast, open } = await openBroadcast();
    const readers = [];
    for (let i = 0; i < 10; i++) readers.push(readerOf(await open()));
    await broadcast.stop();
    await settle();
    const waits = readers.map((reader) => Number(/retry: (\d+)\n\n$/.exec(reader.text())?.[1]));
    for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(2_000);
    expect(new Set(waits).size).toBeGreaterThan(1);
    expect(readers.every((reader) => reader.isEnded())).toBe(true);
  });
});
