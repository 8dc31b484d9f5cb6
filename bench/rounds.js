// @ts-check
// Servers under the same load in turn, A B C A B C …, so that what else the machine does falls on all of them alike.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Table from 'cli-table3';

const run = promisify(execFile);
const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));

/** Node compiles what it has seen often enough; before that the figures are those of a start, not of a day. */
const WARM_UP = 25_000;

/**
 * @typedef {'send' | 'verify'} What
 * @typedef {{ pid: number | undefined, address: string, apiKey: string }} Server
 * @typedef {import('./load.js').Result & { cpuMicros: number }} Measured processor time in µs a request
 * @typedef {Record<What, Measured[]>} Results a figure a round
 */

/** Starts the handler that every figure is compared with. */
export async function startEmptyHandler() {
  const child = spawn(process.execPath, [here('empty-handler.js')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [address] = await once(createInterface({ input: child.stdout }), 'line');
  return { pid: child.pid, address: String(address), apiKey: 'none', stop: () => void child.kill() };
}

/** Processor time of a process so far, in µs; 0 where the system does not tell. @param {number | undefined} pid */
export function cpuMicros(pid) {
  const path = `/proc/${pid}/stat`;
  if (!existsSync(path)) return 0;
  const fields = readFileSync(path, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/**
 * @param {Server} server @param {What} what @param {{ first: number, seconds?: number, count?: number }} load
 * @returns {Promise<Measured>}
 */
async function measure({ pid, address, apiKey }, what, load) {
  const before = cpuMicros(pid);
  const given = { url: `${address}/api/v1/otp/${what}`, key: apiKey, ...load };
  const { stdout } = await run(process.execPath, [here('load.js'), JSON.stringify(given)]);
  const result = /** @type {import('./load.js').Result} */ (JSON.parse(stdout));
  if (result.ok !== result.done) {
    throw new Error(`not every ${what} succeeded: ${result.ok} of ${result.done} at ${address}`);
  }
  return { ...result, cpuMicros: (cpuMicros(pid) - before) / result.done };
}

/**
 * Resolves when a server has done what it still had to do, such as handing out messages: it would take processor time from
 * what is measured next. @param {Server} server
 */
export async function idle({ pid }) {
  const LOOK_MS = 250;
  const IDLE_SHARE = 0.1;
  for (let before = cpuMicros(pid); ; ) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const now = cpuMicros(pid);
    if (now - before <= LOOK_MS * 1000 * IDLE_SHARE) return;
    before = now;
  }
}

/**
 * Loads the servers in turn, once to warm them up and then `rounds` times: sends for so many seconds each, then the checks
 * of what was sent.
 * @template {string} Name
 * @param {Record<Name, Server>} servers
 * @param {{ rounds: number, seconds: number, firstPhone: number }} options
 * @returns {Promise<{ results: Record<Name, Results>, nextPhone: number }>}
 */
export async function inTurn(servers, { rounds, seconds, firstPhone }) {
  const names = /** @type {Name[]} */ (Object.keys(servers));
  const results = /** @type {Record<Name, Results>} */ ({});
  for (const name of names) results[name] = { send: [], verify: [] };
  let first = firstPhone;
  for (let round = 0; round <= rounds; round++) {
    process.stderr.write(round === 0 ? '  warming up     \r' : `  round ${round} of ${rounds} \r`);
    const isWarmUp = round === 0;
    const load = isWarmUp ? { first, count: WARM_UP } : { first, seconds };
    /** @type {Record<string, number>} */
    const sent = {};
    for (const what of /** @type {const} */ (['send', 'verify'])) {
      for (const name of names) {
        await Promise.all(names.map((each) => idle(servers[each])));
        const measured = await measure(
          servers[name],
          what,
          // All that was sent is checked: what is left over would expire while something is measured.
          what === 'send' ? load : { first, count: sent[name] },
        );
        if (what === 'send') sent[name] = measured.done;
        if (!isWarmUp) results[name][what].push(measured);
      }
    }
    first += Math.max(...Object.values(sent));
    names.push(.../** @type {[Name]} */ (names.splice(0, 1)));
  }
  return { results, nextPhone: first };
}

/** @param {number[]} values */
export function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/**
 * The median over the rounds of how much faster one server was than another in the same round.
 * @param {Results} own @param {Results} reference @param {What} what
 */
export function ratio(own, reference, what) {
  return median(
    own[what].map(({ perSecond }, round) => perSecond / (reference[what][round]?.perSecond ?? Number.NaN)),
  );
}

/**
 * A table of medians, with the ratio of each server to the first.
 * @param {string} title @param {Record<string, Results>} results
 */
export function tableOf(title, results) {
  const shown = new Table({
    head: [title, 'per second', 'p50 ms', 'p99 ms', 'cpu µs', 'ratio', 'cpu ratio'],
    style: { head: [], border: [] },
  });
  const [reference] = Object.values(results);
  if (!reference) throw new Error('There is nothing to show.');
  for (const what of /** @type {const} */ (['send', 'verify'])) {
    for (const [name, own] of Object.entries(results)) {
      const of = (/** @type {keyof Measured} */ figure) => median(own[what].map((round) => round[figure]));
      const cpuRatio = median(
        own[what].map(
          ({ cpuMicros }, round) => (reference[what][round]?.cpuMicros ?? Number.NaN) / cpuMicros,
        ),
      );
      shown.push([
        `${name}, ${what === 'send' ? 'sends' : 'checks'}`,
        Math.round(of('perSecond')),
        of('p50').toFixed(1),
        of('p99').toFixed(1),
        Math.round(of('cpuMicros')),
        ratio(own, reference, what).toFixed(3),
        cpuRatio.toFixed(3),
      ]);
    }
  }
  return shown.toString();
}
