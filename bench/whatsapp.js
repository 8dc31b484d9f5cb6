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
const PROJECT = 'prj_of_the_benchmark';

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

/** WOTP's outbox, dispatcher, channel and session over an encrypted file, with pacing off. @param {any} fake */
async function wotpSender(fake) {
  const [
    { openWodb },
    { openKeyring },
    { eventRecorder },
    { messageService },
    { Dispatcher },
    { WhatsAppSessions },
    { WhatsAppChannel },
    { numberDirectory },
    { webVersion },
    { systemClock },
    { newId },
    { messageRecipients },
    { suppression },
    { identityOf },
    { troubleLog },
  ] = await Promise.all([
    dist('database/wodb/open.js'),
    dist('database/keyring.js'),
    dist('events/record.js'),
    dist('messages/service.js'),
    dist('messages/dispatcher.js'),
    dist('channels/whatsapp/sessions.js'),
    dist('channels/whatsapp/channel.js'),
    dist('channels/whatsapp/number-directory.js'),
    dist('channels/whatsapp/web-version.js'),
    dist('lib/clock.js'),
    dist('lib/id.js'),
    dist('channels/whatsapp/recipients.js'),
    dist('opt-outs/suppression.js'),
    dist('lib/phone.js'),
    dist('lib/troubles.js'),
  ]);
  const dir = mkdtempSync(join(tmpdir(), 'wotp-bench-'));
  const masterKey = randomBytes(32).toString('hex');
  const database = await openWodb({
    path: join(dir, 'wotp.wodb'),
    keyCheckPath: join(dir, 'wotp.keycheck'),
    masterKey,
    onFatal: (error) => {
      throw error;
    },
  });
  const clock = systemClock();
  const log = pino({ level: 'silent' });
  const troubles = troubleLog({ log, clock });
  const keyring = await openKeyring(database, masterKey, clock);
  const events = eventRecorder(database, clock);
  await database.transaction((trx) =>
    trx.insertInto('projects').values({ id: PROJECT, name: 'Benchmark', created_at: 0 }).execute(),
  );
  const messages = messageService({ database, keyring, events, clock });
  let queued = 0;
  let sent = 0;
  const { markSent } = messages;
  messages.markSent = async (message) => {
    await markSent(message);
    sent += 1;
  };
  const directory = numberDirectory(database, clock);
  const recipients = messageRecipients({ phoneOf: messages.phoneOf, directory });
  const sessions = new WhatsAppSessions({
    database,
    keyring,
    events,
    clock,
    machineClock: clock,
    log,
    troubles,
    mockMode: false,
    version: webVersion({ pinned: undefined, latest: undefined, clock, log }),
    url: fake.url,
    agentFor: () => {
      throw new Error('There is no proxy here.');
    },
    messageText: async () => undefined,
  });
  const channel = new WhatsAppChannel({
    sessions,
    directory,
    recipients,
    checkNumbers: true,
    pacing: { ratePerSecond: 10_000, burst: 10_000, dailyCap: 10_000_000, warmUp: false },
    database,
    clock,
    log,
    troubles,
  });
  const optOuts = suppression(database);
  const dispatcher = new Dispatcher({
    isOptedOut: (projectId, phone) => optOuts.isSuppressed(database.reader, projectId, identityOf(phone)),
    messages,
    channels: [channel],
    clock,
    log,
    troubles,
    onUndeliverable: async () => {},
  });
  await dispatcher.start();
  await sessions.start();
  const wanted = { projectId: PROJECT, name: null, proxy: null };
  const { id } = await database.transaction((trx) => sessions.create(trx, wanted, 'benchmark'));
  await sessions.beginLinking(PROJECT, id);
  /** @type {Awaited<ReturnType<typeof sessions.qr>>} */
  let qr;
  await until(async () => {
    qr = await sessions.qr(PROJECT, id);
    return qr !== undefined;
  });
  await fake.ask('scan', '+6281200000002', qr?.text);
  await until(() => sessions.all()[0]?.state === 'open');

  return {
    /** Puts a message for each into the queue. @param {string[]} numbers */
    async queue(numbers) {
      queued += numbers.length;
      await database.transaction(async (trx) => {
        for (const phone of numbers) {
          await messages.enqueue(trx, {
            id: newId('msg', clock.now()),
            projectId: PROJECT,
            verificationId: newId('ver', clock.now()),
            phone,
            channel: 'whatsapp',
            lane: 'code',
            body: 'Your code is {{code}}.',
            code: '481516',
            expiresAt: clock.now() + 600_000,
          });
        }
      });
    },
    /** Empties the queue. */
    async send() {
      dispatcher.wake();
      await until(() => sent === queued);
    },
    async stop() {
      await dispatcher.stop();
      await sessions.stop();
      await database.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** @param {number[]} values */
const median = (values) =>
  /** @type {number} */ ([...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]);

await ensureBuilt();
// Before anything that loads Baileys, as in the server.
await dist('channels/whatsapp/frame-bounds.js');
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
      await senders[who].queue(numbers);
      const fakeBefore = await fake.ask('cpu');
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
