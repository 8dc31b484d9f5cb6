// @ts-check
// node bench/lists.js [rows]
// How long the lists of templates, bulk jobs and schedules take among a million rows of each (by default), on WODB.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Table from 'cli-table3';
import { BuiltServer } from './built-server.js';
import { openFile } from './crash-rounds.js';
import { dist } from './dist.js';
import { ensureBuilt } from './ensure-built.js';

/** How often each page is asked for. */
const ASKED = 100;
/** A list has to be quicker at p95, in ms. */
const LIMIT_MS = 50;
const RECIPIENTS_A_JOB = 10_000;
const TEMPLATES_A_PROJECT = 1_000;
const VERSIONS_A_TEMPLATE = 200;
const INSERTED_TOGETHER = 10_000;
const DAY_MS = 24 * 60 * 60 * 1000;

const count = Number(process.argv[2] ?? 1_000_000);
if (!Number.isInteger(count) || count < RECIPIENTS_A_JOB) {
  process.stderr.write(`Usage: node bench/lists.js [rows, ${RECIPIENTS_A_JOB} or more]\n`);
  process.exit(2);
}
await ensureBuilt();
const { newId } = await dist('lib/id.js');

/** @typedef {Record<string, string | number | Buffer | null>} Row */

/**
 * Stores rows as they are made, many in one transaction.
 * @param {import('better-sqlite3-multiple-ciphers').Database} sqlite
 * @param {string} table
 * @param {number} rows
 * @param {(at: number) => Row} make
 */
function fill(sqlite, table, rows, make) {
  const names = Object.keys(make(0));
  const insert = sqlite.prepare(
    `insert into ${table} (${names.join(', ')}) values (${names.map((name) => `:${name}`).join(', ')})`,
  );
  const store = sqlite.transaction((/** @type {number} */ from, /** @type {number} */ to) => {
    for (let at = from; at < to; at++) insert.run(make(at));
  });
  for (let at = 0; at < rows; at += INSERTED_TOGETHER) {
    process.stderr.write(`  ${table}: ${at} of ${rows}\r`);
    store(at, Math.min(rows, at + INSERTED_TOGETHER));
  }
  process.stderr.write(`  ${table}: ${rows}              \n`);
}

/** @param {number[]} values @param {number} share */
const quantile = (values, share) => values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? 0;

