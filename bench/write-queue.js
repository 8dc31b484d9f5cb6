// @ts-check
// node bench/write-queue.js
// The write queue alone, over a real encrypted file: how much a sync shared by a group is worth.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dist } from './dist.js';

const GROUPS = [1, 10, 50, 200];
/** How long each size is measured, in ms. */
const MEASURE_MS = 1_000;

/**
 * Writes transactions of one row each, so many at once as a group has, for a second each size.
 * @returns {Promise<{ group: number, commitsPerSecond: number, rowsPerSecond: number }[]>}
 */
export async function benchWriteQueue() {
  const { openWodb } = await dist('database/wodb/open.js');
  const { newId } = await dist('lib/id.js');
  const dir = mkdtempSync(join(tmpdir(), 'wotp-bench-'));
  const database = await openWodb({
    path: join(dir, 'wotp.wodb'),
    keyCheckPath: join(dir, 'wotp.keycheck'),
    masterKey: randomBytes(32).toString('hex'),
    onFatal: (error) => {
      throw error;
    },
  });
  const insert = database.prepare((db, value) =>
    db.insertInto('events').values({
      project_id: 1,
      type: 'otp.created',
      at: value('at'),
      subject: value('id'),
      message_id: null,
      data: null,
    }),
  );

  /** @param {number} group */
  async function measure(group) {
    const startedAt = performance.now();
    let commits = 0;
    let elapsedMs = 0;
    for (; elapsedMs < MEASURE_MS; elapsedMs = performance.now() - startedAt) {
      const now = Date.now();
      const transactions = Array.from({ length: group }, () =>
        database.transaction((trx) => insert(trx, { id: newId('ver', now), at: now })),
      );
      await Promise.all(transactions);
      commits += 1;
    }
    const commitsPerSecond = (commits * 1000) / elapsedMs;
    return { group, commitsPerSecond, rowsPerSecond: commitsPerSecond * group };
  }

  try {
    await measure(10);
    const rows = [];
    for (const group of GROUPS) rows.push(await measure(group));
    return rows;
  } finally {
    await database.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { group, commitsPerSecond, rowsPerSecond } of await benchWriteQueue()) {
    const [commits, rows] = [commitsPerSecond, rowsPerSecond].map((rate) =>
      Math.round(rate).toLocaleString('en'),
    );
    process.stdout.write(`groups of ${group}: ${commits} commits/s, ${rows} rows/s\n`);
  }
}
