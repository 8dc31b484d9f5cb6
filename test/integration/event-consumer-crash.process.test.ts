import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import type { Database } from '../../src/database/database.ts';
import { openPostgres } from '../../src/database/postgres/open.ts';
import { EventConsumer } from '../../src/events/consumer.ts';
import { eventFeed } from '../../src/events/feed.ts';
import { ensureBuilt } from '../support/child.ts';
import { copyTemplateTo } from '../support/copied-template.ts';
import { ENGINE } from '../support/engine.ts';
import { createPostgres } from '../support/postgres.ts';
import { silentTroubles } from '../support/silent-log.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { testClock } from '../support/test-clock.ts';
import { openDatabase } from '../support/wodb.ts';

const CHILD = fileURLToPath(new URL('../support/consumer-child.js', import.meta.url));
const KILLS = 20;

/** A place for a database, and how to open it while no child has it. */
async function newPlace(): Promise<{ place: string; open: () => Promise<Database> }> {
  if (ENGINE === 'postgres') {
    const { url, drop } = await createPostgres();
    onTestFinished(drop);
    return { place: url, open: () => openPostgres({ url, poolSize: 2 }) };
  }
  const dir = tempFolder();
  copyTemplateTo(dir);
  return { place: dir, open: () => openDatabase(dir) };
}

/** Runs a child until it has handled so many events, and kills it in the middle of its work. */
async function runUntilKilled(place: string, enough: number): Promise<void> {
  const child = spawn(process.execPath, [CHILD, place], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    if (JSON.parse(line).handled >= enough) break;
  }
  child.kill('SIGKILL');
  await exited;
}

test('a consumer that is killed 20 times while events are written has handled each one exactly once', async () => {
  await ensureBuilt();
  const { place, open } = await newPlace();
  const first = await open();
  await first.transaction((trx) => sql`create table handled (subject text not null)`.execute(trx));
  await first.close();

  for (let kill = 0; kill < KILLS; kill++) await runUntilKilled(place, randomInt(1, 60));

  const database = await open();
  const feed = eventFeed(database);
  // Transactions of other tests on the same server hold the feed back.
  while ((await feed.heldBackSince()) !== undefined);
  const consumer = new EventConsumer({
    database,
    feed,
    clock: testClock(),
    troubles: silentTroubles,
    name: 'kills',
    from: 'beginning',
    async handle(trx, news) {
      for (const { subject } of news)
        await sql`insert into handled (subject) values (${subject})`.execute(trx);
    },
  });
  await consumer.catchUp();
  const written = await database.reader.selectFrom('events').select('subject').orderBy('subject').execute();
  const { rows: handled } = await sql<{
    subject: string;
  }>`select subject from handled order by subject`.execute(database.reader);
  await database.close();
  expect(written.length).toBeGreaterThan(KILLS);
  expect(handled).toEqual(written);
}, 180_000);
