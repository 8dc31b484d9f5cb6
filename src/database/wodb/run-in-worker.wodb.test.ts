import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { contentsOf, databasePathIn, MASTER_KEY, modeOf, openDatabase } from '../../../test/support/wodb.ts';
import { stretchMasterKey } from '../../lib/key-derivation.ts';
import type { Database } from '../database.ts';
import { schemaVersion } from '../migrate.ts';
import { APPLICATION_ID, sqliteCode, WodbConnection } from './connection.ts';
import { digestOf, vacuumInto, verifyFile } from './run-in-worker.ts';

const fileKeyOf = (path: string, masterKey = MASTER_KEY) => {
  const salt = readFileSync(path).subarray(0, 16);
  return { salt, key: stretchMasterKey(masterKey, salt) };
};

async function fill(database: Database, rows: number): Promise<void> {
  await database.transaction(async (trx) => {
    for (let i = 0; i < rows; i++) {
      const setting = { key: `row ${i}`, value: randomBytes(500).toString('hex') };
      await trx.insertInto('settings').values(setting).execute();
    }
  });
}

async function countOf(dir: string, masterKey = MASTER_KEY): Promise<number> {
  const database = await openDatabase(dir, { masterKey });
  const rows = await database.reader.selectFrom('settings').select('key').execute();
  await database.close();
  return rows.length;
}

test('a copy of a database in use holds all that is committed, is private, and opens with the same master key', async () => {
  const dir = tempFolder();
  const path = databasePathIn(dir);
  const database = await openDatabase(dir);
  const fileKey = fileKeyOf(path);
  await fill(database, 300);
  const copy = tempFolder();
  const draft = databasePathIn(copy);
  writeFileSync(draft, 'what an earlier one has left');
  await vacuumInto({ path, fileKey, draft });
  expect(modeOf(draft)).toBe('0600');
  expect(readFileSync(draft).subarray(0, 16)).toEqual(fileKey.salt);
  expect(readFileSync(draft).includes('CREATE TABLE')).toBe(false);
  expect(Object.keys(contentsOf(copy))).toEqual(['wotp.wodb']);
  expect(await verifyFile({ path: draft, fileKey, invariants: [], now: 0 })).toMatchObject({
    findings: [],
    applicationId: APPLICATION_ID,
    schemaVersion: schemaVersion(),
    rows: { settings: 300, verifications: 0 },
  });
  expect(await digestOf(draft)).toBe(createHash('sha256').update(readFileSync(draft)).digest('hex'));
  expect(await countOf(copy)).toBe(300);
});

test('a copy under another key has its own salt, opens with that key and with no other', async () => {
  const dir = tempFolder();
  const path = databasePathIn(dir);
  const database = await openDatabase(dir);
  await fill(database, 300);
  const other = 'another master key, as long as it must be';
  const salt = randomBytes(16);
  const draft = databasePathIn(tempFolder());
  await vacuumInto({
    path,
    fileKey: fileKeyOf(path),
    draft,
    draftKey: { salt, key: stretchMasterKey(other, salt) },
  });
  expect(readFileSync(draft).subarray(0, 16)).toEqual(salt);
  const copy = tempFolder();
  renameSync(draft, databasePathIn(copy));
  await expect(openDatabase(copy)).rejects.toThrow('cannot be opened with this master key');
  expect(await countOf(copy, other)).toBe(300);
});

test('the server thread goes on while a copy is made, and is told how far it has come', async () => {
  const dir = tempFolder();
  const path = databasePathIn(dir);
  const database = await openDatabase(dir);
  const fileKey = fileKeyOf(path);
  await fill(database, 5_000);
  let turns = 0;
  let copying = true;
  const done: number[] = [];
  const copy = vacuumInto({
    path,
    fileKey,
    draft: databasePathIn(tempFolder()),
    onProgress: (share) => done.push(share),
  }).finally(() => {
    copying = false;
  });
  while (copying) {
    await database.transaction((trx) =>
      trx
        .insertInto('settings')
        .values({ key: `meanwhile ${turns++}`, value: 'x' })
        .execute(),
    );
  }
  await copy;
  expect(turns).toBeGreaterThan(10);
  expect(done.length).toBeGreaterThan(0);
  expect(done).toEqual([...done].sort((a, b) => a - b));
  expect(done.every((share) => share >= 0 && share <= 1)).toBe(true);
});

