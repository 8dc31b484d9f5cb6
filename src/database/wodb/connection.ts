import Sqlite from 'better-sqlite3-multiple-ciphers';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { DatabaseError } from '../../errors/errors.ts';

/** "WOTP" in ASCII: marks the file as a WODB database for tools that have opened it. */
export const APPLICATION_ID = 0x574f5450;

/** The key of one database file: 32 bytes for the pages, and the 16 bytes of salt at the file's start. */
export interface FileKey {
  key: Buffer;
  salt: Buffer;
}

const STATEMENTS_MAX = 500;
const OUTAGES = [
  'SQLITE_FULL',
  'SQLITE_IOERR',
  'SQLITE_BUSY',
  'SQLITE_READONLY',
  'SQLITE_CANTOPEN',
  'SQLITE_NOMEM',
];
const DAMAGES = ['SQLITE_CORRUPT', 'SQLITE_NOTADB'];

/** The SQLite result code of an error, or '' when it is none of SQLite's. */
export function sqliteCode(error: unknown): string {
  return error instanceof Sqlite.SqliteError ? error.code : '';
}

/** Turns SQLite's outages (full disk, I/O error, damage) into a 503 that keeps its cause; passes the rest on. */
export function asDatabaseError(error: unknown): unknown {
  const code = sqliteCode(error);
  if (code === 'SQLITE_FULL') return new DatabaseError('The disk is full; nothing was changed.', error);
  if (OUTAGES.some((outage) => code.startsWith(outage))) {
    return new DatabaseError('The database cannot be used at the moment; nothing was changed.', error);
  }
  if (DAMAGES.some((damage) => code.startsWith(damage))) {
    return new DatabaseError('The database file is damaged; the operator has to restore a backup.', error);
  }
  return error;
}

/**
 * One open SQLCipher 4 connection with its cache of prepared statements. All calls are synchronous.
 */
export class WodbConnection implements DatabaseConnection {
  readonly sqlite: Sqlite.Database;
  readonly #statements = new Map<string, Sqlite.Statement>();

  /**
   * Opens the file, gives the key, sets every pragma the product relies on and reads each one back.
   * @throws Error when one of them does not hold; a SqliteError NOTADB when the key does not fit the file.
   */
  constructor(path: string, fileKey: FileKey, { readonly }: { readonly: boolean }) {
    this.sqlite = new Sqlite(path, { readonly, fileMustExist: true, timeout: 5_000 });
    try {
      this.sqlite.pragma(`cipher = 'sqlcipher'`);
      this.sqlite.pragma('legacy = 4');
      // A raw key with its salt: SQLCipher runs no key derivation of its own over it.
      this.sqlite.pragma(`key = "x'${fileKey.key.toString('hex')}${fileKey.salt.toString('hex')}'"`);
      if (!readonly) {
        // Takes effect only while the file has no page yet, so it has to come before WAL.
        this.sqlite.pragma('auto_vacuum = INCREMENTAL');
        this.sqlite.pragma('journal_mode = WAL');
      }
      this.sqlite.pragma('synchronous = FULL');
      this.sqlite.pragma('foreign_keys = ON');
      this.sqlite.pragma('temp_store = MEMORY');
      this.sqlite.pragma('secure_delete = ON');
      this.sqlite.pragma('cache_size = -32768');
      this.#readBack({
        journal_mode: 'wal',
        synchronous: 2,
        foreign_keys: 1,
        temp_store: 2,
        secure_delete: 1,
        auto_vacuum: 2,
        busy_timeout: 5_000,
      });
    } catch (error) {
      this.sqlite.close();
      throw error;
    }
  }

  #readBack(expected: Record<string, string | number>): void {
    for (const [name, value] of Object.entries(expected)) {
      const actual = this.sqlite.pragma(name, { simple: true });
      if (actual !== value) {
        throw new Error(
          `The database does not keep ${name} = ${value} (it says ${actual}); it is not safe to go on.`,
        );
      }
    }
  }

  /** The compiled statement for this SQL, made once. */
  statement(sql: string): Sqlite.Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      if (this.#statements.size >= STATEMENTS_MAX) this.#statements.clear();
      statement = this.sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Runs one query and returns its rows (none for a statement that returns nothing). */
  run<Row>(sql: string, parameters: readonly unknown[]): { rows: Row[]; changes: number } {
    try {
      const statement = this.statement(sql);
      if (statement.reader) return { rows: statement.all(...parameters) as Row[], changes: 0 };
      return { rows: [], changes: statement.run(...parameters).changes };
    } catch (error) {
      throw asDatabaseError(error);
    }
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, changes } = this.run<Row>(query.sql, query.parameters);
    return { rows, numAffectedRows: BigInt(changes) };
  }

  // biome-ignore lint/correctness/useYield: Kysely asks for it; no query here is streamed.
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('Queries are not streamed on WODB.');
  }

  close(): void {
    this.#statements.clear();
    this.sqlite.close();
  }
}
