// @ts-check
// node bench/backup.js [sends a second] [verifications]
// Backs a running server up while 1,000 sends a second arrive (by default, over 100,000 stored verifications), restores
// the backup into another folder, and checks that it is a cut through the load: whole, with everything that was
// acknowledged before the backup began, and with no message without its verification or the other way round.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BuiltServer } from './built-server.js';
import { dist } from './dist.js';
import { ensureBuilt } from './ensure-built.js';

const run = promisify(execFile);
const PROGRAM = fileURLToPath(new URL('../dist/wotp.js', import.meta.url));

const SEED_AT_ONCE = 1_000;
const CONNECTIONS = 64;
const TICK_MS = 5;
/** Until Node has compiled what it runs, and then before, between and after the backups, in ms. */
const WARM_UP_MS = 8_000;
const ALONE_MS = 5_000;

const [rate, count] = [Number(process.argv[2] ?? 1_000), Number(process.argv[3] ?? 100_000)];
if (![rate, count].every((number) => Number.isInteger(number) && number > 0)) {
  process.stderr.write('Usage: node bench/backup.js [sends a second] [verifications]\n');
  process.exit(2);
}

/** @param {string} line */
const say = (line) => void process.stdout.write(`${line}\n`);
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Sends at a steady rate, however long the answers take, and keeps what was acknowledged, and when. */
class SteadyLoad {
  /** @type {{ id: string, askedAt: number, ackedAt: number }[]} */
  acknowledged = [];
  refused = 0;
  #server;
  #agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  #asked = 0;
  #begunAt = performance.now();
  /** @type {Set<Promise<void>>} */
  #waiting = new Set();
  /** @type {NodeJS.Timeout} */
  #timer;

  /** @param {BuiltServer} server */
  constructor(server) {
    this.#server = server;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  #tick() {
    const due = Math.floor(((performance.now() - this.#begunAt) / 1000) * rate);
    while (this.#asked < due) {
      const asked = this.#send(`+62838${10_000_000 + this.#asked++}`);
      this.#waiting.add(asked);
      asked.finally(() => this.#waiting.delete(asked));
    }
  }

  /** @param {string} phone @returns {Promise<void>} */
  #send(phone) {
    const askedAt = performance.now();
    const body = JSON.stringify({ phone });
    const headers = {
      'content-type': 'application/json',
      'content-length': body.length,
      authorization: `Bearer ${this.#server.apiKey}`,
    };
    const { hostname, port } = new URL(this.#server.address);
    return new Promise((resolve, reject) => {
      const options = {
        agent: this.#agent,
        hostname,
        port,
        path: '/api/v1/otp/send',
        method: 'POST',
        headers,
      };
      const request = http.request(options, (answer) => {
        let text = '';
        answer.on('data', (chunk) => {
          text += chunk;
        });
        answer.on('end', () => {
          const ackedAt = performance.now();
          if (answer.statusCode === 201) {
            this.acknowledged.push({ id: JSON.parse(text).data.id, askedAt, ackedAt });
          } else this.refused += 1;
          resolve();
        });
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  /** What was acknowledged between two moments. @param {number} from @param {number} to */
  between(from, to) {
    const found = this.acknowledged.filter(({ ackedAt }) => ackedAt >= from && ackedAt < to);
    const waits = found.map(({ askedAt, ackedAt }) => ackedAt - askedAt).sort((a, b) => a - b);
    const at = (/** @type {number} */ share) => (waits[Math.floor(waits.length * share)] ?? 0).toFixed(1);
    const perSecond = (found.length / ((to - from) / 1000)).toFixed(0);
    return `${perSecond} sends/s · p50 ${at(0.5)} ms · p99 ${at(0.99)} ms · longest ${at(0.99999)} ms`;
  }

  async stop() {
    clearInterval(this.#timer);
    await Promise.all(this.#waiting);
    this.#agent.destroy();
  }
}

/** Restores a backup into a new folder and looks at all of it. @param {string} dir @param {string} file @param {string} masterKey */
async function restored(dir, file, masterKey) {
  const env = { PATH: process.env.PATH, DATA_DIR: dir, DB_MASTER_KEY: masterKey };
  const wotp = (/** @type {string[]} */ ...args) =>
    run(process.execPath, [PROGRAM, ...args, '--json'], { cwd: tmpdir(), env });
  await wotp('restore', file, '--yes');
  assert.equal(JSON.parse((await wotp('verify')).stdout).ok, true);
  const { openWodb } = await dist('database/wodb/open.js');
  const { keyCheckPathIn } = await dist('database/wodb/key-check.js');
  const database = await openWodb({
    path: join(dir, 'wotp.wodb'),
    keyCheckPath: keyCheckPathIn(dir),
    masterKey,
    onFatal: (error) => {
      throw error;
    },
  });
  try {
    const verifications = await database.reader.selectFrom('verifications').select('id').execute();
    const messages = await database.reader.selectFrom('messages').select('owner_id as of').execute();
    const events = await database.reader
      .selectFrom('events')
      .select('subject as of')
      .where('type', '=', 'otp.created')
      .execute();
    const named = (/** @type {any[]} */ rows) => new Set(rows.map(({ of }) => of));
    return {
      ids: new Set(verifications.map((/** @type {any} */ { id }) => id)),
      ofMessages: named(messages),
      ofEvents: named(events),
    };
  } finally {
    await database.close();
  }
}

await ensureBuilt();
const dir = mkdtempSync(join(tmpdir(), 'wotp-backup-'));
const secrets = { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex') };
try {
  const server = await BuiltServer.start(dir, secrets);
  for (let made = 0; made < count; made += SEED_AT_ONCE) {
    const { status } = await server.callAsAdmin('POST', 'database/demo-data', {
      count: Math.min(SEED_AT_ONCE, count - made),
    });
    assert.equal(status, 201);
  }
  const load = new SteadyLoad(server);
  await pause(WARM_UP_MS);
  const aloneAt = performance.now();
  await pause(ALONE_MS);
  const begunAt = performance.now();
  const { status, body } = await server.callAsAdmin('POST', 'database/backups');
  const endedAt = performance.now();
  assert.equal(status, 201, JSON.stringify(body));
  await load.stop();
  await server.stop();
  say(`without a backup: ${load.between(aloneAt, begunAt)}`);
  say(`during the backup: ${load.between(begunAt, endedAt)}`);
  const { file, bytes } = body.data;
  say(
    `backup: ${(bytes / 1_000_000).toFixed(0)} MB in ${((endedAt - begunAt) / 1000).toFixed(1)} s, ${load.refused} sends refused`,
  );

  const { ids, ofMessages, ofEvents } = await restored(join(dir, 'restored'), file, secrets.masterKey);
  const before = load.acknowledged.filter(({ ackedAt }) => ackedAt <= begunAt);
  const missing = before.filter(({ id }) => !ids.has(id)).length;
  const later = load.acknowledged.filter(({ id, ackedAt }) => ackedAt > begunAt && ids.has(id)).length;
  assert.equal(missing, 0, `${missing} verifications that were acknowledged before are missing`);
  assert.deepEqual(ofMessages, ids, 'each message has its verification, and each verification a message');
  assert.deepEqual(ofEvents, ids, 'each verification has its event');
  say(
    `restored: passes verify; all ${before.length} acknowledged before it began are there, and ${later} of those that came later; ${ids.size} verifications, each with its message and event`,
  );
} finally {
  rmSync(dir, { recursive: true, force: true });
}
