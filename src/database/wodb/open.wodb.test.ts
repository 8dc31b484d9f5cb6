import fs, {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { sql } from 'kysely';
import { afterEach, expect, test, vi } from 'vitest';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { contentsOf, databasePathIn, modeOf, openDatabase } from '../../../test/support/wodb.ts';
import type { Database, Executor } from '../database.ts';
import { DatabaseInUseError } from './lock.ts';

afterEach(() => vi.restoreAllMocks());

const setting = (key: string) => ({ key, value: 'x' });

async function write(database: Database, key: string): Promise<void> {
  await database.transaction(async (trx) => {
    await trx.insertInto('settings').values(setting(key)).execute();
  });
}

async function settings(executor: Executor): Promise<string[]> {
  const rows = await executor.selectFrom('settings').select('key').orderBy('key').execute();
  return rows.map(({ key }) => key);
}

async function pragma(executor: Executor, name: string): Promise<unknown> {
  const { rows } = await sql.raw(`pragma ${name}`).execute(executor);
  return Object.values(rows[0] as object)[0];
}

test('what was committed is there after a clean stop and after a crash, and syncs stay FULL', async () => {
  const dir = tempFolder();
  const crashed = tempFolder();
  const first = await openDatabase(dir);
  await write(first, 'one');
  cpSync(dir, crashed, { recursive: true });
  await first.close();

  for (const folder of [dir, crashed]) {
    const again = await openDatabase(folder);
    expect(await settings(again.reader)).toEqual(['one']);
    expect(await pragma(again.reader, 'synchronous')).toBe(2);
    expect(await again.transaction((trx) => pragma(trx, 'synchronous'))).toBe(2);
    expect(await pragma(again.reader, 'journal_mode')).toBe('wal');
    expect(await pragma(again.reader, 'integrity_check')).toBe('ok');
    await again.close();
  }
});

test('reads see only what is committed', async () => {
  const database = await openDatabase(tempFolder());
  await database.transaction(async (trx) => {
    await trx.insertInto('settings').values(setting('one')).execute();
    expect(await settings(trx)).toEqual(['one']);
    expect(await settings(database.reader)).toEqual([]);
  });
  expect(await settings(database.reader)).toEqual(['one']);
});

test('a clean stop finishes what is queued, can be asked for twice, and leaves no WAL', async () => {
  const dir = tempFolder();
  const database = await openDatabase(dir);
  const queued = [write(database, 'one'), write(database, 'two')];
  expect(database.waitingWrites).toBe(2);
  await Promise.all([database.close(), database.close(), ...queued]);

  expect(readdirSync(dir).sort()).toEqual(['wotp.keycheck', 'wotp.wodb', 'wotp.wodb.lock']);
  await expect(write(database, 'late')).rejects.toMatchObject({ status: 503 });
  const again = await openDatabase(dir);
  expect(await settings(again.reader)).toEqual(['one', 'two']);
});

test('a database that is opened and closed without a write keeps every byte', async () => {
  const dir = tempFolder();
  await (await openDatabase(dir)).close();
  const before = contentsOf(dir);
  await (await openDatabase(dir)).close();
  expect(contentsOf(dir)).toEqual(before);
});

test('health asks the disk again while writes fail, and only then', async () => {
  const database = await openDatabase(tempFolder());
  await database.checkWritable();
  expect(await settings(database.reader)).toEqual([]);

  const pages = await database.transaction((trx) => pragma(trx, 'page_count'));
  await database.transaction((trx) => pragma(trx, `max_page_count = ${pages}`));
  const big = { key: 'big', value: 'x'.repeat(100_000) };
  const fill = () => database.transaction((trx) => trx.insertInto('settings').values(big).execute());
  await expect(fill()).rejects.toThrow('The disk is full; nothing was changed.');
  expect(await settings(database.reader)).toEqual([]);

  // The probe is small enough to fit into a page that is there.
  await database.checkWritable();
  expect(await settings(database.reader)).toEqual(['write_probe']);
});

test.for(['000', '022', '777'])('files are 0600 and folders 0700 under umask %s', async (umask) => {
  const dir = join(tempFolder(), 'data');
  const usual = process.umask(Number.parseInt(umask, 8));
  try {
    const database = await openDatabase(dir);
    await write(database, 'one');
  } finally {
    process.umask(usual);
  }
  expect(modeOf(dir)).toBe('0700');
  const files = readdirSync(dir).sort();
  expect(files).toEqual(['wotp.keycheck', 'wotp.wodb', 'wotp.wodb-shm', 'wotp.wodb-wal', 'wotp.wodb.lock']);
  for (const file of files) expect(modeOf(join(dir, file)), file).toBe('0600');
});

test('one file reached by two names is one database with one lock', async () => {
  const dir = tempFolder();
  await (await openDatabase(dir)).close();
  const links = join(dir, 'links');
  mkdirSync(links);
  symlinkSync(databasePathIn(dir), join(links, 'other-name.wodb'));
  const path = join(links, 'other-name.wodb');

  const database = await openDatabase(dir, { path });
  await write(database, 'one');
  await expect(openDatabase(dir)).rejects.toThrow(DatabaseInUseError);
  await database.close();
  expect(readdirSync(links)).toEqual(['other-name.wodb']);
  expect(await settings((await openDatabase(dir)).reader)).toEqual(['one']);
});

test('a first start that is killed at any step leaves a folder that the next start opens', async () => {
  const dir = tempFolder();
  const moments = tempFolder();
  const seen = new Set<string>();
  const snapshot = () => {
    const contents = JSON.stringify(contentsOf(dir));
    if (seen.has(contents)) return;
    seen.add(contents);
    cpSync(dir, join(moments, String(seen.size)), { recursive: true });
  };
  // A kill keeps what was written so far, so what lies on the disk before a step is what a kill there leaves.
  for (const name of ['exec', 'pragma', 'prepare', 'close'] as const) {
    const original = Sqlite.prototype[name] as (...args: unknown[]) => unknown;
    vi.spyOn(Sqlite.prototype, name).mockImplementation(function (this: unknown, ...args: unknown[]) {
      snapshot();
      return original.apply(this, args) as never;
    });
  }
  const usual = { renameSync: fs.renameSync, writeFileSync: fs.writeFileSync };
  for (const [name, original] of Object.entries(usual) as [
    keyof typeof usual,
    (...args: unknown[]) => void,
  ][]) {
    fs[name] = (...args: unknown[]) => {
      snapshot();
      original(...args);
    };
  }
  syncBuiltinESMExports();
  try {
    const database = await openDatabase(dir);
    snapshot();
    await database.close();
  } finally {
    Object.assign(fs, usual);
    syncBuiltinESMExports();
    vi.restoreAllMocks();
  }

  expect(seen.size).toBeGreaterThan(4);
  for (const moment of readdirSync(moments)) {
    const folder = join(moments, moment);
    const database = await openDatabase(folder);
    await write(database, 'one');
    expect(await pragma(database.reader, 'quick_check'), moment).toBe('ok');
    await database.close();
    expect(readdirSync(folder).sort()).toEqual(['wotp.keycheck', 'wotp.wodb', 'wotp.wodb.lock']);
  }
});

test('a first start that finds no room leaves no database, and the next one makes it', async () => {
  const dir = tempFolder();
  const pragma = Sqlite.prototype.pragma;
  vi.spyOn(Sqlite.prototype, 'pragma').mockImplementation(function (this: Sqlite.Database, source, options) {
    if (source.startsWith('wal_checkpoint')) throw new Sqlite.SqliteError('disk is full', 'SQLITE_FULL');
    return pragma.call(this, source, options);
  });
  await expect(openDatabase(dir)).rejects.toThrow('disk is full');
  expect(existsSync(databasePathIn(dir))).toBe(false);
  expect(existsSync(join(dir, 'wotp.keycheck'))).toBe(false);

  vi.restoreAllMocks();
  await write(await openDatabase(dir), 'one');
});

test('a database without its key check gets it back at the next start', async () => {
  const dir = tempFolder();
  await (await openDatabase(dir)).close();
  const keyCheck = join(dir, 'wotp.keycheck');
  const before = readFileSync(keyCheck, 'utf8');
  rmSync(keyCheck);
  await (await openDatabase(dir)).close();
  expect(readFileSync(keyCheck, 'utf8')).toBe(before);
});

test('what another program left under the names of a new database is not taken for one', async () => {
  const dir = tempFolder();
  await (await openDatabase(dir)).close();
  renameSync(databasePathIn(dir), `${databasePathIn(dir)}.new`);
  rmSync(join(dir, 'wotp.keycheck'));
  const database = await openDatabase(dir, { masterKey: 'another master key, also long enough' });
  await write(database, 'one');
  expect(existsSync(`${databasePathIn(dir)}.new`)).toBe(false);
});
