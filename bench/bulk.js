// @ts-check
// node bench/bulk.js [wodb|postgres] [jobs] [recipients] [kills] [canceled recipients]
// Sends ten bulk jobs of 10,000 at once to the virtual phone, kills the server five times meanwhile, and checks that each
// recipient got exactly one message; then cancels one more job in the middle. Prints the rate, what memory it took, and how
// long single codes took meanwhile.
import { runBulkRounds } from './bulk-rounds.js';

const [engine = 'wodb', ...given] = process.argv.slice(2);
const [jobs = 10, recipients = 10_000, kills = 5, cancel = 5_000] = given.map(Number);
const fits = [jobs, recipients, kills, cancel].every((number) => Number.isInteger(number) && number >= 0);
if ((engine !== 'wodb' && engine !== 'postgres') || !fits) {
  process.stderr.write(
    'Usage: node bench/bulk.js [wodb|postgres] [jobs] [recipients] [kills] [canceled recipients]\n',
  );
  process.exit(2);
}
const say = (/** @type {string} */ line) => void process.stdout.write(`${line}\n`);
try {
  await runBulkRounds({ engine, jobs, recipients, kills, cancel, warmUp: 5_000, say });
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}
