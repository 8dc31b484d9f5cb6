// @ts-check
// node bench/whatsapp-crash.js [sends] [drops] [kills]
// Sends over a fake WhatsApp (2,000 codes to 300 numbers by default) while the connection is dropped (30 times) and the
// server is killed (10 times), and checks that every code is on its phone once, readable.
import { compileFake } from './fake-whatsapp.js';
import { runWhatsAppCrash } from './whatsapp-crash-rounds.js';

const [sends = 2_000, drops = 30, kills = 10] = process.argv.slice(2).map(Number);
if (![sends, drops, kills].every((count) => Number.isInteger(count) && count >= 0) || sends < 1) {
  process.stderr.write('Usage: node bench/whatsapp-crash.js [sends] [drops] [kills]\n');
  process.exit(2);
}
// libsignal writes private keys to the console.
for (const method of /** @type {const} */ (['log', 'info', 'warn', 'error'])) console[method] = () => {};
try {
  const { startFakeWhatsApp } = await import(new URL('server.js', await compileFake()).href);
  const say = (/** @type {string} */ line) => void process.stdout.write(`${line}\n`);
  await runWhatsAppCrash({ startFake: startFakeWhatsApp, sends, numbers: 300, drops, kills, say });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