test('a copy that cannot be made says why and leaves nothing behind', async () => {
  const dir = tempFolder();
  const path = databasePathIn(dir);
  await openDatabase(dir);
  const copy = tempFolder();
  const draft = databasePathIn(copy);
  const wrongKey = { key: randomBytes(32), salt: randomBytes(16) };
  const wrong = await vacuumInto({ path, fileKey: wrongKey, draft }).catch(sqliteCode);
  expect(wrong).toBe('SQLITE_NOTADB');
  expect(contentsOf(copy)).toEqual({});
  const nowhere = join(copy, 'no', 'such', 'folder');
  await expect(vacuumInto({ path, fileKey: fileKeyOf(path), draft: nowhere })).rejects.toThrow('ENOENT');
});

test('a job that is given up ends at once, and its draft is gone', async () => {
  const dir = tempFolder();
  const path = databasePathIn(dir);
  await fill(await openDatabase(dir), 2_000);
  const fileKey = fileKeyOf(path);
  const copy = tempFolder();
  const ending = new AbortController();
  const given = vacuumInto({ path, fileKey, draft: databasePathIn(copy), signal: ending.signal });
  while (!existsSync(databasePathIn(copy))) await new Promise((resolve) => setImmediate(resolve));
  ending.abort();
  await expect(given).rejects.toMatchObject({ name: 'AbortError' });
  expect(contentsOf(copy)).toEqual({});
  const verify = verifyFile({ path, fileKey, invariants: [], now: 0, signal: ending.signal });
  await expect(verify).rejects.toMatchObject({ name: 'AbortError' });
});

test('verify tells of a damaged page, of broken references and of invariants that do not hold, each by its place', async () => {
  const dir = tempFolder();
  const path = databasePathIn(dir);
  const database = await openDatabase(dir);
  await fill(database, 300);
  await database.transaction((trx) =>
    trx.insertInto('projects').values({ id: 'prj_1', number: 1, name: 'n', created_at: 0 }).execute(),
  );
  await database.close();
  const fileKey = fileKeyOf(path);
  const before = contentsOf(dir);
  const invariants = [
    {
      finding: 'No row may be called this',
      sql: `select key from settings where key like 'row 1%' and @now > 5`,
    },
    {
      finding: 'No project may be called this',
      sql: `select id from projects where name = 'm' and @now > 0`,
    },
  ];
  const findings = async (now: number) => (await verifyFile({ path, fileKey, invariants, now })).findings;
  expect(await findings(6)).toEqual([
    'No row may be called this: row 1, row 10, row 100, row 101, row 102, row 103, row 104, row 105, row 106, row 107 and 101 more.',
  ]);
  expect(await findings(1)).toEqual([]);
  expect(contentsOf(dir)).toEqual(before);

  const careless = new WodbConnection(path, fileKey, 'write');
  careless.sqlite.pragma('foreign_keys = OFF');
  careless.sqlite.exec(`
    insert into api_keys (id, project_id, name, hash, preview, permissions, created_at)
    values ('key_1', 2, 'n', 'h', 'p', '[]', 0)`);
  careless.close();
  expect(await findings(1)).toEqual(['Rows of api_keys refer to rows of projects that do not exist: 1.']);

  const bytes = readFileSync(path);
  // Behind the pages of the schema.
  const late = Math.floor((bytes.length * 3) / 4 / 4096) * 4096 + 100;
  bytes[late]! ^= 1;
  writeFileSync(path, bytes);
  expect(await findings(6)).toEqual([expect.stringMatching(/^The file is damaged: /)]);
});
