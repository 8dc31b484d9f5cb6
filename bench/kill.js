// @ts-check
// node bench/kill.js [rounds] [verifications]
// Kills `migrate`, `compact` and `master-key rotate` at random moments, 20 times each by default, and checks after each
// that the folder opens and has lost nothing.
import { runKillRounds } from './kill-rounds.js';

const [rounds, verifications] = [Number(process.argv[2] ?? 20), Number(process.argv[3] ?? 2_000)];
if (![rounds, verifications].every((number) => Number.isInteger(number) && number > 0)) {
  process.stderr.write('Usage: node bench/kill.js [rounds] [verifications]\n');
  process.exit(2);
}
const say = (/** @type {string} */ line) => void process.stdout.write(`${line}\n`);
try {
  for (const work of /** @type {const} */ (['migrate', 'compact', 'rotate-given', 'rotate-kept'])) {
    await runKillRounds({ work, rounds, verifications, say });
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
