import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { expect, test } from 'vitest';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { writeV3Database } from '../../../test/support/v3-database.ts';
import { contentsOf, databasePathIn, MASTER_KEY, openDatabase } from '../../../test/support/wodb.ts';
import { stretchMasterKey } from '../../lib/key-derivation.ts';
import { DatabaseOpenError } from './open-error.ts';

const OTHER_KEY = 'quite another master key, as long as it must be';
const PAGE = 4096;

/** A data folder as a clean stop leaves it. */
async function stoppedFolder(): Promise<string> {
  const dir = tempFolder();
  await (await openDatabase(dir)).close();
  return dir;
}

/** A data folder as a kill leaves it, with changes that are in the WAL only. */
async function killedFolder(): Promise<string> {
  const [running, dir] = [tempFolder(), tempFolder()];
  const database = await openDatabase(running);
  await database.transaction((trx) =>
    trx.insertInto('settings').values({ key: 'in', value: 'WAL' }).execute(),
  );
  cpSync(running, dir, { recursive: true });
  await database.close();
  rmSync(join(dir, 'wotp.wodb-shm'));
  return dir;
}

const withoutKeyCheck = (dir: string) => rmSync(join(dir, 'wotp.keycheck'));

function flip(dir: string, ...positions: number[]): void {
  const bytes = readFileSync(databasePathIn(dir));
  for (const position of positions) bytes[position]! ^= 1;
  writeFileSync(databasePathIn(dir), bytes);
}

function plainFile(dir: string): void {
  rmSync(databasePathIn(dir));
  const plain = new Sqlite(databasePathIn(dir));
  plain.exec('create table secrets (v text)');
  plain.close();
}

/** An SQLCipher database with the right key for its salt, made by some other program. */
function databaseOfAnotherProgram(dir: string): void {
  rmSync(databasePathIn(dir));
  const salt = Buffer.alloc(16, 7);
  const other = new Sqlite(databasePathIn(dir));
  other.pragma(`cipher = 'sqlcipher'`);
  other.pragma('legacy = 4');
  other.pragma(`key = "x'${stretchMasterKey(MASTER_KEY, salt).toString('hex')}${salt.toString('hex')}'"`);
  other.exec('create table invoices (v text)');
  other.close();
}

interface Case {
  name: string;
  folder?: () => Promise<string>;
  spoil: (dir: string) => void | Promise<void>;
  masterKey?: string;
  says: RegExp;
}

