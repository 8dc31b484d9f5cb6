// @ts-check
// node bench/whatsapp.js [messages a round]
// The send queue over WhatsApp against a bare Baileys loop, in turn in one run: to new numbers and to known ones.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { pino } from 'pino';
import { dist } from './dist.js';
import { ensureBuilt } from './ensure-built.js';
import { compileFake, startFake } from './fake-whatsapp.js';

const MESSAGES = Number(process.argv[2] ?? 300);
const ROUNDS = 3;

/** @param {() => boolean | Promise<boolean>} condition */
async function until(condition) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 2));
}

let lastNumber = 34_000_000;
const newNumbers = () =>
  Array.from({ length: MESSAGES }, () => {
    lastNumber += 1;
    return `+62812${lastNumber}`;
  });

/** Bare Baileys with its state in memory: one `sendMessage` after the other. @param {any} fake @param {string} compiled */
async function bareSender(fake, compiled) {
  const { bareBaileys } = await import(new URL('bare-baileys.js', compiled).href);
  const bot = bareBaileys(fake.url);
  bot.connect();
  await until(() => bot.qr !== undefined);
  await fake.ask('scan', '+6281200000001', bot.qr);
  await until(() => bot.closeCode === 515);
  await bot.reconnect();
  return {
    async queue() {},
    /** @param {string[]} numbers */
    async send(numbers) {
      const before = bot.acks.size;
      for (const number of numbers)
        await bot.send(`${number.slice(1)}@s.whatsapp.net`, 'Your code is 481516.');
      await until(() => bot.acks.size === before + numbers.length);
    },
    stop: () => bot.end(),
  };
}

