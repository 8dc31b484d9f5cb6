import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { LocalPostgres } from '../../../bench/local-postgres.js';
import { createPostgres } from '../../../test/support/postgres.ts';
import { silentTroubles } from '../../../test/support/silent-log.ts';
import { testClock } from '../../../test/support/test-clock.ts';
import { EventConsumer } from '../../events/consumer.ts';
import { BEGINNING, eventFeed } from '../../events/feed.ts';
import { eventRecorder } from '../../events/record.ts';
import type { Database } from '../database.ts';
import { openPostgres } from './open.ts';

async function openAt(url: string) {
  const database = await openPostgres({ url, poolSize: 3 });
  onTestFinished(() => database.close());
  const clock = testClock();
  const events = eventRecorder(database, clock);
  const feed = eventFeed(database);
  const handled: (string | null)[] = [];
  const consumer = new EventConsumer({
    database,
    feed,
    clock,
    troubles: silentTroubles,
    name: 'test',
    from: 'beginning',
    handle: async (trx, news) => {
      database.afterCommit(trx, () => handled.push(...news.map(({ subject }) => subject)));
    },
  });
  await consumer.start();
  onTestFinished(() => consumer.stop());
  return {
    database,
    handled,
    consumer,
    async write(verificationId: string): Promise<void> {
      await database.transaction((trx) =>
        events.record(trx, { type: 'otp.created', projectId: 1, verificationId, channel: 'sms' }),
      );
      // Transactions of other tests on the same server hold the feed back.
      while ((await feed.heldBackSince()) !== undefined);
    },
  };
}

/** Copies what a dump holds of the events, with the values that the other server gave them. */
async function loadDump(from: Database, into: Database): Promise<void> {
  const [events, consumers, settings] = await Promise.all([
    from.reader.selectFrom('events').selectAll().execute(),
    from.reader.selectFrom('event_consumers').selectAll().execute(),
    from.reader.selectFrom('settings').selectAll().where('key', 'like', 'event_%').execute(),
  ]);
  await into.transaction(async (trx) => {
    await trx.deleteFrom('settings').where('key', 'like', 'event_%').execute();
    await trx.insertInto('settings').values(settings).execute();
    await trx.insertInto('event_consumers').values(consumers).execute();
    await trx.insertInto('events').values(events).execute();
    await sql`select setval('events_seq_seq', (select max(seq) from events))`.execute(trx);
  });
}

test('a dump loaded into a fresh server with lower transaction numbers delivers new events, and old ones never again', async () => {
  const postgres = await createPostgres();
  onTestFinished(postgres.drop);
  const old = await openAt(postgres.url);
  // So many transactions that the new server is far behind in its count.
  for (let i = 0; i < 300; i++) await old.write(`ver_old_${i}`);
  await old.consumer.catchUp();
  await old.write('ver_not_yet_handled');

  const server = await LocalPostgres.start({ fsync: false });
  onTestFinished(() => server.remove());
  const url = await server.createDatabase();
  const loading = await openPostgres({ url, poolSize: 2 });
  await loadDump(old.database, loading);
  await loading.close();

  const fresh = await openAt(url);
  await fresh.write('ver_new');
  await fresh.consumer.catchUp();
  expect(fresh.handled).toEqual(['ver_not_yet_handled', 'ver_new']);

  const all = await eventFeed(fresh.database).after(BEGINNING, 1_000);
  expect(all.slice(-3).map(({ subject }) => subject)).toEqual([
    'ver_old_299',
    'ver_not_yet_handled',
    'ver_new',
  ]);
  const numbers = await fresh.database.reader.selectFrom('events').select(['subject', 'tx']).execute();
  const txOf = (subject: string) => numbers.find((row) => row.subject === subject)!.tx;
  expect(txOf('ver_new')).toBeLessThan(txOf('ver_old_299'));
});

test('a start on the same server goes on in the same epoch', async () => {
  const postgres = await createPostgres();
  onTestFinished(postgres.drop);
  const first = await openAt(postgres.url);
  await first.write('ver_1');
  const second = await openAt(postgres.url);
  await second.write('ver_2');
  const epochs = await second.database.reader.selectFrom('events').select('epoch').distinct().execute();
  expect(epochs).toHaveLength(1);
});
