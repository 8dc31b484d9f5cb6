// @ts-check
// node bench/restore.js [rounds]
// Kills a restore at random moments, 20 times by default, and checks after each that a whole database is there.
import { runRestoreRounds } from './restore-rounds.js';

const rounds = Number(process.argv[2] ?? 20);
if (!Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write('Usage: node bench/restore.js [rounds]\n');
  process.exit(2);
}
try {
  await runRestoreRounds({ rounds, say: (line) => void process.stdout.write(`${line}\n`) });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
