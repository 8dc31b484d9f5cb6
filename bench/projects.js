// @ts-check
// node bench/projects.js [wodb|postgres] [verifications]
// Two projects on one database: ten verifications of the one among a million (by default) of the other. How long every
// list of the small one takes over the whole way of a request, and for how long the event loop is held; once with the
// default project as the large one, and once with it as the small one.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import Table from 'cli-table3';
import { sql } from 'kysely';
import pino from 'pino';
import { dist } from './dist.js';
import { ensureBuilt } from './ensure-built.js';
import { LocalPostgres } from './local-postgres.js';

const ASKED = 100;
const FEW = 10;
/** Rows that one statement makes. */
const PORTION = 1_000;
const DAY_MS = 24 * 60 * 60 * 1000;

const engine = process.argv[2] ?? 'wodb';
const count = Number(process.argv[3] ?? 1_000_000);
if (!['wodb', 'postgres'].includes(engine) || !Number.isInteger(count) || count < PORTION) {
  process.stderr.write('Usage: node bench/projects.js [wodb|postgres] [verifications]\n');
  process.exit(2);
}

/** @param {string} line */
const say = (line) => void process.stdout.write(`${line}\n`);

await ensureBuilt();
const [{ buildApp }, { loadConfig }, { newId }] = await Promise.all([
  dist('app.js'),
  dist('config/config.js'),
  dist('lib/id.js'),
]);

/**
 * Verifications of a project, from `begin` (Unix ms) on over two weeks, and what of them arrived on virtual phones. Of
 * ten seven are verified, two expired and one has failed; every second is for a purpose of its own.
 * @param {any} database @param {number} project @param {number} rows @param {number} begin
 */
