import { copyFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Migration, sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { contentsOf, databasePathIn, openDatabase } from '../../test/support/wodb.ts';
import type { Database } from './database.ts';
import { MIGRATIONS, NewerSchemaError } from './migrate.ts';
import { APPLICATION_ID } from './wodb/connection.ts';

/** The schema as a script, one column a line. */
async function schemaOf({ reader }: Database): Promise<string> {
  const { rows } = await sql<{ sql: string }>`
    select sql from sqlite_schema where sql is not null order by tbl_name, type desc, name`.execute(reader);
  const inLines = (text: string) => text.replace('(', '(\n  ').replaceAll(', "', ',\n  "');
  return rows.map((row) => `${inLines(row.sql)};\n`).join('\n');
}

async function pragma({ reader }: Database, name: string): Promise<unknown> {
  const { rows } = await sql.raw(`pragma ${name}`).execute(reader);
  return Object.values(rows[0] as object)[0];
}

/** Adds a migration for the length of a test. */
function withMigration(name: string, migration: Migration): () => void {
  MIGRATIONS[name] = migration;
  const forget = () => {
    delete MIGRATIONS[name];
  };
  onTestFinished(forget);
  return forget;
}

// After a change of the schema: npx vitest run src/database/migrate.wodb.test.ts -u
test('the migrations make the schema that is written down in test/fixtures/schema.sql', async () => {
  const database = await openDatabase(tempFolder());
  await expect(await schemaOf(database)).toMatchFileSnapshot('../../test/fixtures/schema.sql');
  expect(await pragma(database, 'application_id')).toBe(APPLICATION_ID);
  expect(await pragma(database, 'user_version')).toBe(Object.keys(MIGRATIONS).length);
});

test('migrations carry rising numbers from 1 without a gap, so that user_version is how many there are', () => {
  const numbers = Object.keys(MIGRATIONS).map((name) => Number(/^(\d{4})-[a-z0-9-]+$/.exec(name)?.[1]));
  expect(numbers).toEqual(numbers.map((_, i) => i + 1));
});

test('applying the migrations a second time changes nothing', async () => {
  const dir = tempFolder();
  const first = await openDatabase(dir);
  const schema = await schemaOf(first);
  await first.close();
  const before = contentsOf(dir);
  const second = await openDatabase(dir);
  expect(await schemaOf(second)).toBe(schema);
  await second.close();
  expect(contentsOf(dir)).toEqual(before);
});

test('a new migration is applied to a database that has data, once', async () => {
  const dir = tempFolder();
  const first = await openDatabase(dir);
  const version = Number(await pragma(first, 'user_version'));
  await first.transaction((trx) => trx.insertInto('settings').values({ key: 'kept', value: 'x' }).execute());
  await first.close();

  withMigration('9999-shelves', {
    up: (db) => db.schema.createTable('shelves').addColumn('id', 'integer').execute(),
  });
  for (let start = 0; start < 2; start++) {
    const database = await openDatabase(dir);
    expect(await schemaOf(database)).toContain('CREATE TABLE "shelves"');
    expect(await pragma(database, 'user_version')).toBe(version + 1);
    expect(await database.reader.selectFrom('settings').select('key').execute()).toEqual([{ key: 'kept' }]);
    await database.close();
  }
});

test('a migration that fails leaves the schema and its number as they were', async () => {
  const dir = tempFolder();
  const first = await openDatabase(dir);
  const schema = await schemaOf(first);
  const version = await pragma(first, 'user_version');
  await first.close();
  const before = contentsOf(dir);

  const forget = withMigration('9999-half', {
    async up(db) {
      await db.schema.createTable('half').addColumn('id', 'integer').execute();
      await db.schema.alterTable('settings').addColumn('half', 'text').execute();
      throw new Error('the second half does not work');
    },
  });
  await expect(openDatabase(dir)).rejects.toThrow('the second half does not work');
  expect(contentsOf(dir)).toEqual(before);

  forget();
  const database = await openDatabase(dir);
  expect(await schemaOf(database)).toBe(schema);
  expect(await pragma(database, 'user_version')).toBe(version);
});

test('a database of a newer version is refused by name, and every byte stays', async () => {
  const dir = tempFolder();
  const forget = withMigration('9999-future', { up: async () => {} });
  await (await openDatabase(dir)).close();
  forget();
  const before = contentsOf(dir);

  const refused = await openDatabase(dir).catch((error: unknown) => error);

  expect(refused).toBeInstanceOf(NewerSchemaError);
  expect(refused).toHaveProperty(
    'message',
    expect.stringMatching(/newer WOTP .*9999-future.*Start that version/),
  );
  expect(contentsOf(dir)).toEqual(before);
});

test('a file that gets a migration is backed up first, and one that gets none is not', async () => {
  const dir = tempFolder();
  const backupFolder = join(dir, 'backups');
  const first = await openDatabase(dir, { backupFolder });
  expect(first.upgrade).toEqual({ applied: Object.keys(MIGRATIONS), backup: null });
  await first.transaction((trx) => trx.insertInto('settings').values({ key: 'kept', value: 'x' }).execute());
  await first.close();
  const again = await openDatabase(dir, { backupFolder });
  expect(again.upgrade).toEqual({ applied: [], backup: null });
  await again.close();
  expect(existsSync(backupFolder)).toBe(false);

  withMigration('9999-shelves', {
    up: (db) => db.schema.createTable('shelves').addColumn('id', 'integer').execute(),
  });
  const reached: number[] = [];
  const onBackupProgress = (done: number) => void reached.push(done);
  const { upgrade } = await openDatabase(dir, { backupFolder, onBackupProgress });
  expect(reached).toEqual([...reached].sort((a, b) => a - b));
  expect(reached.at(0)).toBe(0);
  expect(upgrade.applied).toEqual(['9999-shelves']);
  const backup = tempFolder();
  copyFileSync(upgrade.backup!, databasePathIn(backup));
  delete MIGRATIONS['9999-shelves'];
  const before = await openDatabase(backup);
  expect(await schemaOf(before)).not.toContain('shelves');
  expect(await before.reader.selectFrom('settings').select('key').execute()).toEqual([{ key: 'kept' }]);
});

test('without room for its backup a file gets no migration', async () => {
  const dir = tempFolder();
  await (await openDatabase(dir)).close();
  writeFileSync(join(dir, 'backups'), 'a file where the folder should be');
  const before = contentsOf(dir);
  withMigration('9999-shelves', {
    up: (db) => db.schema.createTable('shelves').addColumn('id', 'integer').execute(),
  });
  await expect(openDatabase(dir, { backupFolder: join(dir, 'backups') })).rejects.toThrow(
    /the backup before it cannot be made\. .* The database was not touched\./,
  );
  expect(contentsOf(dir)).toEqual(before);
});