const CASES: Case[] = [
  {
    name: "v3's database in its place, as v3's DB_PATH in the settings puts it",
    spoil: (dir) => {
      withoutKeyCheck(dir);
      writeV3Database(databasePathIn(dir), { tokens: [], logs: [] }, MASTER_KEY);
    },
    says: /is the database of WOTP v3\. Take DB_PATH out .*wotp\.js migrate --from-v3/,
  },
  {
    name: 'a wrong key',
    spoil: () => {},
    masterKey: OTHER_KEY,
    says: /^DB_MASTER_KEY is not the key of this database\. Set it to the key the database was created with/,
  },
  {
    name: 'a wrong key, with changes in the WAL',
    folder: killedFolder,
    spoil: () => {},
    masterKey: OTHER_KEY,
    says: /^DB_MASTER_KEY is not the key of this database\. Set it to the key the database was created with/,
  },
  {
    name: 'a wrong key where the key check is gone',
    spoil: withoutKeyCheck,
    masterKey: OTHER_KEY,
    says: /the key is wrong, or the file's first page is damaged/,
  },
  {
    name: 'a wrong key where the key check is gone, with changes in the WAL',
    folder: killedFolder,
    spoil: withoutKeyCheck,
    masterKey: OTHER_KEY,
    says: /the key is wrong, or the file's first page is damaged/,
  },
  {
    name: 'a missing file',
    spoil: (dir) => rmSync(databasePathIn(dir)),
    says: /wotp\.wodb is missing\. Put/,
  },
  {
    name: 'an empty file',
    spoil: (dir) => truncateSync(databasePathIn(dir)),
    says: /wotp\.wodb is empty\. Put/,
  },
  {
    name: 'a WAL whose database is missing, where the key check is gone',
    folder: killedFolder,
    spoil: (dir) => {
      rmSync(databasePathIn(dir));
      withoutKeyCheck(dir);
    },
    says: /wotp\.wodb-wal holds changes of a database, but .*wotp\.wodb itself is missing/,
  },
  { name: 'a plain file', spoil: plainFile, says: /is a plain SQLite file, not an encrypted WODB/ },
  {
    name: 'a plain file where the key check is gone',
    spoil: (dir) => {
      plainFile(dir);
      withoutKeyCheck(dir);
    },
    says: /is a plain SQLite file, not an encrypted WODB/,
  },
  {
    name: "another folder's database under the same key",
    spoil: async (dir) => cpSync(databasePathIn(await stoppedFolder()), databasePathIn(dir)),
    says: /is not the database that belongs to this data folder/,
  },
  {
    name: "another program's encrypted database",
    spoil: (dir) => {
      databaseOfAnotherProgram(dir);
      withoutKeyCheck(dir);
    },
    says: /it is not a WODB database/,
  },
  { name: 'a damaged salt', spoil: (dir) => flip(dir, 3), says: /or its first bytes are damaged/ },
  { name: 'a damaged first page', spoil: (dir) => flip(dir, 100), says: /wotp\.wodb is damaged\. Restore/ },
  {
    name: 'a damaged first page where the key check is gone',
    spoil: (dir) => {
      flip(dir, 100);
      withoutKeyCheck(dir);
    },
    says: /the key is wrong, or the file's first page is damaged/,
  },
  {
    name: 'damaged pages of the schema',
    spoil: (dir) => {
      const pages = readFileSync(databasePathIn(dir)).length / PAGE;
      flip(dir, ...Array.from({ length: pages - 1 }, (_, i) => (i + 1) * PAGE + 200));
    },
    says: /wotp\.wodb is damaged\. Restore/,
  },
  {
    name: 'a file cut in half',
    spoil: (dir) => truncateSync(databasePathIn(dir), 3 * PAGE),
    says: /wotp\.wodb is damaged\. Restore/,
  },
  {
    name: 'a file shorter than its salt',
    spoil: (dir) => {
      writeFileSync(databasePathIn(dir), 'short');
      withoutKeyCheck(dir);
    },
    says: /the key is wrong, or the file's first page is damaged/,
  },
  {
    name: 'a key check that is no JSON',
    spoil: (dir) => writeFileSync(join(dir, 'wotp.keycheck'), 'garbage'),
    says: /wotp\.keycheck is damaged/,
  },
  {
    name: 'a key check without its fields',
    spoil: (dir) => writeFileSync(join(dir, 'wotp.keycheck'), '{"salt":"00","check":null}'),
    says: /wotp\.keycheck is damaged/,
  },
  {
    name: 'an empty key check',
    spoil: (dir) => writeFileSync(join(dir, 'wotp.keycheck'), ''),
    says: /wotp\.keycheck is damaged/,
  },
];

/** All but the index of the WAL, which SQLite makes anew whenever it likes. */
function stored(dir: string) {
  const { 'wotp.wodb-shm': _index, ...files } = contentsOf(dir);
  return files;
}

test.for(CASES)('$name is refused with its own message, and every byte stays', async (given) => {
  const dir = await (given.folder ?? stoppedFolder)();
  await given.spoil(dir);
  const before = stored(dir);

  const refused = await openDatabase(dir, { masterKey: given.masterKey ?? MASTER_KEY }).catch(
    (error: unknown) => error,
  );

  expect(refused).toBeInstanceOf(DatabaseOpenError);
  expect((refused as Error).message).toMatch(given.says);
  expect((refused as Error).message).not.toContain(MASTER_KEY);
  expect(stored(dir)).toEqual(before);
});

test('a refusal lets go of the lock, and the right file and key open again with all that was committed', async () => {
  const dir = await killedFolder();
  await expect(openDatabase(dir, { masterKey: OTHER_KEY })).rejects.toThrow(DatabaseOpenError);
  const database = await openDatabase(dir);
  const rows = await database.reader.selectFrom('settings').selectAll().execute();
  expect(rows).toEqual([{ key: 'in', value: 'WAL' }]);
});