async function seed(database, project, rows, begin) {
  const each = Math.min(PORTION, rows);
  for (let made = 0; made < rows; made += each) {
    const at = begin + Math.floor((made / rows) * 14 * DAY_MS);
    // The time and the order are in the first characters of an id; the rest tells those of one portion apart.
    const [id, message] = [newId('ver', at).slice(0, -8), newId('msg', at).slice(0, -8)];
    const series = sql`with recursive series (i) as (
      select 0 union all select i + 1 from series where i < ${sql.lit(each - 1)})`;
    await database.transaction(async (/** @type {any} */ trx) => {
      await sql`insert into verifications (id, project_id, phone, destination, purpose, channel, status, code_mac,
          key_version, code_length, attempts, sends, failed_checks, created_at, expires_at)
        ${series} select ${sql.lit(id)} || cast(10000000 + i as text), ${sql.lit(project)},
          '+62812' || cast(${sql.lit(10_000_000 * project + made)} + i as text),
          '62812' || cast(${sql.lit(10_000_000 * project + made)} + i as text),
          case when i % 2 = 0 then 'default' else 'payment' end, 'simulator',
          case when i % 10 < 7 then 'verified' when i % 10 < 9 then 'expired' else 'failed' end,
          ${sql.lit('00')}, 1, 6, 0,
          ${sql.lit(`[[${at},"${message}`)} || cast(10000000 + i as text) || '"]]', '[]', ${sql.lit(at)}, ${sql.lit(at + 300_000)}
        from series`.execute(trx);
      await sql`insert into simulator_messages (message_id, project_id, address, at)
        ${series} select ${sql.lit(message)} || cast(10000000 + i as text), ${sql.lit(project)},
          '+62812' || cast(${sql.lit(10_000_000 * project + made)} + i as text), ${sql.lit(at)}
        from series`.execute(trx);
    });
  }
}

/** @param {number[]} values @param {number} share */
const quantile = (values, share) =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? 0;

/** @param {'default' | 'other'} small which project is the small one @param {string | undefined} url */
async function measure(small, url) {
  const dir = mkdtempSync(join(tmpdir(), 'wotp-bench-'));
  const password = randomBytes(16).toString('hex');
  const postgres = url && { DATABASE_URL: url };
  const config = loadConfig(
    {
      NODE_ENV: 'test',
      PORT: '0',
      DATA_DIR: dir,
      DB_MASTER_KEY: randomBytes(32).toString('hex'),
      MASTER_PASSWORD: password,
      ...postgres,
    },
    { cwd: dir },
  );
  const onFatal = (/** @type {Error} */ error) => {
    throw error;
  };
  const app = await buildApp({ config, log: pino({ level: 'silent' }), onFatal });
  try {
    await app.firstRun();
    const server = await app.start();
    const now = Date.now();
    const other = { id: newId('prj', now), number: 2, name: 'Other', created_at: now };
    await app.database.transaction((trx) => trx.insertInto('projects').values(other).execute());
    const [few, many] = small === 'default' ? [1, 2] : [2, 1];
    const begun = performance.now();
    await seed(app.database, few, FEW, now - 16 * DAY_MS);
    await seed(app.database, many, count, now - 15 * DAY_MS);
    // As after some hours in use: the engine knows its tables.
    await sql`analyze`
      .execute(app.database.reader)
      .catch(() => app.database.transaction((trx) => sql`analyze`.execute(trx)));
    say(
      `${engine}, ${FEW} among ${count}, the small one is the ${small} project: made in ${Math.round((performance.now() - begun) / 1000)} s`,
    );

    /** @type {Record<string, string>} */
    const project = few === 2 ? { projectId: other.id } : {};
    const from = new Date(now - 20 * DAY_MS).toISOString();
    /** @type {Record<string, [path: string, query: Record<string, string>]>} */
    const lists = {
      'newest first': ['otp', {}],
      'from a time on': ['otp', { from }],
      verified: ['otp', { status: 'verified' }],
      expired: ['otp', { status: 'expired' }],
      pending: ['otp', { status: 'pending' }],
      'one purpose': ['otp', { purpose: 'payment' }],
      'a purpose that nobody has': ['otp', { purpose: 'nobody' }],
      'purpose and state': ['otp', { purpose: 'payment', status: 'failed' }],
      'default purpose': ['otp', { purpose: 'default' }],
      'one phone': ['otp', { phone: `+62812${10_000_000 * few + 3}` }],
      'virtual phone': ['simulator/messages', {}],
      'API keys': ['keys', {}],
      'opt-outs': ['bot/opt-outs', {}],
      'linked numbers': ['bot/sessions', {}],
    };
    const table = new Table({
      head: [
        'list',
        'rows',
        'pages',
        'p50 ms',
        'p95 ms',
        'longest ms',
        'event loop held ms',
        'processor ms a list',
      ],
    });
    for (const [name, [path, query]] of Object.entries(lists)) {
      /** @param {Record<string, string>} more */
      const ask = async (more) => {
        const address = `${server}/api/v1/${path}?${new URLSearchParams({ ...query, ...project, ...more })}`;
        const answer = await fetch(address, { headers: { 'x-master-key': password } });
        if (answer.status !== 200) throw new Error(`${address}: ${answer.status} ${await answer.text()}`);
        return /** @type {any} */ (await answer.json());
      };
      await ask({});
      const [delay, times] = [monitorEventLoopDelay({ resolution: 1 }), /** @type {number[]} */ ([])];
      delay.enable();
      const used = process.cpuUsage();
      let [rows, pages] = [0, 0];
      for (let cursor = ''; pages < ASKED; pages++) {
        const began = performance.now();
        const { data, page } = await ask(cursor === '' ? {} : { cursor });
        times.push(performance.now() - began);
        rows += data.length;
        if (!page?.next) break;
        cursor = page.next;
      }
      pages += pages < ASKED ? 1 : 0;
      while (times.length < ASKED) {
        const began = performance.now();
        await ask({});
        times.push(performance.now() - began);
      }
      delay.disable();
      const { user, system } = process.cpuUsage(used);
      table.push([
        name,
        rows,
        pages === ASKED ? `${pages} or more` : pages,
        ...[
          quantile(times, 0.5),
          quantile(times, 0.95),
          Math.max(...times),
          delay.max / 1e6,
          (user + system) / 1e3 / ASKED,
        ].map((ms) => ms.toFixed(1)),
      ]);
    }
    say(table.toString());
  } finally {
    await app.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

for (const small of /** @type {const} */ (['other', 'default'])) {
  const server = engine === 'postgres' ? await LocalPostgres.start({ fsync: false }) : undefined;
  try {
    await measure(small, await server?.createDatabase());
  } finally {
    await server?.remove();
  }
}
