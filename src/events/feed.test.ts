import { afterEach, describe, expect, test } from 'vitest';
import { ENGINE } from '../../test/support/engine.ts';
import { silentTroubles } from '../../test/support/silent-log.ts';
import { testClock } from '../../test/support/test-clock.ts';
import { openTestDatabase } from '../../test/support/test-database.ts';
import type { Database, Transaction } from '../database/database.ts';
import { EventConsumer } from './consumer.ts';
import { BEGINNING, eventFeed } from './feed.ts';
import { eventRecorder } from './record.ts';

const PROJECT = 1;
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function openFeed() {
  const { database, close } = await openTestDatabase();
  closing.push(close);
  const clock = testClock();
  const feed = eventFeed(database);
  const events = eventRecorder(database, clock);
  const record = (trx: Transaction, verificationId: string) =>
    events.record(trx, { type: 'otp.created', projectId: PROJECT, verificationId, channel: 'sms' });
  /** Resolves when no transaction of another test on the same server holds back what was written. */
  const settled = async () => {
    while ((await feed.heldBackSince()) !== undefined);
  };
  return {
    database,
    clock,
    feed,
    record,
    settled,
    /** Writes an event that can be read at once. */
    async write(verificationId: string): Promise<void> {
      await database.transaction((trx) => record(trx, verificationId));
      await settled();
    },
    /** Reads from a cursor to the end in portions; resolves to the subjects and the cursor after them. */
    async read(from = BEGINNING, portion = 3) {
      const subjects: (string | null)[] = [];
      let cursor = from;
      for (;;) {
        const page = await feed.after(cursor, portion);
        subjects.push(...page.map(({ subject }) => subject));
        cursor = page.at(-1)?.cursor ?? cursor;
        if (page.length < portion) return { subjects, cursor };
      }
    },
  };
}

const UNDO = new Error('undone');

