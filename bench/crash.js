// @ts-check
// node bench/crash.js [rounds]
// Kills the server under load again and again, 20 times by default, and checks after each that nothing was lost.
import { runCrashRounds } from './crash-rounds.js';

const rounds = Number(process.argv[2] ?? 20);
if (!Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write('Usage: node bench/crash.js [rounds]\n');
  process.exit(2);
}
try {
  await runCrashRounds({ rounds, say: (line) => void process.stdout.write(`${line}\n`) });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
