// @ts-check
// node bench/whatsapp-day.js [messages] [numbers]
// A day of traffic over WhatsApp in minutes (100,000 messages to 5,000 numbers by default): how the memory of the server
// holds, and how much the database grows. The whole server, its HTTP included, runs in a process of its own with a
// clock that jumps from one five minutes of the day to the next; the fake WhatsApp and the clients are in this one.
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import { inParallel } from './crash-rounds.js';
import { dist } from './dist.js';
import { ensureBuilt } from './ensure-built.js';
import { compileFake } from './fake-whatsapp.js';
import { answerQuestions, questionsTo } from './questions.js';

const HERE = fileURLToPath(import.meta.url);
const OWN = '+6281200000001';
const DAY_MS = 24 * 60 * 60_000;
const STEP_MS = 5 * 60_000;
const STEPS = DAY_MS / STEP_MS;
/** Timers run in strides of the clock, and what they ask WhatsApp gets its answer between two, in ms of either time. */
const STRIDE_MS = 10_000;
const BREATH_MS = 8;
const QUARTERS = 4;
/** What people do with their codes. */
const TYPED_SHARE = 0.7;
const ANSWERED_SHARE = 0.02;
/** Something is wrong when a step is not over within this time, in ms. */
const STEP_MAX_MS = 120_000;

const SETTINGS = {
  NODE_ENV: 'test',
  PORT: '0',
  BOT_MOCK_MODE: 'false',
  BOT_SEND_RATE: '10000',
  BOT_SEND_BURST: '10000',
  BOT_DAILY_CAP: '10000000',
  // The numbers are made up one after the other.
  SENDS_PER_PREFIX: '0',
  BOT_WARMUP: 'false',
  // Twenty messages a number in a day are more than a person is sent as the server is installed.
  PHONE_LIMIT_PER_DAY: '1000',
  PHONE_LIMIT_PER_10_MINUTES: '1000',
  OTP_RESEND_SECONDS: '0',
  RATE_LIMIT_MAX: '1000000000',
};

/** The server's end: the whole application over a clock that is moved by what the other end says. */
async function serve() {
  const [{ buildApp }, { loadConfig }, { systemClock }, { pino }] = await Promise.all([
    dist('app.js'),
    dist('config/config.js'),
    dist('lib/clock.js'),
    import('pino'),
  ]);
  const real = systemClock();
  let ahead = 0;
  /** @type {Set<{ at: number, callback: () => void }>} */
  const timers = new Set();
  let next = Number.POSITIVE_INFINITY;
  const clock = {
    now: () => real.now() + ahead,
    setTimeout(/** @type {() => void} */ callback, /** @type {number} */ delayMs) {
      const timer = { at: clock.now() + delayMs, callback };
      timers.add(timer);
      next = Math.min(next, timer.at);
      if (delayMs < STRIDE_MS) real.setTimeout(runDue, delayMs);
      return { cancel: () => timers.delete(timer) };
    },
  };
  const runDue = () => {
    const now = clock.now();
    if (now < next) return;
    const due = [...timers].filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
    for (const timer of due) if (timers.delete(timer)) timer.callback();
    next = Math.min(...[...timers].map(({ at }) => at));
  };
  setInterval(runDue, 1_000);

  const config = loadConfig(process.env, { cwd: process.env.DATA_DIR });
  const app = await buildApp({
    config,
    log: pino({ level: 'error' }, pino.destination(2)),
    clock,
    onFatal: (error) => {
      throw error;
    },
  });
  const address = await app.start();
  const { apiKey, adminPassword } = (await app.firstRun()) ?? assert.fail('this is the first run');
  answerQuestions({
    start: () => ({ address, apiKey, adminPassword }),
    async pass(/** @type {number} */ ms) {
      for (let passed = 0; passed < ms; passed += STRIDE_MS) {
        ahead += STRIDE_MS;
        runDue();
        await new Promise((resolve) => setTimeout(resolve, BREATH_MS));
      }
    },
    memory: () => process.memoryUsage(),
    stop: () => app.stop(),
  });
}

