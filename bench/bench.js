// @ts-check
// `npm run bench`: the built server on both engines against an empty handler, loaded in turn in one run, and the write
// queue.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Table from 'cli-table3';
import { LocalPostgres } from './local-postgres.js';
import { benchWriteQueue } from './write-queue.js';

const run = promisify(execFile);
/** @param {string} name */
const here = (name) => fileURLToPath(new URL(name, import.meta.url));

const ROUNDS = 3;
const ROUND_SECONDS = 4;
/** Node compiles what it has seen often enough; before that the figures are those of a start, not of a day. */
const WARM_UP_SECONDS = 12;
const STORED = 100_000;

/** @typedef {import('./load.js').Result & { cpuMicros: number }} Measured */

let nextPhone = 0;

/**
 * Starts a program and resolves when it has printed what `pattern` finds.
 * @param {string} file @param {Record<string, string>} env @param {RegExp} pattern @param {string[]} flags Node's own
 */
async function start(file, env, pattern, flags = []) {
  const child = spawn(process.execPath, [...flags, file], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  /** @type {RegExpExecArray} */
  const found = await new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}: ${printed}`)));
    child.stdout.on('data', (chunk) => {
      if (printed.length > 10_000) return;
      printed += chunk;
      const match = pattern.exec(printed);
      if (match) resolve(match);
    });
  });
  return { child, found, printed: () => printed };
}

/** @param {import('node:child_process').ChildProcess} child */
async function stop(child) {
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exit;
}

/** Processor time of a process so far, in µs; 0 where the system does not tell. @param {number | undefined} pid */
function cpuMicros(pid) {
  const path = `/proc/${pid}/stat`;
  if (!existsSync(path)) return 0;
  const fields = readFileSync(path, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/**
 * @param {{ pid?: number }} process the server under load @param {import('./load.js').Load} load
 * @returns {Promise<Measured>}
 */
async function measure({ pid }, load) {
  const before = cpuMicros(pid);
  const { stdout } = await run(process.execPath, [here('load.js'), JSON.stringify(load)]);
  const result = JSON.parse(stdout);
  return { ...result, cpuMicros: (cpuMicros(pid) - before) / result.done };
}

/**
 * Resolves when a server has done what it still had to do, such as handing out messages: it would take processor time from
 * what is measured next. @param {{ pid?: number }} process
 */
async function idle({ pid }) {
  const LOOK_MS = 250;
  const IDLE_SHARE = 0.1;
  for (let before = cpuMicros(pid); ; ) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const now = cpuMicros(pid);
    if (now - before <= LOOK_MS * 1000 * IDLE_SHARE) return;
    before = now;
  }
}

/** @param {number[]} values */
function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/**
 * Loads the handler and the server in turn, A B A B …
 * @param {{ child: import('node:child_process').ChildProcess, address: string, key: string }} wotp
 * @param {{ child: import('node:child_process').ChildProcess, address: string }} empty
 */
async function rounds(wotp, empty) {
  /** @type {{ emptySend: Measured, send: Measured, emptyVerify: Measured, verify: Measured }[]} */
  const all = [];
  for (let round = 0; round < ROUNDS; round++) {
    process.stderr.write(`  round ${round + 1} of ${ROUNDS}\r`);
    const { key } = wotp;
    const seconds = ROUND_SECONDS;
    const first = nextPhone;
    await idle(wotp.child);
    const emptySend = await measure(empty.child, {
      url: `${empty.address}/api/v1/otp/send`,
      key,
      first,
      seconds,
    });
    const send = await measure(wotp.child, { url: `${wotp.address}/api/v1/otp/send`, key, first, seconds });
    nextPhone += send.done;
    const count = send.done;
    await idle(wotp.child);
    const emptyVerify = await measure(empty.child, {
      url: `${empty.address}/api/v1/otp/verify`,
      key,
      first,
      seconds,
    });
    const verify = await measure(wotp.child, { url: `${wotp.address}/api/v1/otp/verify`, key, first, count });
    if (send.ok !== send.done || verify.ok !== verify.done) {
      throw new Error(
        `not every request succeeded: ${send.ok}/${send.done} sends, ${verify.ok}/${verify.done} verifies`,
      );
    }
    all.push({ emptySend, send, emptyVerify, verify });
  }
  return all;
}

/**
 * @param {string} title @param {Awaited<ReturnType<typeof rounds>>} all
 */
function report(title, all) {
  const table = new Table({
    head: [title, 'per second', 'p50 ms', 'p99 ms', 'cpu µs', 'ratio', 'cpu ratio'],
    style: { head: [], border: [] },
  });
  /** @type {[string, 'send' | 'verify', 'emptySend' | 'emptyVerify'][]} */
  const rows = [
    ['sends', 'send', 'emptySend'],
    ['verifies', 'verify', 'emptyVerify'],
  ];
  for (const [name, own, reference] of rows) {
    /** @param {'send' | 'verify' | 'emptySend' | 'emptyVerify'} what @param {keyof Measured} figure */
    const of = (what, figure) => median(all.map((round) => round[what][figure]));
    const ratio = median(all.map((round) => round[own].perSecond / round[reference].perSecond));
    const cpuRatio = median(all.map((round) => round[reference].cpuMicros / round[own].cpuMicros));
    /** @param {'send' | 'verify' | 'emptySend' | 'emptyVerify'} what */
    const figures = (what) => [
      Math.round(of(what, 'perSecond')),
      of(what, 'p50').toFixed(1),
      of(what, 'p99').toFixed(1),
      Math.round(of(what, 'cpuMicros')),
    ];
    table.push([`empty handler (${name})`, ...figures(reference), '1', '1']);
    table.push([`WOTP ${name}`, ...figures(own), ratio.toFixed(3), cpuRatio.toFixed(3)]);
  }
  console.log(table.toString());
  return {
    sends: median(all.map((round) => round.send.perSecond)),
    verifies: median(all.map((round) => round.verify.perSecond)),
  };
}

/** Resident memory of a process in MB. @param {number | undefined} pid */
function residentMegabytes(pid) {
  const path = `/proc/${pid}/status`;
  if (!existsSync(path)) return undefined;
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(path, 'utf8'))?.[1]) / 1024);
}

/** The built server as `npm start` runs it, on its first start. @param {Record<string, string>} settings */
async function startWotp(settings) {
  const env = { PORT: '0', RATE_LIMIT_MAX: '1000000000', NODE_ENV: '', ...settings };
  const flags = ['--max-semi-space-size=32'];
  const server = await start(here('../dist/main.js'), env, /API key +(wotp_[0-9a-f]{64})/, flags);
  return {
    child: server.child,
    key: server.found[1] ?? '',
    address: /http:\/\/127\.0\.0\.1:\d+/.exec(server.printed())?.[0] ?? '',
  };
}

/**
 * Loads a server until Node has compiled what it runs.
 * @param {{ child: import('node:child_process').ChildProcess, address: string }} server @param {string} key
 */
async function warmUp({ child, address }, key) {
  const first = nextPhone;
  const send = { url: `${address}/api/v1/otp/send`, key, first, seconds: WARM_UP_SECONDS };
  const sent = await measure(child, send);
  nextPhone += sent.done;
  const count = Math.min(sent.done, 20_000);
  await measure(child, { url: `${address}/api/v1/otp/verify`, key, first, count });
}

const folder = mkdtempSync(join(tmpdir(), 'wotp-bench-'));
try {
  const wotp = await startWotp({ DATA_DIR: folder });
  const handler = await start(here('empty-handler.js'), {}, /http:\/\/127\.0\.0\.1:\d+/);
  const empty = { child: handler.child, address: handler.found[0] };
  try {
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    console.log(`Idle memory after 3 s: ${residentMegabytes(wotp.child.pid)} MB resident.`);
    console.log(
      `32 connections from another process, distinct phones; medians of ${ROUNDS} rounds of ${ROUND_SECONDS} s in turn.`,
    );
    for (const server of [wotp, empty]) await warmUp(server, wotp.key);
    const atNone = report('few verifications stored', await rounds(wotp, empty));

    process.stderr.write(`  storing ${STORED} verifications\r`);
    const seed = { url: `${wotp.address}/api/v1/otp/send`, key: wotp.key, first: nextPhone, count: STORED };
    nextPhone += (await measure(wotp.child, seed)).done;
    const atMany = report(`${STORED.toLocaleString('en')} more stored`, await rounds(wotp, empty));
    console.log(
      `With ${STORED.toLocaleString('en')} more stored: sends at ${(atMany.sends / atNone.sends).toFixed(2)}, verifies at ${(atMany.verifies / atNone.verifies).toFixed(2)} of the figures above.`,
    );

    const postgres = await LocalPostgres.start({ fsync: true });
    try {
      const onPostgres = await startWotp({
        DATA_DIR: join(folder, 'node'),
        DATABASE_URL: await postgres.createDatabase(),
        DB_MASTER_KEY: randomBytes(32).toString('hex'),
      });
      try {
        await warmUp(onPostgres, onPostgres.key);
        const { sends, verifies } = report('PostgreSQL here', await rounds(onPostgres, empty));
        console.log(
          `One node on a PostgreSQL on this machine, fsync on: sends at ${(sends / atNone.sends).toFixed(2)}, verifies at ${(verifies / atNone.verifies).toFixed(2)} of WODB's.`,
        );
      } finally {
        await stop(onPostgres.child);
      }
    } finally {
      await postgres.remove();
    }
  } finally {
    await Promise.all([stop(wotp.child), stop(empty.child)]);
  }

  const queue = new Table({
    head: ['write queue: group', 'commits/s', 'rows/s'],
    style: { head: [], border: [] },
  });
  for (const row of await benchWriteQueue())
    queue.push([row.group, Math.round(row.commitsPerSecond), Math.round(row.rowsPerSecond)]);
  console.log(queue.toString());
} finally {
  rmSync(folder, { recursive: true, force: true });
}
