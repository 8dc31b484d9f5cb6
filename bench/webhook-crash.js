// @ts-check
// node bench/webhook-crash.js [sends] [kills] [wodb|postgres] [sends a second]
// Kills servers (3 times by default) while 1,000 sends are reported to a webhook endpoint that fails 30 % of the time and
// hangs 5 %, to a healthy one and to a dead one; on PostgreSQL one of two nodes at a time.
import { runWebhookCrashRounds } from './webhook-crash-rounds.js';

const [sends, kills, engine, perSecond] = [
  Number(process.argv[2] ?? 1_000),
  Number(process.argv[3] ?? 3),
  process.argv[4] ?? 'wodb',
  Number(process.argv[5] ?? 80),
];
const areCounts = [sends, kills, perSecond].every((count) => Number.isInteger(count) && count >= 0);
if (!areCounts || (engine !== 'wodb' && engine !== 'postgres')) {
  process.stderr.write(
    'Usage: node bench/webhook-crash.js [sends] [kills] [wodb|postgres] [sends a second]\n',
  );
  process.exit(2);
}
try {
  const say = (/** @type {string} */ line) => void process.stdout.write(`${line}\n`);
  const { repeated } = await runWebhookCrashRounds({
    engine,
    sends,
    kills,
    perSecond,
    waitForLeases: true,
    say,
  });
  if (repeated >= 0.01) throw new Error('1 % or more of the events came again after a 2xx.');
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
