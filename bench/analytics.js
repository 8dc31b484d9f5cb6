// @ts-check
// node bench/analytics.js [verifications] [wodb|postgres]
// How long each route of analytics takes with the counts of a year at a million verifications (by default), and with the
// phones of a month of them.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { pino } from 'pino';
import { dist } from './dist.js';
import { ensureBuilt } from './ensure-built.js';
import { LocalPostgres } from './local-postgres.js';
import { seeded } from './seeded.js';

const ASKED = 100;
const LIMIT_MS = 100;
const DAY_MS = 24 * 60 * 60 * 1000;
const DAYS = 365;
const PHONE_DAYS = 31;
const PASSWORD = 'a password only benchmarks know';

const count = Number(process.argv[2] ?? 1_000_000);
const engine = process.argv[3] ?? 'wodb';
if (!Number.isInteger(count) || count < DAYS || !['wodb', 'postgres'].includes(engine)) {
  process.stderr.write(`Usage: node bench/analytics.js [verifications, ${DAYS} or more] [wodb|postgres]\n`);
  process.exit(2);
}
await ensureBuilt();
const { buildApp } = await dist('app.js');
const { loadConfig } = await dist('config/config.js');
const { rollups } = await dist('analytics/rollups.js');
const { Tally } = await dist('analytics/tally.js');
const { binOf, quarterOf } = await dist('analytics/figures.js');

const COUNTRIES = ['ID', 'ID', 'ID', 'ID', 'MY', 'SG', 'TH', 'PH', 'VN', 'IN', 'US', 'DE', 'GB', 'BR', 'NG'];
const CHANNELS = ['whatsapp', 'whatsapp', 'whatsapp', 'sms', 'email'];
const PURPOSES = ['default', 'login', 'signup', 'payment'];
const TEMPLATES = ['(none)', 'login', 'welcome'];

const dir = mkdtempSync(join(tmpdir(), 'wotp-analytics-'));
const postgres = engine === 'postgres' ? await LocalPostgres.start({ fsync: true }) : undefined;
/** @type {Awaited<ReturnType<typeof buildApp>> | undefined} */
let app;
try {
  const settings = {
    PORT: '0',
    DATA_DIR: dir,
    DB_MASTER_KEY: randomBytes(32).toString('hex'),
    MASTER_PASSWORD: PASSWORD,
    ...(postgres && { DATABASE_URL: await postgres.createDatabase() }),
  };
  app = await buildApp({
    config: loadConfig(settings, { cwd: dir }),
    log: pino({ level: 'silent' }),
    onFatal: (error) => {
      throw error;
    },
  });
  const first = await app.firstRun();
  const { database } = app;
  const counts = rollups(database);
  const random = seeded(1);
  /** @template T @param {readonly T[]} of @returns {T} */
  const pick = (of) => /** @type {T} */ (of[random(of.length)]);
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS;
  const aDay = Math.round(count / DAYS);
  for (let day = 0; day < DAYS; day++) {
    process.stderr.write(`  counted ${day} of ${DAYS} days\r`);
    const tally = new Tally();
    for (let number = 0; number < aDay; number++) {
      const start = quarterOf(today - (DAYS - 1 - day) * DAY_MS + random(DAY_MS));
      const at = { projectId: 1, start };
      const country = pick(COUNTRIES);
      const channel = pick(CHANNELS);
      const isVerified = random(10) < 8;
      tally.addMessage(at, 'messages');
      tally.addMessage(at, random(100) < 97 ? 'successful' : 'failed');
      const keys = {
        country,
        channel,
        prefix: `+62${1_000 + Math.floor(random(400) * (random(100) / 100))}`,
        template: pick(TEMPLATES),
        purpose: pick(PURPOSES),
        hour: '',
      };
      for (const [dimension, key] of Object.entries(keys)) {
        const by = /** @type {keyof typeof keys} */ (dimension);
        tally.addConversion(at, by, key, 'sent');
        tally.addConversion(at, by, key, 'delivered');
        if (isVerified) tally.addConversion(at, by, key, 'verified');
      }
      const ms = 300 + random(2_000) + (random(20) === 0 ? random(60_000) : 0);
      const time = { bin: binOf(ms), ms };
      tally.addDelivery(at, 'channel', channel, time);
      tally.addDelivery(at, 'country', country, time);
      if (day >= DAYS - PHONE_DAYS) tally.addPhone(at, `+62812${10_000_000 + random(aDay * 20)}`);
    }
    await database.transaction((trx) => counts.add(trx, tally));
  }
  const address = await app.start();
  const headers = { authorization: `Bearer ${first?.apiKey}` };
  const from = new Date(today - (DAYS - 1) * DAY_MS + 5 * 60 * 60 * 1000).toISOString();
  const zone = 'timezone=America/New_York';
  const paths = [
    `dashboard?days=${DAYS}&${zone}`,
    'dashboard?days=7',
    `success-rate?startDate=${from}&${zone}`,
    `delivery-time?startDate=${from}&${zone}`,
    'top-phones?limit=10',
    ...['country', 'prefix', 'channel', 'template', 'purpose', 'hour'].map(
      (by) => `conversion?by=${by}&from=${from}&${zone}`,
    ),
  ];
  const table = new Table({ head: ['route', 'p50 ms', 'p95 ms', ''] });
  for (const path of paths) {
    /** @type {number[]} */
    const took = [];
    for (let asked = 0; asked < ASKED; asked++) {
      const began = performance.now();
      const answer = await fetch(`${address}/api/v1/analytics/${path}`, { headers });
      await answer.text();
      if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
      took.push(performance.now() - began);
    }
    took.sort((a, b) => a - b);
    const [p50, p95] = [took[Math.floor(ASKED * 0.5)] ?? 0, took[Math.floor(ASKED * 0.95)] ?? 0];
    table.push([path, p50.toFixed(1), p95.toFixed(1), p95 < LIMIT_MS ? '' : `over ${LIMIT_MS}`]);
    if (p95 >= LIMIT_MS) process.exitCode = 1;
  }
  const space = database.space?.measure();
  console.log(table.toString());
  if (space) console.log(`database: ${(space.bytes / 1e6).toFixed(0)} MB`);
} finally {
  await app?.stop();
  await postgres?.remove();
  rmSync(dir, { recursive: true, force: true });
}
