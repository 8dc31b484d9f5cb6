// @ts-check
// A process that writes events and consumes them until it is killed: `node consumer-child.js <database>`, where the
// database is a data folder or a postgres:// address. It says in lines of JSON how many events it has handled.
import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'kysely';
import { pino } from 'pino';

const dist = (/** @type {string} */ name) => import(new URL(`../../dist/${name}`, import.meta.url).href);
const { openWodb } = await dist('database/wodb/open.js');
const { keyCheckPathIn } = await dist('database/wodb/key-check.js');
const { openPostgres } = await dist('database/postgres/open.js');
const { eventFeed } = await dist('events/feed.js');
const { EventConsumer } = await dist('events/consumer.js');
const { eventRecorder } = await dist('events/record.js');
const { systemClock } = await dist('lib/clock.js');
const { troubleLog } = await dist('background/troubles.js');

const WRITERS = 4;
const [place = ''] = process.argv.slice(2);
const database = place.startsWith('postgres:')
  ? await openPostgres({ url: place, poolSize: WRITERS + 2 })
  : await openWodb({
      path: `${place}/wotp.wodb`,
      keyCheckPath: keyCheckPathIn(place),
      masterKey: 'a master key of the tests, long enough',
      onFatal: (/** @type {Error} */ error) => {
        throw error;
      },
    });
const clock = systemClock();
const events = eventRecorder(database, clock);
let handled = 0;
const consumer = new EventConsumer({
  database,
  feed: eventFeed(database),
  clock,
  troubles: troubleLog({ log: pino({ level: 'silent' }), clock }),
  name: 'kills',
  from: 'beginning',
  async handle(/** @type {any} */ trx, /** @type {{ subject: string }[]} */ news) {
    for (const { subject } of news) await sql`insert into handled (subject) values (${subject})`.execute(trx);
    database.afterCommit(trx, () => {
      handled += news.length;
      process.stdout.write(`${JSON.stringify({ handled })}\n`);
    });
  },
});
await consumer.start();
for (let writer = 0; writer < WRITERS; writer++) void write(writer);
for (;;) {
  await consumer.catchUp();
  await pause(1);
}

/** @param {number} writer */
async function write(writer) {
  for (let turn = 0; ; turn++) {
    const verificationId = `ver_${process.pid}_${writer}_${turn}`;
    await database
      .transaction(async (/** @type {any} */ trx) => {
        await events.record(trx, { type: 'otp.created', projectId: 1, verificationId });
        if (turn % 7 === 0) throw new Error('undone');
      })
      .catch(() => {});
    await pause(1);
  }
}
