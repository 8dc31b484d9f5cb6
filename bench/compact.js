// @ts-check
// node bench/compact.js [verifications]
// Compacts the database of a running server (20,000 verifications by default, nearly all of them over) while clients
// send, and compares how long they wait with the time before.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BuiltServer } from './built-server.js';
import { ensureBuilt } from './ensure-built.js';

const CLIENTS = 8;
const MEASURE_MS = 5_000;
const AT_ONCE = 1_000;

const count = Number(process.argv[2] ?? 20_000);
if (!Number.isInteger(count) || count < 1) {
  process.stderr.write('Usage: node bench/compact.js [verifications]\n');
  process.exit(2);
}

const dir = mkdtempSync(join(tmpdir(), 'wotp-compact-'));
const secrets = { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex') };
let phones = 0;

/**
 * Sends from several clients, each its next one when the last is answered, until `isOver`.
 * @param {BuiltServer} server
 * @param {() => boolean} isOver
 */
async function load(server, isOver) {
  /** @type {number[]} */
  const waits = [];
  const begun = performance.now();
  const client = async () => {
    while (!isOver()) {
      const phone = `+62838${10_000_000 + phones++}`;
      const asked = performance.now();
      const { status, body } = await server.call('POST', 'otp/send', { phone });
      if (status !== 201) throw new Error(JSON.stringify(body));
      waits.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  waits.sort((a, b) => a - b);
  const at = (/** @type {number} */ share) =>
    `${(waits[Math.floor(waits.length * share)] ?? 0).toFixed(1)} ms`;
  const perSecond = Math.round(waits.length / ((performance.now() - begun) / 1000));
  return `${perSecond} sends/s · p50 ${at(0.5)} · p99 ${at(0.99)} · longest ${at(0.999999)}`;
}

/** @param {number} bytes */
const megabytes = (bytes) => `${(bytes / 1_000_000).toFixed(1)} MB`;

await ensureBuilt();
try {
  const seeding = await BuiltServer.start(dir, secrets, '', { RETENTION_DAYS_VERIFICATIONS: '0' });
  for (let made = 0; made < count; made += AT_ONCE) {
    await seeding.callAsAdmin('POST', 'database/demo-data', { count: Math.min(AT_ONCE, count - made) });
  }
  await seeding.stop();

  const server = await BuiltServer.start(dir, secrets, seeding.apiKey, {
    RETENTION_DAYS_VERIFICATIONS: '1',
    RETENTION_DAYS_EVENTS: '1',
  });
  const warm = performance.now() + MEASURE_MS;
  await load(server, () => performance.now() > warm);
  const end = performance.now() + MEASURE_MS;
  console.log(`before:  ${await load(server, () => performance.now() > end)}`);

  let isDone = false;
  const purged = { verifications: 0, events: 0 };
  const compact = async () => {
    const begun = performance.now();
    /** @type {number | undefined} */
    let before;
    for (;;) {
      const { status, body } = await server.callAsAdmin('POST', 'database/compact');
      if (status !== 200) throw new Error(JSON.stringify(body));
      before ??= body.data.bytesBefore;
      purged.verifications += body.data.purged.verifications;
      purged.events += body.data.purged.events;
      if (!body.data.done) continue;
      isDone = true;
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      return `${megabytes(before ?? 0)} to ${megabytes(body.data.bytes)} in ${seconds} s`;
    }
  };
  const [compacted, during] = await Promise.all([compact(), load(server, () => isDone)]);
  console.log(`during:  ${during}`);
  console.log(
    `compact: ${compacted} · deleted ${purged.verifications} verifications, ${purged.events} events`,
  );
  await server.stop();
} finally {
  rmSync(dir, { recursive: true, force: true });
}
