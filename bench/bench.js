// @ts-check
// `npm run bench`: the built server on both engines against an empty handler, loaded in turn in one run; the write queue;
// and each channel against a stand-in.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { BuiltServer } from './built-server.js';
import { benchChannels } from './channels.js';
import { LocalPostgres } from './local-postgres.js';
import { inTurn, ratio, startEmptyHandler, tableOf } from './rounds.js';
import { benchWriteQueue } from './write-queue.js';

const ROUNDS = 7;
const ROUND_SECONDS = 3;
const STORED = 100_000;
const SECRETS = { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex') };

const folder = mkdtempSync(join(tmpdir(), 'wotp-bench-'));
/** What is to be stopped at the end, the latest first. @type {(() => void | Promise<void>)[]} */
const stops = [() => rmSync(folder, { recursive: true, force: true })];

/** @param {string} name */
const newDir = (name) => mkdtempSync(join(folder, `${name}-`));

/** A server that logs each request, as an operator's does. @param {string} dir @param {Record<string, string>} settings */
async function start(dir, settings = {}, apiKey = '') {
  const server = await BuiltServer.start(dir, SECRETS, apiKey, { LOG_LEVEL: 'info', ...settings });
  stops.unshift(() => server.stop());
  return server;
}

/** A server over a database that holds so many verifications; another process has stored them. @param {number} count */
async function startWith(count) {
  const dir = newDir('many');
  const seeding = await BuiltServer.start(dir, SECRETS);
  await seeding.seed(count);
  await seeding.stop();
  return start(dir, {}, seeding.apiKey);
}

/** Resident memory of a process in MB. @param {number | undefined} pid */
function residentMegabytes(pid) {
  const path = `/proc/${pid}/status`;
  if (!existsSync(path)) return undefined;
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(path, 'utf8'))?.[1]) / 1024);
}

/** @param {import('./rounds.js').Results} own @param {import('./rounds.js').Results} other */
const beside = (own, other) =>
  `sends at ${ratio(own, other, 'send').toFixed(2)}, checks at ${ratio(own, other, 'verify').toFixed(2)}`;

try {
  const handler = await startEmptyHandler();
  stops.unshift(handler.stop);
  const none = await start(newDir('none'));
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  console.log(`Idle memory after 3 s: ${residentMegabytes(none.pid)} MB resident.`);
  console.log(
    `32 connections from another process, distinct phones; medians of ${ROUNDS} rounds of ${ROUND_SECONDS} s in turn.`,
  );

  const many = await startWith(STORED);
  const { results, nextPhone } = await inTurn(
    { 'empty handler': handler, none, many },
    { rounds: ROUNDS, seconds: ROUND_SECONDS, firstPhone: 0 },
  );
  console.log(tableOf(`none and ${STORED} stored`, results));
  console.log(
    `With ${STORED} verifications stored: ${beside(results.many, results.none)} of those with none.`,
  );

  const postgres = await LocalPostgres.start({ fsync: true });
  stops.unshift(() => postgres.remove());
  const onPostgres = await start(newDir('node'), { DATABASE_URL: await postgres.createDatabase() });
  const { results: engines } = await inTurn(
    { 'empty handler': handler, WODB: none, PostgreSQL: onPostgres },
    { rounds: ROUNDS, seconds: ROUND_SECONDS, firstPhone: nextPhone },
  );
  console.log(tableOf('the two engines', engines));
  console.log(
    `One node on a PostgreSQL on this machine, fsync on: ${beside(engines.PostgreSQL, engines.WODB)} of WODB's.`,
  );

  const queue = new Table({
    head: ['write queue: group', 'commits/s', 'rows/s'],
    style: { head: [], border: [] },
  });
  for (const row of await benchWriteQueue())
    queue.push([row.group, Math.round(row.commitsPerSecond), Math.round(row.rowsPerSecond)]);
  console.log(queue.toString());

  const channels = new Table({
    head: ['channel', 'messages/s', 'µs of processor time'],
    style: { head: [], border: [] },
  });
  for (const { channel, perSecond, cpuMicros } of await benchChannels())
    channels.push([channel, Math.round(perSecond), Math.round(cpuMicros)]);
  console.log(channels.toString());
} finally {
  for (const stop of stops) await stop();
}
