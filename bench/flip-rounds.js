// @ts-check
import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { dist } from './dist.js';
import { ensureBuilt } from './ensure-built.js';

const MASTER_KEY = 'a master key for files that are spoilt';
const ROWS = 2_000;

/**
 * Flips one bit at a random place of a database file, `rounds` times, each in a fresh copy, and looks whether `verify`
 * finds it. Where it finds nothing, everything that can be read has to be what was written. Throws an AssertionError at
 * the first place where neither holds. Resolves to how many it has found.
 * @param {{ rounds: number, say: (line: string) => void }} options
 */
export async function runFlips({ rounds, say }) {
  await ensureBuilt();
  const [{ openWodb }, { verifyAtRest }, { unlock }, { DatabaseOpenError }] = await Promise.all([
    dist('database/wodb/open.js'),
    dist('database/wodb/verify.js'),
    dist('database/wodb/unlock.js'),
    dist('database/wodb/open-error.js'),
  ]);
  const dir = mkdtempSync(join(tmpdir(), 'wotp-flip-'));
  try {
    const path = join(dir, 'wotp.wodb');
    const database = await openWodb({
      path,
      keyCheckPath: join(dir, 'wotp.keycheck'),
      masterKey: MASTER_KEY,
      onFatal: assert.fail,
    });
    const { fileKey } = database;
    await database.transaction(async (trx) => {
      for (let i = 0; i < ROWS; i++) {
        const row = { key: `row ${i}`, value: randomBytes(100).toString('hex') };
        await trx.insertInto('settings').values(row).execute();
      }
    });
    // So that the file has pages, too, that hold nothing any more.
    await database.transaction((trx) => trx.deleteFrom('settings').where('key', '>=', 'row 9').execute());
    await database.close();

    const content = (/** @type {string} */ file) => {
      const sqlite = new Sqlite(file, { fileMustExist: true });
      try {
        unlock(sqlite, fileKey);
        const names = sqlite
          .prepare(`select name from sqlite_schema where type = 'table' order by 1`)
          .pluck()
          .all();
        return JSON.stringify(names.map((name) => [name, sqlite.prepare(`select * from "${name}"`).all()]));
      } finally {
        sqlite.close();
      }
    };
    const whole = readFileSync(path);
    const written = content(path);
    const spoilt = join(dir, 'spoilt.wodb');
    let found = 0;
    for (let round = 1; round <= rounds; round++) {
      const position = randomInt(whole.length);
      const bytes = Buffer.from(whole);
      bytes[position] = /** @type {number} */ (bytes[position]) ^ (1 << randomInt(8));
      writeFileSync(spoilt, bytes);
      const findings = await verifyAtRest({
        file: spoilt,
        masterKey: MASTER_KEY,
        invariants: [],
        sealedValues: [],
        now: 0,
      }).then(
        (/** @type {{ findings: string[] }} */ verdict) => verdict.findings,
        (/** @type {Error} */ error) => {
          assert.ok(error instanceof DatabaseOpenError, `byte ${position}: ${error.stack}`);
          return [error.message];
        },
      );
      if (findings.length > 0) found += 1;
      else assert.equal(content(spoilt), written, `byte ${position} is spoilt, is read, and was not found`);
      const page = Math.floor(position / 4096) + 1;
      say(
        `round ${round}: byte ${position}, page ${page}: ${findings[0] ?? 'in no page in use; what is read is the same'}`,
      );
    }
    say(`in all: ${found} of ${rounds} found, the other ${rounds - found} in pages that nothing uses`);
    return found;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
