// @ts-check
// node bench/channels-crash.js [kills] [seed]
// Kills the server (30 times by default) while it sends by the Cloud API, an SMS provider and e-mail, and checks that every
// accepted code reached its recipient, and none twice where the far end can tell.
import { randomInt } from 'node:crypto';
import { runChannelsCrash } from './channels-crash-rounds.js';

const [kills = 30, seed = randomInt(2 ** 31)] = process.argv.slice(2).map(Number);
if (!Number.isInteger(kills) || kills < 1 || !Number.isInteger(seed)) {
  process.stderr.write('Usage: node bench/channels-crash.js [kills] [seed]\n');
  process.exit(2);
}
try {
  const say = (/** @type {string} */ line) => void process.stdout.write(`${line}\n`);
  say(`seed ${seed}`);
  await runChannelsCrash({ kills, seed, waitForLeases: true, say });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
