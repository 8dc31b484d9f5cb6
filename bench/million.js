// @ts-check
// node bench/million.js [verifications] [folder]
// A database of a million invented verifications (by default): what it weighs, how fast sends and checks are beside an
// empty one, how long every list takes, and how long a send waits while old data is deleted and space is given back. The
// database is made in the folder if it holds none, and stays there; without a folder it is made and removed.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { BuiltServer } from './built-server.js';
import { ensureBuilt } from './ensure-built.js';
import { inTurn, ratio, startEmptyHandler, tableOf } from './rounds.js';

const ROUNDS = 5;
const ROUND_SECONDS = 4;
/** How often each list is asked for. */
const ASKED = 100;
const CLIENTS = 8;
const DAY_MS = 24 * 60 * 60 * 1000;
/** How long deleting, and giving space back, is looked at, in ms. */
const COMPACT_MS = 60_000;
const KEEP_ALL = { RETENTION_DAYS_VERIFICATIONS: '0', RETENTION_DAYS_EVENTS: '0' };

const count = Number(process.argv[2] ?? 1_000_000);
const given = process.argv[3];
if (!Number.isInteger(count) || count < 1) {
  process.stderr.write('Usage: node bench/million.js [verifications] [folder]\n');
  process.exit(2);
}

/** @param {string} line */
const say = (line) => void process.stdout.write(`${line}\n`);

/** A server over a folder, with secrets that stay beside the database. @param {string} dir @param {Record<string, string>} settings */
async function start(dir, settings = {}) {
  const path = join(dir, 'bench-secrets.json');
  const secrets = existsSync(path)
    ? JSON.parse(readFileSync(path, 'utf8'))
    : { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex'), apiKey: '' };
  const server = await BuiltServer.start(dir, secrets, secrets.apiKey, { ...KEEP_ALL, ...settings });
  writeFileSync(path, JSON.stringify({ ...secrets, apiKey: server.apiKey }), { mode: 0o600 });
  return server;
}

/** Resolves when a server has nothing left to do: messages of an earlier load and their receipts. @param {BuiltServer} server */
async function settled(server) {
  for (let quiet = 0; quiet < 5; ) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { waitingWrites, messagesInFlight } = (await server.call('GET', 'health/metrics')).body.figures;
    quiet = waitingWrites + messagesInFlight === 0 ? quiet + 1 : 0;
  }
}

/** @param {number[]} values @param {number} share */
function quantile(values, share) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;
}

// Each phone is sent to once in an hour at most, also when the folder is used again.
let nextPhone = Math.floor(Date.now() / 1000) % 60_000_000;

/** @template T @param {readonly T[]} values */
const anyOf = (values) => /** @type {T} */ (values[Math.floor(Math.random() * values.length)]);

/** Asks for every list and prints how long each takes. @param {BuiltServer} server */
async function lists(server) {
  const now = Date.now();
  const ago = (/** @type {number} */ days) => new Date(now - Math.random() * days * DAY_MS).toISOString();
  /** Verifications from all over the two weeks, to ask for what is there. @type {any[]} */
  const known = [];
  for (let i = 0; i < 50; i++) {
    known.push(...(await server.call('GET', `otp?limit=5&to=${ago(13)}`)).body.data);
  }
  const statuses = ['verified', 'expired', 'canceled', 'max_attempts_reached', 'failed', 'pending'];
  const purposes = ['login', 'signup', 'payment', 'password-reset'];
  const phone = () => encodeURIComponent(anyOf(known).phone);
  const deep = () => `cursor=${anyOf(known).id}`;
  /** @type {Record<string, () => string>} */
  const asked = {
    'no filter': () => 'otp',
    'no filter, 200 a page': () => 'otp?limit=200',
    'no filter, deep': () => `otp?${deep()}`,
    'from and to': () => `otp?from=${ago(14)}&to=${ago(7)}`,
    phone: () => `otp?phone=${phone()}`,
    'phone unknown': () => 'otp?phone=%2B6283899999999',
    'phone and status': () => `otp?phone=${phone()}&status=${anyOf(statuses)}`,
    'purpose that has none': () => 'otp?purpose=nobody-asked',
    'purpose that has none, and status': () => `otp?purpose=nobody-asked&status=${anyOf(statuses)}`,
    'purpose and status': () => `otp?purpose=${anyOf(purposes)}&status=${anyOf(statuses)}`,
    'purpose and status, deep': () => `otp?purpose=${anyOf(purposes)}&status=${anyOf(statuses)}&${deep()}`,
    'purpose, status, from and to': () =>
      `otp?purpose=${anyOf(purposes)}&status=${anyOf(statuses)}&from=${ago(14)}&to=${ago(7)}`,
    'purpose of the newest, ended otherwise': () => 'otp?purpose=default&status=failed',
    'one, with its timeline': () => `otp/${anyOf(known).id}`,
    'virtual phones': () => 'simulator/messages',
    'virtual phones, 200 a page': () => 'simulator/messages?limit=200',
    'one virtual phone': () => `simulator/messages?to=${phone()}`,
    'limits of a phone': () => `limits/${phone()}`,
  };
  for (const status of statuses) {
    asked[`status ${status}`] = () => `otp?status=${status}`;
    asked[`status ${status}, deep`] = () => `otp?status=${status}&${deep()}`;
  }
  for (const purpose of purposes) {
    asked[`purpose ${purpose}`] = () => `otp?purpose=${purpose}`;
    asked[`purpose ${purpose}, deep`] = () => `otp?purpose=${purpose}&${deep()}`;
  }
  const table = new Table({ head: [`list at ${count}`, 'p50 ms', 'p95 ms', 'longest ms', 'rows'] });
  let slowest = 0;
  for (const [name, path] of Object.entries(asked)) {
    /** @type {number[]} */
    const waits = [];
    let rows = 0;
    for (let i = 0; i < ASKED; i++) {
      const wanted = path();
      const begun = performance.now();
      const isAdmins = /^(limits|simulator)/.test(wanted);
      const { status, body } = await (isAdmins
        ? server.callAsAdmin('GET', wanted)
        : server.call('GET', wanted));
      waits.push(performance.now() - begun);
      if (status !== 200) throw new Error(`${wanted}: ${JSON.stringify(body)}`);
      rows += Array.isArray(body.data) ? body.data.length : 1;
    }
    slowest = Math.max(slowest, quantile(waits, 0.95));
    table.push([
      name,
      ...[0.5, 0.95, 0.999].map((share) => quantile(waits, share).toFixed(1)),
      (rows / ASKED).toFixed(0),
    ]);
  }
  say(table.toString());
  say(`The slowest list takes ${slowest.toFixed(1)} ms at p95.`);
}

