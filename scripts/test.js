// @ts-check
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepare } from './prepare.js';

const ENV = { ...process.env, NODE_ENV: 'test' };
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** @typedef {{ passed: number, failed: number }} Count */

const CHECKS = [
  { name: 'lint', args: ['node_modules/@biomejs/biome/bin/biome', 'check', '.'] },
  { name: 'types', args: ['node_modules/typescript/bin/tsc', '--noEmit'] },
  { name: 'dead code', args: ['node_modules/knip/bin/knip.js'] },
];

/** A machine that is busy with other work fails no whole run: what passes only on its second try is named at the end. */
const SECOND_TRY = ['--retry=1', '--reporter=./test/support/second-tries.ts'];

await prepare({ dev: true });
const given = process.argv.slice(2).filter((argument) => argument !== '--');
const isQuick = given.includes('--quick');
const filters = given.filter((argument) => argument !== '--quick');
const counts = await (isQuick
  ? runQuickly(filters)
  : filters.length > 0
    ? runOnly(filters)
    : runEverything());
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const failed = counts.reduce((sum, count) => sum + count.failed, 0);
say(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;

/** @returns {Promise<Count[]>} */
async function runEverything() {
  return [...(await Promise.all(CHECKS.map(runCheck))), runTests(['--coverage', ...SECOND_TRY])];
}

/**
 * @param {string[]} filters
 * @returns {Count[]}
 */
function runOnly(filters) {
  say(`Only vitest ${filters.join(' ')}: no lint, types, dead code or coverage.`);
  return [runTests(filters)];
}

/**
 * Before each commit: the tests on the embedded database that start no process and no browser.
 * @param {string[]} filters
 * @returns {Count[]}
 */
function runQuickly(filters) {
  say(
    'Without PostgreSQL (*.postgres.test.ts), processes (*.process.*) and browser (test/e2e/): npm test runs them.',
  );
  return [runTests(['--project', 'wodb', ...filters], { TEST_QUICK: '1' })];
}

/**
 * Runs a check beside the others; what it says is shown when it has ended.
 * @param {{ name: string, args: string[] }} check
 * @returns {Promise<Count>}
 */
async function runCheck({ name, args }) {
  const check = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env: ENV });
  /** @type {Buffer[]} */
  const output = [];
  for (const stream of [check.stdout, check.stderr]) stream.on('data', (chunk) => output.push(chunk));
  const [code] = await once(check, 'close');
  const succeeded = code === 0;
  say(`\n== ${name}\n${Buffer.concat(output)}${name}: ${succeeded ? 'passed' : 'failed'}`);
  return { passed: succeeded ? 1 : 0, failed: succeeded ? 0 : 1 };
}

/**
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 * @returns {Count}
 */
function runTests(args, env) {
  say('\n== tests');
  const folder = mkdtempSync(join(tmpdir(), 'wotp-test-'));
  const report = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const succeeded = runNode(['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...args], env);
  const count = countOf(report);
  rmSync(folder, { recursive: true, force: true });
  // Coverage below its threshold, an error outside a test or no test at all shows in the exit code alone.
  if (!succeeded && count.failed === 0) count.failed = 1;
  say(`tests: ${succeeded ? 'passed' : 'failed'}`);
  return count;
}

/**
 * @param {string} report
 * @returns {Count}
 */
function countOf(report) {
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
    // A file that cannot even be loaded fails without a failed test in it.
    const brokenFiles = testResults.filter(
      (/** @type {{ status: string, assertionResults: { status: string }[] }} */ file) =>
        file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'),
    );
    return { passed: numPassedTests, failed: numFailedTests + brokenFiles.length };
  } catch (error) {
    say(`The test runner left no report: ${error instanceof Error ? error.message : error}`);
    return { passed: 0, failed: 1 };
  }
}

/**
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
function runNode(args, env) {
  return (
    spawnSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env: { ...ENV, ...env } }).status === 0
  );
}

/** @param {string} line */
function say(line) {
  process.stdout.write(`${line}\n`);
}
