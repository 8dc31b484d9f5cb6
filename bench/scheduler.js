// @ts-check
// node bench/scheduler.js [count] [wodb|postgres]
// Schedules 10,000 codes for one second and kills the server twice while they fire: each has to fire once, and all within
// 30 seconds. On PostgreSQL two processes share the work, and each is killed once. Both engines by default.
import { runSchedulerRound } from './scheduler-rounds.js';

/** Within this time all have to have fired, in ms. */
const LIMIT_MS = 30_000;

const [count, named] = [Number(process.argv[2] ?? 10_000), process.argv[3]];
/** @type {('wodb' | 'postgres')[]} */
const engines = ['wodb', 'postgres'];
if (
  !(Number.isInteger(count) && count > 0) ||
  !(named === undefined || engines.some((name) => name === named))
) {
  process.stderr.write('Usage: node bench/scheduler.js [count] [wodb|postgres]\n');
  process.exit(2);
}
try {
  for (const engine of engines.filter((name) => named === undefined || name === named)) {
    const say = (/** @type {string} */ line) => void process.stdout.write(`${engine}: ${line}\n`);
    const took = await runSchedulerRound({ count, engine, say });
    if (took > LIMIT_MS) throw new Error(`${engine}: they took longer than ${LIMIT_MS / 1000} s`);
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
