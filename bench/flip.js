// @ts-check
// node bench/flip.js [rounds]
// Spoils one bit of a database file again and again, 100 times by default, and checks that `verify` finds it.
import { runFlips } from './flip-rounds.js';

const rounds = Number(process.argv[2] ?? 100);
if (!Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write('Usage: node bench/flip.js [rounds]\n');
  process.exit(2);
}
try {
  await runFlips({ rounds, say: (line) => void process.stdout.write(`${line}\n`) });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