/** Starts the server's end; resolves when it answers. @param {string} dir @param {string} socketUrl */
async function startServer(dir, socketUrl) {
  const child = fork(HERE, ['serve'], {
    // As `npm start` starts it.
    execArgv: ['--max-semi-space-size=32', ...process.execArgv],
    env: {
      PATH: process.env.PATH,
      ...SETTINGS,
      DATA_DIR: dir,
      DB_MASTER_KEY: randomBytes(32).toString('hex'),
      BOT_SOCKET_URL: socketUrl,
    },
  });
  const ask = questionsTo(child);
  const { address, apiKey, adminPassword } = await ask('start');
  /** @param {string} method @param {string} path @param {object} [body] @param {boolean} [asAdmin] */
  const call = async (method, path, body, asAdmin = false) => {
    const answer = await fetch(`${address}/api/v1/${path}`, {
      method,
      headers: {
        ...(asAdmin ? { 'x-master-key': adminPassword } : { authorization: `Bearer ${apiKey}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
      body: body && JSON.stringify(body),
    });
    return { status: answer.status, body: /** @type {any} */ (await answer.json()) };
  };
  return { ask, call, kill: () => child.kill('SIGKILL') };
}

/** @param {number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const megabytes = (/** @type {number} */ bytes) => (bytes / 2 ** 20).toFixed(0);

async function main() {
  const [messages = 100_000, numbers = 5_000] = process.argv.slice(2).map(Number);
  // In one step each number gets one message at most, so that the newest on its phone is this one.
  if (
    ![messages, numbers].every((count) => Number.isInteger(count) && count > 0) ||
    Math.ceil(messages / STEPS) > numbers
  ) {
    process.stderr.write('Usage: node bench/whatsapp-day.js [messages] [numbers]\n');
    process.exit(2);
  }
  // libsignal writes private keys to the console.
  for (const method of /** @type {const} */ (['log', 'info', 'warn', 'error'])) console[method] = () => {};
  const say = (/** @type {string} */ line) => void process.stdout.write(`${line}\n`);
  await ensureBuilt();
  const { startFakeWhatsApp } = await import(new URL('server.js', await compileFake()).href);
  /** @type {import('../test/support/fake-whatsapp/server.ts').FakeWhatsApp} */
  const whatsapp = await startFakeWhatsApp();
  const dir = mkdtempSync(join(tmpdir(), 'wotp-day-'));
  const server = await startServer(dir, whatsapp.url);
  const fileBytes = () =>
    ['wotp.wodb', 'wotp.wodb-wal'].reduce(
      (sum, name) => sum + (statSync(join(dir, name), { throwIfNoEntry: false })?.size ?? 0),
      0,
    );
  const { body } = await server.call('POST', 'bot/sessions', { name: 'day' }, true);
  const { id } = body.data;
  /** @type {{ status: number, body: any }} */
  let qr;
  do qr = await server.call('GET', `bot/sessions/${id}/qr`, undefined, true);
  while (qr.status !== 200);
  await whatsapp.phone(OWN).scanQr(qr.body.data.qr);
  await whatsapp.until(() => whatsapp.phone(OWN).linked.length > 0 && whatsapp.linked(OWN).online);
  const phones = Array.from({ length: numbers }, (_, i) => whatsapp.phone(`+62838${30_000_000 + i}`));

  const bytesBefore = fileBytes();
  const startedAt = performance.now();
  /** Of each step. @type {{ rss: number, heapUsed: number }[]} */
  const samples = [];
  let asked = 0;
  for (let step = 0; step < STEPS; step++) {
    const count = Math.floor(((step + 1) * messages) / STEPS) - asked;
    /** @type {{ phone: typeof phones[0], id: string, before: number }[]} */
    const sends = [];
    await inParallel(Array.from({ length: count }), async () => {
      const phone = /** @type {typeof phones[0]} */ (phones[asked % numbers]);
      asked += 1;
      const before = phone.messages.length;
      const { status, body: answer } = await server.call('POST', 'otp/send', {
        phone: phone.number,
        purpose: `p${asked}`,
      });
      assert.equal(status, 201, JSON.stringify(answer));
      sends.push({ phone, id: answer.data.id, before });
    });
    await whatsapp.until(
      () => sends.every(({ phone, before }) => phone.messages.length > before),
      STEP_MAX_MS,
    );
    await inParallel(sends, async ({ phone, id: verification }) => {
      if (randomInt(0, 1000) < ANSWERED_SHARE * 1000) await phone.send(OWN, 'Thank you!');
      if (randomInt(0, 1000) >= TYPED_SHARE * 1000) return;
      const code = /\d{6}/.exec(phone.messages.at(-1)?.text ?? '')?.[0];
      const { status, body: answer } = await server.call('POST', 'otp/verify', { id: verification, code });
      assert.equal(status, 200, JSON.stringify(answer));
    });
    await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0, STEP_MAX_MS);
    await server.ask('pass', STEP_MS);
    samples.push(await server.ask('memory'));
    if ((step + 1) % (STEPS / 24) === 0) {
      const { rss, heapUsed } = /** @type {typeof samples[0]} */ (samples.at(-1));
      const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
      say(
        `hour ${(24 * (step + 1)) / STEPS}: ${asked} messages, ${megabytes(rss)} MB resident, ${megabytes(heapUsed)} MB heap, ${megabytes(fileBytes())} MB file, ${minutes} min`,
      );
    }
  }
  const quarter = (/** @type {number} */ index) =>
    samples.slice((index * STEPS) / QUARTERS, ((index + 1) * STEPS) / QUARTERS);
  const table = new Table({ head: ['quarter of the day', 'resident, MB', 'highest', 'heap, MB', 'lowest'] });
  for (let index = 0; index < QUARTERS; index++) {
    const rss = quarter(index).map((sample) => sample.rss);
    const heap = quarter(index).map((sample) => sample.heapUsed);
    table.push([
      index + 1,
      megabytes(mean(rss)),
      megabytes(Math.max(...rss)),
      megabytes(mean(heap)),
      megabytes(Math.min(...heap)),
    ]);
  }
  say(table.toString());
  const residentOf = (/** @type {number} */ index) => mean(quarter(index).map(({ rss }) => rss));
  const change = ((100 * residentOf(3)) / residentOf(1) - 100).toFixed(1);
  const unreadable = phones.reduce((sum, phone) => sum + phone.unreadable.length, 0);
  say(`resident memory, last quarter against the second: ${Number(change) >= 0 ? '+' : ''}${change} %`);
  await server.ask('stop');
  const grown = fileBytes() - bytesBefore;
  say(`database: ${megabytes(grown)} MB for ${asked} messages, ${Math.round(grown / asked)} bytes a message`);
  say(`copies that could not be read: ${unreadable}`);
  server.kill();
  await whatsapp.stop();
  rmSync(dir, { recursive: true, force: true });
  process.exit();
}

if (process.argv[2] === 'serve') await serve();
else await main();
