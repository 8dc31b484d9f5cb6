// @ts-check
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureBuilt } from './ensure-built.js';

const PROGRAM = fileURLToPath(new URL('../dist/wotp.js', import.meta.url));
/** No restore here takes longer, in ms. */
const PATIENCE_MS = 30_000;

/**
 * Restores a backup in a process of its own, kills it at a random moment, and looks whether the folder then holds the old
 * database whole or the new one whole, as `wotp verify` and `wotp token list` see it; `rounds` times, each on a fresh copy
 * of one data folder. Throws an AssertionError at the first that does not, and then leaves the folder for inspection.
 * @param {{ rounds: number, say: (line: string) => void }} options
 */
export async function runRestoreRounds({ rounds, say }) {
  await ensureBuilt();
  const dir = mkdtempSync(join(tmpdir(), 'wotp-restore-'));
  const template = join(dir, 'template');
  // The backup holds one key, the database that it replaces two.
  await done(template, 'migrate', '--json');
  await done(template, 'token', 'create', '--name', 'first', '--json');
  const { file } = await done(template, 'backup', '--out', join(dir, 'backup.wodb'), '--json');
  await done(template, 'token', 'create', '--name', 'second', '--json');

  const trial = join(dir, 'trial');
  cpSync(template, trial, { recursive: true });
  const { tookMs } = await restoreAndKill(trial, file, PATIENCE_MS);

  const outcomes = { old: 0, new: 0, killed: 0 };
  for (let round = 1; round <= rounds; round++) {
    const data = join(dir, `round-${round}`);
    cpSync(template, data, { recursive: true });
    const afterMs = tookMs * Math.random();
    const { killed } = await restoreAndKill(data, file, afterMs);
    const left = readdirSync(data).sort();
    const { ok, rows } = await done(data, 'verify', '--json');
    assert.equal(ok, true);
    const { keys } = await done(data, 'token', 'list', '--json');
    assert.equal(keys.length, rows.api_keys);
    assert.ok(rows.api_keys === 1 || rows.api_keys === 2, `${data} holds ${rows.api_keys} keys`);
    const outcome = rows.api_keys === 2 ? 'old' : 'new';
    outcomes[outcome] += 1;
    if (killed) outcomes.killed += 1;
    assert.deepEqual(
      readdirSync(data).filter((name) => name.endsWith('.replace')),
      [],
    );
    say(
      `round ${round}: ${killed ? 'killed' : 'ended'} after ${afterMs.toFixed(1)} ms with ${left.length} files, the ${outcome} database is whole`,
    );
    rmSync(data, { recursive: true, force: true });
  }
  rmSync(dir, { recursive: true, force: true });
  say(
    `in all: ${outcomes.killed} killed of ${rounds}; ${outcomes.old} times the old database, ${outcomes.new} times the new one`,
  );
  return outcomes;
}

/**
 * @param {string} data
 * @param {string[]} args
 */
function start(data, args) {
  return spawn(process.execPath, [PROGRAM, ...args], {
    // Away from the repository, so that no .env in it is read.
    cwd: tmpdir(),
    env: { PATH: process.env.PATH, DATA_DIR: data },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/**
 * Runs a command over a data folder to its end, which has to be a good one; resolves to what it says.
 * @param {string} data
 * @param {string[]} args
 * @returns {Promise<any>}
 */
async function done(data, ...args) {
  const child = start(data, args);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  assert.equal(code, 0, `wotp ${args.join(' ')} over ${data}: ${stderr}${stdout}`);
  return JSON.parse(/** @type {string} */ (stdout.trimEnd().split('\n').at(-1)));
}

/**
 * Restores and kills as much later as is said, counted from when the copy of the backup begins; before that a command only
 * starts. Resolves to whether the kill came in time, and else to how long it took.
 * @param {string} data
 * @param {string} file
 * @param {number} afterMs
 */
async function restoreAndKill(data, file, afterMs) {
  const child = start(data, ['restore', file, '--yes', '--json']);
  const exited = once(child, 'exit');
  const copy = join(data, 'wotp.wodb.restoring');
  while (child.exitCode === null && !existsSync(copy)) await nextTurn();
  const begun = performance.now();
  while (child.exitCode === null && performance.now() - begun < afterMs) await nextTurn();
  child.kill('SIGKILL');
  const [, signal] = await exited;
  return { killed: signal === 'SIGKILL', tookMs: performance.now() - begun };
}

function nextTurn() {
  return new Promise((resolve) => setImmediate(resolve));
}