describe('the event feed', () => {
  test('shows each event once to a reader that goes on from its cursor', async () => {
    const { write, read } = await openFeed();
    await write('ver_1');
    const first = await read();
    for (const id of ['ver_2', 'ver_3', 'ver_4', 'ver_5']) await write(id);
    expect(first.subjects).toEqual(['ver_1']);
    expect((await read(first.cursor)).subjects).toEqual(['ver_2', 'ver_3', 'ver_4', 'ver_5']);
  });

  test('shows no event of a transaction that was undone', async () => {
    const { database, record, write, read } = await openFeed();
    await expect(
      database.transaction(async (trx) => {
        await record(trx, 'ver_undone');
        throw UNDO;
      }),
    ).rejects.toBe(UNDO);
    await write('ver_1');
    expect((await read()).subjects).toEqual(['ver_1']);
  });

  test('begins at its end for a reader that wants only what is new', async () => {
    const { write, feed, read } = await openFeed();
    expect(await feed.end()).toBe(BEGINNING);
    await write('ver_1');
    const cursor = await feed.end();
    await write('ver_2');
    expect((await read(cursor)).subjects).toEqual(['ver_2']);
  });

  test.each(['', 'x', '1.2', '1.2.3.4', '-1.0.0', '1.2.99999999999999999999'])(
    'refuses %j as a cursor',
    async (cursor) => {
      const { feed } = await openFeed();
      await expect(feed.after(cursor, 1)).rejects.toThrow(RangeError);
    },
  );

  test('shows every event of 20 writers once to a reader that polls meanwhile, in the order of its transaction', async () => {
    const { database, record, read, settled } = await openFeed();
    const written: string[] = [];
    let isWriting = true;
    const seen: (string | null)[] = [];
    let cursor = BEGINNING;
    const poll = async () => {
      const news = await read(cursor, 7);
      seen.push(...news.subjects);
      cursor = news.cursor;
    };
    const polling = (async () => {
      while (isWriting) {
        await poll();
        // Reads of a file take no turn of the event loop.
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await Promise.all(
      Array.from({ length: 20 }, async (_, writer) => {
        for (let turn = 0; turn < 10; turn++) {
          const ids = [0, 1, 2].map((n) => `ver_${writer}_${turn}_${n}`);
          const isUndone = (writer + turn) % 5 === 0;
          const outcome = database.transaction(async (trx) => {
            for (const id of ids) await record(trx, id);
            if (isUndone) throw UNDO;
          });
          if (isUndone) await expect(outcome).rejects.toBe(UNDO);
          else await outcome.then(() => written.push(...ids));
        }
      }),
    );
    isWriting = false;
    await polling;
    await settled();
    await poll();
    expect([...seen].sort()).toEqual([...written].sort());
    for (const first of written.filter((id) => id.endsWith('_0'))) {
      const at = seen.indexOf(first);
      expect(seen.slice(at, at + 3)).toEqual([0, 1, 2].map((n) => first.replace(/0$/, String(n))));
    }
  });

  test.runIf(ENGINE === 'postgres')(
    'waits for a transaction that began earlier, and says since when',
    async () => {
      const { database, clock, record, read, feed, settled } = await openFeed();
      const { release, isOpen } = openTransaction(database, (trx) => record(trx, 'ver_early'));
      await isOpen;
      expect(await feed.heldBackSince()).toBeUndefined();
      await database.transaction((trx) => record(trx, 'ver_late'));
      expect((await read()).subjects).toEqual([]);
      expect(await feed.heldBackSince()).toBe(clock.now());
      await release();
      await settled();
      expect((await read()).subjects).toEqual(['ver_early', 'ver_late']);
      expect(await feed.heldBackSince()).toBeUndefined();
    },
  );

  test.runIf(ENGINE === 'wodb')('is never held back where transactions run one after another', async () => {
    const { write, feed } = await openFeed();
    await write('ver_1');
    expect(await feed.heldBackSince()).toBeUndefined();
  });
});

describe('a consumer of the feed', () => {
  /** A consumer that notes what it handles in a table that its transaction writes. */
  function notingConsumer(
    { database, feed, clock }: Awaited<ReturnType<typeof openFeed>>,
    {
      from = 'beginning',
      failing = () => false,
    }: { from?: 'beginning' | 'now'; failing?: () => boolean } = {},
  ) {
    return new EventConsumer({
      database,
      feed,
      clock,
      troubles: silentTroubles,
      name: 'notes',
      from,
      async handle(trx, events) {
        for (const { subject } of events)
          await trx
            .insertInto('settings')
            .values({ key: `note ${subject}`, value: '1' })
            .execute();
        if (failing()) throw UNDO;
      },
    });
  }
  const notesIn = async (database: Database) =>
    (
      await database.reader
        .selectFrom('settings')
        .select('key')
        .where('key', 'like', 'note %')
        .orderBy('key')
        .execute()
    ).map(({ key }) => key.slice('note '.length));

  test('handles what happened before it began, and from then on within a second', async () => {
    const parts = await openFeed();
    await parts.write('ver_1');
    const consumer = notingConsumer(parts);
    await consumer.start();
    await parts.clock.advance(1_000);
    await parts.write('ver_2');
    await parts.clock.advance(1_000);
    await consumer.stop();
    expect(await notesIn(parts.database)).toEqual(['ver_1', 'ver_2']);
  });

  test('that begins now leaves the past alone', async () => {
    const parts = await openFeed();
    await parts.write('ver_1');
    const consumer = notingConsumer(parts, { from: 'now' });
    await consumer.start();
    await parts.write('ver_2');
    await consumer.catchUp();
    await consumer.stop();
    expect(await notesIn(parts.database)).toEqual(['ver_2']);
  });

  test('that fails has written nothing and handles the same events again', async () => {
    const parts = await openFeed();
    await parts.write('ver_1');
    let fails = true;
    const consumer = notingConsumer(parts, { failing: () => fails });
    await consumer.start();
    await expect(consumer.catchUp()).rejects.toBe(UNDO);
    expect(await notesIn(parts.database)).toEqual([]);
    fails = false;
    await consumer.catchUp();
    await consumer.stop();
    expect(await notesIn(parts.database)).toEqual(['ver_1']);
  });

  test('that runs on many nodes handles each event on one of them', async () => {
    const parts = await openFeed();
    const nodes = [notingConsumer(parts), notingConsumer(parts), notingConsumer(parts)];
    for (const node of nodes) await node.start();
    const ids = Array.from({ length: 30 }, (_, i) => `ver_${String(i).padStart(2, '0')}`);
    for (const id of ids) await parts.write(id);
    // A second note of the same event would break the primary key.
    await Promise.all(nodes.map((node) => node.catchUp()));
    for (const node of nodes) await node.stop();
    expect(await notesIn(parts.database)).toEqual(ids);
  });
});

/** A transaction that has done its work and stays open until it is released. */
function openTransaction(database: Database, work: (trx: Transaction) => Promise<void>) {
  const [released, release] = signal();
  const [isOpen, opened] = signal();
  const done = database.transaction(async (trx) => {
    await work(trx);
    opened();
    await released;
  });
  return {
    isOpen,
    release: () => {
      release();
      return done;
    },
  };
}

function signal(): [arrived: Promise<void>, send: () => void] {
  let send = () => {};
  const arrived = new Promise<void>((resolve) => {
    send = resolve;
  });
  return [arrived, send];
}
