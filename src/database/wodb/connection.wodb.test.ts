import { cpSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { afterEach, expect, test, vi } from 'vitest';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { newConnection } from '../../../test/support/wodb.ts';
import { ConflictError, DatabaseError } from '../../errors/errors.ts';
import { createPrivateFile } from '../private-files.ts';
import { APPLICATION_ID, asDatabaseError, type ConnectionMode, WodbConnection } from './connection.ts';

afterEach(() => vi.restoreAllMocks());

const EXPECTED = {
  cipher: 'sqlcipher',
  legacy: '4',
  page_size: 4096,
  application_id: APPLICATION_ID,
  journal_mode: 'wal',
  synchronous: 2,
  foreign_keys: 1,
  temp_store: 2,
  secure_delete: 1,
  auto_vacuum: 2,
  busy_timeout: 5_000,
};

function pragmasOf({ sqlite }: WodbConnection) {
  return Object.fromEntries(
    Object.keys(EXPECTED).map((name) => [name, sqlite.pragma(name, { simple: true })]),
  );
}

test('a connection holds every pragma: to a new file, to a closed one, and to one whose WAL a crash has left', () => {
  const dir = tempFolder();
  const { connection, path, fileKey } = newConnection(dir);
  connection.sqlite.exec('create table t (v text)');
  expect(pragmasOf(connection)).toEqual(EXPECTED);

  const afterCrash = join(dir, 'crashed.wodb');
  for (const end of ['', '-wal']) cpSync(path + end, afterCrash + end);
  expect(statSync(`${afterCrash}-wal`).size).toBeGreaterThan(0);
  connection.close();

  for (const file of [path, afterCrash]) {
    for (const mode of ['write', 'read'] as const) {
      const again = new WodbConnection(file, fileKey, mode);
      expect(pragmasOf(again), `${file} ${mode}`).toEqual(EXPECTED);
      expect(again.sqlite.prepare('select count(*) from t').pluck().get()).toBe(0);
      again.close();
    }
  }
});

test.for(Object.keys(EXPECTED).filter((name) => name !== 'application_id'))(
  'a connection that does not keep %s is refused',
  (name) => {
    const { path, fileKey } = newConnection(tempFolder());
    const pragma = Sqlite.prototype.pragma;
    const closed = vi.spyOn(Sqlite.prototype, 'close');
    vi.spyOn(Sqlite.prototype, 'pragma').mockImplementation(function (
      this: Sqlite.Database,
      source,
      options,
    ) {
      return source === name ? 'something else' : pragma.call(this, source, options);
    });
    expect(() => new WodbConnection(path, fileKey, 'write')).toThrow(`does not keep ${name}`);
    expect(closed).toHaveBeenCalledOnce();
  },
);

test('where the cipher is missing nothing is written', () => {
  const path = join(tempFolder(), 'new.wodb');
  createPrivateFile(path);
  const pragma = Sqlite.prototype.pragma;
  vi.spyOn(Sqlite.prototype, 'pragma').mockImplementation(function (this: Sqlite.Database, source, options) {
    // As in SQLite without encryption, which ignores pragmas it does not know.
    return /^(cipher|legacy|key)\b/.test(source) ? undefined : pragma.call(this, source, options);
  });
  const fileKey = { key: Buffer.alloc(32, 1), salt: Buffer.alloc(16, 2) };
  expect(() => new WodbConnection(path, fileKey, 'create')).toThrow('does not keep cipher');
  expect(statSync(path).size).toBe(0);
});

test('a reading connection cannot write', () => {
  const { connection, path, fileKey } = newConnection(tempFolder());
  connection.sqlite.exec('create table t (v text)');
  const reader = new WodbConnection(path, fileKey, 'read');
  expect(() => reader.run('insert into t values (?)', ['x'])).toThrow(DatabaseError);
  reader.close();
});

test.for<ConnectionMode>(['write', 'read'])(
  'a flipped byte is reported as damage, by a %s connection',
  (mode) => {
    const { connection, path, fileKey } = newConnection(tempFolder());
    connection.sqlite.exec('create table t (v text)');
    connection.sqlite.exec(`insert into t values ('${'x'.repeat(9_000)}')`);
    connection.close();
    const bytes = readFileSync(path);
    bytes[bytes.length - 2_000]! ^= 1;
    writeFileSync(path, bytes);

    const damaged = new WodbConnection(path, fileKey, mode);
    damaged.sqlite.exec('BEGIN');
    expect(() => damaged.run('select v from t', [])).toThrow(/damaged; the operator has to restore a backup/);
    damaged.close();
  },
);

test('many different queries run on one connection, however many it remembers', () => {
  const { connection } = newConnection(tempFolder());
  connection.sqlite.exec('BEGIN');
  for (let i = 0; i < 1_200; i++) {
    expect(connection.run(`select ${i} as value`, []).rows).toEqual([{ value: i }]);
  }
  expect(connection.statement('select 7')).toBe(connection.statement('select 7'));
});

test.for([
  ['SQLITE_FULL', /disk is full/],
  ['SQLITE_IOERR_WRITE', /cannot be used at the moment/],
  ['SQLITE_BUSY', /cannot be used at the moment/],
  ['SQLITE_READONLY', /cannot be used at the moment/],
  ['SQLITE_CORRUPT', /damaged/],
  ['SQLITE_NOTADB', /damaged/],
] as const)('%s is a 503 whose cause is kept and whose text tells nothing internal', ([code, message]) => {
  const cause = new Sqlite.SqliteError('near "secret": internal words', code);
  const error = asDatabaseError(cause);
  expect(error).toBeInstanceOf(DatabaseError);
  expect(error).toMatchObject({ status: 503, cause, message: expect.stringMatching(message) });
  expect((error as Error).message).not.toMatch(/SQLITE|secret|internal/);
  expect(asDatabaseError(error)).toBe(error);
});

test('errors that are no outage pass as they are', () => {
  const constraint = new Sqlite.SqliteError('UNIQUE constraint failed', 'SQLITE_CONSTRAINT_UNIQUE');
  const conflict = new ConflictError('no');
  expect(asDatabaseError(constraint)).toBe(constraint);
  expect(asDatabaseError(conflict)).toBe(conflict);
});