/** The whole application over an encrypted file, with pacing off. @param {any} fake */
async function wotpSender(fake) {
  const [{ buildApp }, { loadConfig }, { newId }, { DEFAULT_PROJECT }] = await Promise.all([
    dist('app.js'),
    dist('config/config.js'),
    dist('lib/id.js'),
    dist('database/project.js'),
  ]);
  const dir = mkdtempSync(join(tmpdir(), 'wotp-bench-'));
  const adminPassword = randomBytes(16).toString('hex');
  const settings = {
    PORT: '0',
    DATA_DIR: dir,
    DB_MASTER_KEY: randomBytes(32).toString('hex'),
    MASTER_PASSWORD: adminPassword,
    BOT_MOCK_MODE: 'false',
    BOT_SOCKET_URL: fake.url,
    BOT_SEND_RATE: '10000',
    BOT_SEND_BURST: '10000',
    BOT_DAILY_CAP: '10000000',
    BOT_WARMUP: 'false',
  };
  const app = await buildApp({
    config: loadConfig(settings, { cwd: dir }),
    log: pino({ level: 'silent' }),
    onFatal: (error) => {
      throw error;
    },
  });
  const { clock, database, messages } = app;
  messages.ownedBy('benchmark', {
    contentOf: async (_executor, wanted) =>
      new Map(wanted.map(({ id, content = '' }) => [id, { text: content, code: '481516' }])),
  });
  let queued = 0;
  let sent = 0;
  const { markSent } = messages;
  messages.markSent = async (...args) => {
    await markSent(...args);
    sent += 1;
  };
  const address = await app.start();
  /** @param {string} method @param {string} path @param {object} [body] */
  const call = async (method, path, body) => {
    const answer = await fetch(`${address}/api/v1/bot/sessions${path}`, {
      method,
      headers: { 'x-master-key': adminPassword, ...(body && { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body),
    });
    return { status: answer.status, .../** @type {any} */ (await answer.json()) };
  };
  const { id } = (await call('POST', '', { name: 'benchmark' })).data;
  /** @type {any} */
  let qr;
  await until(async () => {
    qr = await call('GET', `/${id}/qr`);
    return qr.status === 200;
  });
  await fake.ask('scan', '+6281200000002', qr.data.qr);
  await until(async () => (await call('GET', `/${id}`)).data.state === 'open');

  return {
    /** Puts a message for each into the queue. @param {string[]} numbers */
    async queue(numbers) {
      queued += numbers.length;
      await database.transaction(async (trx) => {
        for (const phone of numbers) {
          await messages.enqueue(trx, {
            id: newId('msg', clock.now()),
            projectId: DEFAULT_PROJECT,
            ownerId: newId('ver', clock.now()).replace('ver', 'benchmark'),
            address: phone,
            channel: 'whatsapp',
            lane: 'code',
            content: 'Your code is {{code}}.',
            expiresAt: clock.now() + 600_000,
          });
        }
      });
    },
    /** Resolves when the queue is empty; the dispatcher began with it at the commit. */
    send: () => until(() => sent === queued),
    async stop() {
      await app.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** @param {number[]} values */
const median = (values) =>
  /** @type {number} */ ([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]);

await ensureBuilt();
// Before anything that loads Baileys, as in the server.
await dist('channels/whatsapp/link/frame-bounds.js');
const compiled = await compileFake();
const fake = await startFake(compiled);
const senders = { bare: await bareSender(fake, compiled), wotp: await wotpSender(fake) };
/** @type {Record<'fresh' | 'known', Record<'bare' | 'wotp', number[]>>} */
const rates = { fresh: { bare: [], wotp: [] }, known: { bare: [], wotp: [] } };
/** @type {typeof rates} */
const cpuMillis = { fresh: { bare: [], wotp: [] }, known: { bare: [], wotp: [] } };
/** @type {typeof rates} */
const fakeMillis = { fresh: { bare: [], wotp: [] }, known: { bare: [], wotp: [] } };
/** @type {string[]} */
const all = [];
for (let round = 0; round <= ROUNDS; round++) {
  // Each goes first in turn. The first round is for the compiler of Node.
  const order = /** @type {('bare' | 'wotp')[]} */ (round % 2 === 0 ? ['bare', 'wotp'] : ['wotp', 'bare']);
  for (const who of order) {
    const numbers = newNumbers();
    all.push(...numbers);
    await fake.ask('phones', numbers);
    for (const what of /** @type {const} */ (['fresh', 'known'])) {
      // How fast the queue is emptied is measured, not how it was filled: requests do that, over HTTP.
      const fakeBefore = await fake.ask('cpu');
      await senders[who].queue(numbers);
      const begun = performance.now();
      const cpu = process.cpuUsage();
      await senders[who].send(numbers);
      const rate = (1000 * MESSAGES) / (performance.now() - begun);
      const { user, system } = process.cpuUsage(cpu);
      if (round === 0) continue;
      rates[what][who].push(rate);
      cpuMillis[what][who].push((user + system) / 1000 / MESSAGES);
      fakeMillis[what][who].push(((await fake.ask('cpu')) - fakeBefore) / MESSAGES);
    }
  }
}
const table = new Table({ head: ['median of 3', 'bare Baileys', 'WOTP', 'ratio', 'wanted'] });
for (const [what, wanted] of /** @type {const} */ ([
  ['fresh', 1.3],
  ['known', 0.85],
])) {
  const [bare, wotp] = [median(rates[what].bare), median(rates[what].wotp)];
  table.push([`${what} numbers, msg/s`, bare.toFixed(0), wotp.toFixed(0), (wotp / bare).toFixed(2), wanted]);
  const cpu = { bare: median(cpuMillis[what].bare), wotp: median(cpuMillis[what].wotp) };
  const ratio = (cpu.bare / cpu.wotp).toFixed(2);
  table.push(['  processor time of a message, ms', cpu.bare.toFixed(1), cpu.wotp.toFixed(1), ratio, '']);
  // What the fake server needs for a message bounds both: it decrypts what the phones show.
  const fakeCpu = { bare: median(fakeMillis[what].bare), wotp: median(fakeMillis[what].wotp) };
  table.push(['  that of the fake server, ms', fakeCpu.bare.toFixed(1), fakeCpu.wotp.toFixed(1), '', '']);
}
await until(async () => (await fake.ask('shown', all, 2)).complete === all.length);
const { unreadable } = await fake.ask('shown', all, 2);
process.stdout.write(`${table.toString()}\n`);
process.stdout.write(
  `${all.length} phones show both their messages; copies that could not be read: ${unreadable}\n`,
);
process.stdout.write(`${JSON.stringify(rates)}\n`);
senders.bare.stop();
await senders.wotp.stop();
fake.stop();
process.exit();
