// @ts-check
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { prepare } from './prepare.js';

// npm run mutation [-- FILE …]: changes the rules one thing at a time and says how many of the changes the unit tests
// notice. Ends with 1 when they miss too many of a file's.

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const REPORT = new URL('../reports/mutation.json', import.meta.url);
/** The least share of a file's mutants that tests must notice, in percent. */
const KILLED_MIN = 85;

await prepare({ dev: true });
const files = process.argv.slice(2).filter((argument) => argument !== '--');
const only = files.length === 0 ? [] : ['--mutate', files.join(',')];
const { status } = spawnSync(
  process.execPath,
  ['node_modules/@stryker-mutator/core/bin/stryker.js', 'run', ...only],
  {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, NODE_ENV: 'test' },
  },
);
process.exitCode = status === 0 && allFilesHold() ? 0 : 1;

function allFilesHold() {
  /** @type {{ files: Record<string, { mutants: { status: string }[] }> }} */
  const report = JSON.parse(readFileSync(REPORT, 'utf8'));
  let holds = true;
  for (const [name, { mutants }] of Object.entries(report.files)) {
    const count = (/** @type {string[]} */ ...of) =>
      mutants.filter((mutant) => of.includes(mutant.status)).length;
    const killed = count('Killed', 'Timeout');
    const all = killed + count('Survived', 'NoCoverage');
    const percent = all === 0 ? 100 : Math.floor((1000 * killed) / all) / 10;
    if (percent < KILLED_MIN) holds = false;
    const verdict = percent < KILLED_MIN ? ` (at least ${KILLED_MIN} % are wanted)` : '';
    process.stdout.write(`${name}: ${killed} of ${all} killed, ${percent} %${verdict}\n`);
  }
  return holds;
}
