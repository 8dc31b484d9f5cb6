// @ts-check
// node bench/postgres-crash.js [kills] [restarts]
// Two servers on one PostgreSQL under load: one of them is killed again and again (3 times by default), then
// PostgreSQL is stopped and started again (5 times), and after each nothing may be lost.
import { runPostgresCrashRounds } from './postgres-crash-rounds.js';

const [nodeRounds, databaseRounds] = [Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 5)];
if (![nodeRounds, databaseRounds].every((rounds) => Number.isInteger(rounds) && rounds >= 0)) {
  process.stderr.write('Usage: node bench/postgres-crash.js [kills] [restarts]\n');
  process.exit(2);
}
try {
  const say = (/** @type {string} */ line) => void process.stdout.write(`${line}\n`);
  await runPostgresCrashRounds({ nodeRounds, databaseRounds, say, waitForLeases: true });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