const dir = mkdtempSync(join(tmpdir(), 'wotp-lists-'));
const secrets = { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex') };
try {
  const before = await BuiltServer.start(dir, secrets);
  const template = { code: 'welcome', name: 'Welcome', content: 'Your code is {{code}}.', language: 'en' };
  const kept = await before.call('POST', 'templates', template);
  assert.equal(kept.status, 201, JSON.stringify(kept.body));
  await before.stop();

  const now = Date.now();
  const began = now - 20 * DAY_MS;
  const timeOf = (/** @type {number} */ at) => began + Math.floor((at / count) * 10 * DAY_MS);
  const sqlite = openFile(join(dir, 'wotp.wodb'), secrets.masterKey);
  sqlite.pragma('synchronous = OFF');
  const content = sqlite.prepare('select content from template_versions limit 1').pluck().get();
  const jobs = Array.from({ length: count }, (_, at) => newId('blk', timeOf(at)));
  const messages = Array.from({ length: count }, (_, at) => newId('msg', timeOf(at)));
  const templates = Array.from({ length: Math.ceil(count / VERSIONS_A_TEMPLATE) }, (_, at) =>
    newId('tpl', timeOf(at)),
  );
  const projectOf = (/** @type {number} */ at) => 1 + Math.floor(at / TEMPLATES_A_PROJECT);

  fill(sqlite, 'templates', templates.length, (at) => ({
    id: templates[at] ?? '',
    project_id: projectOf(at),
    code: `t${at}`,
    name: `Template ${at}`,
    version: VERSIONS_A_TEMPLATE,
    is_active: 1,
    usage_count: at,
    created_at: timeOf(at),
    updated_at: timeOf(at),
    deleted_at: null,
  }));
  fill(sqlite, 'template_versions', count, (at) => ({
    template_id: templates[Math.floor(at / VERSIONS_A_TEMPLATE)] ?? '',
    version: 1 + (at % VERSIONS_A_TEMPLATE),
    content: String(content),
    created_at: timeOf(at),
    created_by: 'admin',
  }));
  fill(sqlite, 'bulks', count, (at) => ({
    id: jobs[at] ?? '',
    project_id: 1,
    status: 'completed',
    content: Buffer.alloc(120),
    key_version: 1,
    metadata: null,
    total: RECIPIENTS_A_JOB,
    duplicates: 0,
    rejected: 0,
    successful: RECIPIENTS_A_JOB,
    failed: 0,
    canceled: 0,
    next_number: RECIPIENTS_A_JOB,
    active: 0,
    reason: null,
    running_since: timeOf(at),
    done_before: 0,
    created_at: timeOf(at),
    completed_at: timeOf(at),
  }));
  fill(sqlite, 'messages', count, (at) => ({
    id: messages[at] ?? '',
    project_id: 1,
    owner_id: jobs[Math.floor(at / RECIPIENTS_A_JOB)] ?? '',
    address: `+62838${10_000_000 + at}`,
    identity: `62838${10_000_000 + at}`,
    channel: 'simulator',
    plays: 'whatsapp',
    lane: 2,
    status: 'read',
    reason: null,
    content: null,
    key_version: 1,
    timeline: '[]',
    attempts: 1,
    claim: 1,
    due_at: 0,
    expires_at: 0,
    created_at: timeOf(at),
  }));
  fill(sqlite, 'bulk_recipients', count, (at) => ({
    bulk_id: jobs[Math.floor(at / RECIPIENTS_A_JOB)] ?? '',
    number: at % RECIPIENTS_A_JOB,
    line: 2 + (at % RECIPIENTS_A_JOB),
    phone: `+62838${10_000_000 + at}`,
    email: null,
    status: 'sent',
    reason: null,
    content: null,
    key_version: 1,
    message_id: messages[at] ?? '',
    verification_id: null,
  }));
  fill(sqlite, 'schedules', count, (at) => ({
    id: newId('sch', timeOf(at)),
    project_id: 1,
    phone: `+62838${10_000_000 + at}`,
    email: null,
    purpose: 'default',
    scheduled_at: timeOf(at) + 60_000,
    due_at: at % 1_000 === 0 ? now + 300 * DAY_MS : timeOf(at) + 60_000,
    status: at % 1_000 === 0 ? 'pending' : at % 777 === 0 ? 'failed' : 'fired',
    reason: null,
    attempts: 1,
    max_attempts: 3,
    sealed_request: null,
    key_version: 1,
    verification_id: null,
    created_at: timeOf(at),
    ended_at: at % 1_000 === 0 ? null : timeOf(at) + 60_000,
  }));
  sqlite.close();

  const keep = { RETENTION_DAYS_VERIFICATIONS: '0', RETENTION_DAYS_EVENTS: '0' };
  const server = await BuiltServer.start(dir, secrets, before.apiKey, keep);
  const middle = Math.floor(count / 2);
  const job = jobs[3] ?? jobs[0];
  const pages = {
    'templates, newest': 'templates?limit=200',
    'templates, from the middle': `templates?limit=200&cursor=${templates[500] ?? templates[0]}`,
    'a template by its code': 'templates?code=welcome',
    'versions of a template': `templates/${templates[7] ?? templates[0]}/versions?limit=50`,
    'a bulk job': `bulk/status/${job}`,
    'bulk jobs, newest': 'bulk?limit=200',
    'bulk jobs, from the middle': `bulk?limit=200&cursor=${jobs[middle]}`,
    'results, first': `bulk/${job}/results?limit=200`,
    'results, last': `bulk/${job}/results?limit=200&cursor=${RECIPIENTS_A_JOB - 200}`,
    'schedules, newest': 'scheduler/list?limit=200',
    'schedules, pending': 'scheduler/list?limit=200&status=pending',
    'schedules, failed': 'scheduler/list?limit=200&status=failed',
    'schedules, canceled (none)': 'scheduler/list?limit=200&status=canceled',
  };
  const table = new Table({
    head: ['page of 200', 'rows', 'p50 ms', 'p95 ms'],
    style: { head: [], border: [] },
  });
  let slowest = 0;
  for (const [name, path] of Object.entries(pages)) {
    const times = [];
    let rows = 0;
    for (let i = 0; i < ASKED; i++) {
      const begun = performance.now();
      const { status, body } = await server.call('GET', path);
      times.push(performance.now() - begun);
      assert.equal(status, 200, `${path}: ${JSON.stringify(body)}`);
      rows = Array.isArray(body.data) ? body.data.length : 1;
    }
    slowest = Math.max(slowest, quantile(times, 0.95));
    table.push([name, rows, quantile(times, 0.5).toFixed(1), quantile(times, 0.95).toFixed(1)]);
  }
  await server.stop();
  process.stdout.write(`${count} rows of each\n${table}\n`);
  if (slowest >= LIMIT_MS) throw new Error(`One page took ${slowest.toFixed(1)} ms at p95.`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
} finally {
  rmSync(dir, { recursive: true, force: true });
}
