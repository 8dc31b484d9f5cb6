// @ts-check
// node bench/whatsapp-postgres-crash.js [sends] [drops] [kills]
// Two servers on one PostgreSQL send over a fake WhatsApp; the one that drives the linked number is killed again and
// again (3 times by default), and the other has to take it over and send what waits, everything once.
import { compileFake } from './fake-whatsapp.js';
import { LocalPostgres } from './local-postgres.js';
import { runWhatsAppCrash } from './whatsapp-crash-rounds.js';

const [sends = 600, drops = 6, kills = 3] = process.argv.slice(2).map(Number);
if (![sends, drops, kills].every((count) => Number.isInteger(count) && count >= 0) || sends < 1) {
  process.stderr.write('Usage: node bench/whatsapp-postgres-crash.js [sends] [drops] [kills]\n');
  process.exit(2);
}
// libsignal writes private keys to the console.
for (const method of /** @type {const} */ (['log', 'info', 'warn', 'error'])) console[method] = () => {};
const postgres = await LocalPostgres.start({ fsync: true });
try {
  const { startFakeWhatsApp } = await import(new URL('server.js', await compileFake()).href);
  const say = (/** @type {string} */ line) => void process.stdout.write(`${line}\n`);
  const database = { url: await postgres.createDatabase(), waitForLeases: true };
  const startFake = startFakeWhatsApp;
  await runWhatsAppCrash({ startFake, sends, numbers: 200, drops, kills, say, postgres: database });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
} finally {
  await postgres.remove();
}
process.exit();