/** Sends from several clients until `isOver`; resolves to how long they waited. @param {BuiltServer} server @param {() => boolean} isOver */
async function sendMeanwhile(server, isOver) {
  /** @type {number[]} */
  const waits = [];
  const client = async () => {
    while (!isOver()) {
      const phone = `+62838${10_000_000 + nextPhone++}`;
      const asked = performance.now();
      const { status, body } = await server.call('POST', 'otp/send', { phone });
      if (status !== 201) throw new Error(JSON.stringify(body));
      waits.push(performance.now() - asked);
    }
  };
  const begun = performance.now();
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const perSecond = waits.length / ((performance.now() - begun) / 1000);
  const [p50, p99, longest] = [0.5, 0.99, 0.99999].map((share) => quantile(waits, share).toFixed(1));
  return `${perSecond.toFixed(0)} sends/s · p50 ${p50} ms · p99 ${p99} ms · longest ${longest} ms`;
}

/** Compacts for a while, with sends meanwhile. @param {BuiltServer} server @param {string} what */
async function compact(server, what) {
  const end = performance.now() + COMPACT_MS;
  let isOver = false;
  const done = { verifications: 0, events: 0, before: 0, after: 0 };
  const steps = async () => {
    while (performance.now() < end) {
      const { status, body } = await server.callAsAdmin('POST', 'database/compact');
      if (status !== 200) throw new Error(JSON.stringify(body));
      done.verifications += body.data.purged.verifications;
      done.events += body.data.purged.events;
      done.before ||= body.data.bytesBefore;
      done.after = body.data.bytes;
      if (body.data.done) break;
    }
    isOver = true;
  };
  const [waited] = await Promise.all([sendMeanwhile(server, () => isOver), steps()]);
  const megabytes = (/** @type {number} */ bytes) => `${(bytes / 1_000_000).toFixed(0)} MB`;
  say(`${what}: ${waited}`);
  say(
    `  deleted ${done.verifications} verifications and ${done.events} events, ${megabytes(done.before)} to ${megabytes(done.after)}`,
  );
}

await ensureBuilt();
if (given !== undefined) mkdirSync(given, { recursive: true });
const dir = given ?? mkdtempSync(join(tmpdir(), 'wotp-million-'));
const emptyDir = mkdtempSync(join(tmpdir(), 'wotp-million-none-'));
const handler = await startEmptyHandler();
try {
  const path = join(dir, 'wotp.wodb');
  if (!existsSync(path)) {
    const seeding = await start(dir);
    const begun = performance.now();
    await seeding.seed(count);
    await seeding.stop();
    say(`Stored ${count} verifications in ${((performance.now() - begun) / 1000).toFixed(0)} s.`);
    say(
      `The file has ${(statSync(path).size / count).toFixed(0)} bytes a verification, with its messages and events.`,
    );
  }

  const none = await start(emptyDir);
  const many = await start(dir);
  const { results, nextPhone: free } = await inTurn(
    { 'empty handler': handler, none, many },
    { rounds: ROUNDS, seconds: ROUND_SECONDS, firstPhone: nextPhone },
  );
  nextPhone = free;
  say(tableOf(`${count} stored`, results));
  const [sends, checks] = [
    ratio(results.many, results.none, 'send'),
    ratio(results.many, results.none, 'verify'),
  ];
  say(
    `With ${count} stored: sends at ${sends.toFixed(2)}, checks at ${checks.toFixed(2)} of those with none.`,
  );
  await none.stop();
  await settled(many);
  await lists(many);
  const quiet = performance.now() + COMPACT_MS / 6;
  say(`sends alone: ${await sendMeanwhile(many, () => performance.now() > quiet)}`);
  await many.stop();

  const purging = await start(dir, { RETENTION_DAYS_VERIFICATIONS: '2', RETENTION_DAYS_EVENTS: '2' });
  await settled(purging);
  await compact(purging, 'while old data is deleted');
  await purging.stop();
  const releasing = await start(dir);
  await settled(releasing);
  await compact(releasing, 'while space is given back');
  await releasing.stop();
} finally {
  handler.stop();
  rmSync(emptyDir, { recursive: true, force: true });
  if (given === undefined) rmSync(dir, { recursive: true, force: true });
}
