import Sqlite from 'better-sqlite3-multiple-ciphers';
import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import { DatabaseError } from '../../errors/errors.ts';
import { DatabaseOpenError } from './open-error.ts';
import { BUSY_TIMEOUT_MS, readBack, secure, unlock } from './unlock.js';

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
  'SQLITE_PROTOCOL',
];
const DAMAGES = ['SQLITE_CORRUPT', 'SQLITE_NOTADB'];

/** The SQLite result code of an error, or of the one behind a DatabaseError; '' when there is none. */
export function sqliteCode(error: unknown): string {
  const origin = error instanceof DatabaseError ? error.cause : error;
  return origin instanceof Sqlite.SqliteError ? origin.code : '';
}

/** Whether SQLite reports pages that are not what they should be. */
export function isDamage(error: unknown): boolean {
  return DAMAGES.some((damage) => sqliteCode(error).startsWith(damage));
}

/** Turns SQLite's outages (full disk, I/O error, damage) into a 503 that keeps its cause; passes the rest on. */
export function asDatabaseError(error: unknown): unknown {
  if (error instanceof DatabaseError) return error;
  const code = sqliteCode(error);
  if (code === 'SQLITE_FULL') return new DatabaseError('The disk is full; nothing was changed.', error);
  if (OUTAGES.some((outage) => code.startsWith(outage))) {
    return new DatabaseError('The database cannot be used at the moment; nothing was changed.', error);
  }
  if (isDamage(error)) {
    return new DatabaseError('The database file is damaged; the operator has to restore a backup.', error);
  }
  return error;
}

/** `create` writes the first page of an empty file; `write` and `read` open a whole database. */
export type ConnectionMode = 'create' | 'write' | 'read';

/**
 * One open SQLCipher 4 connection with its cache of prepared statements. All calls are synchronous.
 */
export class WodbConnection implements DatabaseConnection {
  readonly sqlite: Sqlite.Database;
  readonly #statements = new Map<string, Sqlite.Statement>();
  readonly #makers = new Map<Sqlite.Statement, RowMaker>();
  /** Statements run so far that may have written. */
  writes = 0;

  /**
   * Opens the file, gives the key, sets every pragma the product relies on and reads each one back.
   * @throws Error when one of them does not hold; a SqliteError NOTADB when the key does not fit the file.
   * @throws DatabaseOpenError when the file is another program's.
   */
  constructor(path: string, fileKey: FileKey, mode: ConnectionMode) {
    this.sqlite = new Sqlite(path, {
      readonly: mode === 'read',
      fileMustExist: true,
      timeout: BUSY_TIMEOUT_MS,
    });
    try {
      unlock(this.sqlite, fileKey);
      if (mode === 'create') {
        // Takes effect only while the file has no page yet, so it has to come before WAL.
        this.sqlite.pragma('auto_vacuum = INCREMENTAL');
        this.sqlite.pragma(`application_id = ${APPLICATION_ID}`);
      } else if (this.sqlite.pragma('application_id', { simple: true }) !== APPLICATION_ID) {
        throw new DatabaseOpenError(
          `${path} opens with this key, but it is not a WODB database. Put the right file back or restore a backup; the file was not touched.`,
        );
      }
      if (mode !== 'read') this.sqlite.pragma('journal_mode = WAL');
      secure(this.sqlite);
      this.sqlite.pragma('cache_size = -32768');
      readBack(this.sqlite, { page_size: 4096, journal_mode: 'wal', auto_vacuum: 2 });
    } catch (error) {
      this.sqlite.close();
      throw error;
    }
  }

  /** The compiled statement for this SQL, made once. */
  statement(sql: string): Sqlite.Statement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      if (this.#statements.size >= STATEMENTS_MAX) this.forgetStatements();
      statement = this.sqlite.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** To be called when the schema has changed: what a statement returns was noted when it was first run. */
  forgetStatements(): void {
    this.#statements.clear();
    this.#makers.clear();
  }

  /** The rows of a query. */
  #rows(statement: Sqlite.Statement, parameters: readonly unknown[]): unknown[] {
    let toRow = this.#makers.get(statement);
    if (!toRow) {
      toRow = rowMaker(
        statement
          .raw()
          .columns()
          .map(({ name }) => name),
      );
      this.#makers.set(statement, toRow);
    }
    const rows = statement.all(...parameters) as unknown[];
    for (let at = 0; at < rows.length; at++) rows[at] = toRow(rows[at] as unknown[]);
    return rows;
  }

  /**
   * Runs one query and returns its rows (none for a statement that returns nothing). A connection that may write does
   * so inside a transaction only: a query that outlives its transaction must not commit by itself.
   */
  run<Row>(sql: string, parameters: readonly unknown[]): { rows: Row[]; changes: number } {
    if (!this.sqlite.inTransaction && !this.sqlite.readonly) {
      throw new Error('A query was run after its transaction had ended.');
    }
    try {
      const statement = this.statement(sql);
      if (!statement.readonly) this.writes += 1;
      if (statement.reader) return { rows: this.#rows(statement, parameters) as Row[], changes: 0 };
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
    this.forgetStatements();
    this.sqlite.close();
  }
}

/** Makes a row of the values of its columns. */
type RowMaker = (values: readonly unknown[]) => object;

/**
 * Rows as literals, which share one hidden class a query. V8 keeps the library's own row objects as dictionaries, as it
 * does those that are filled name by name once they have 20 columns; both are slow to make and to read.
 */
function rowMaker(columns: readonly string[]): RowMaker {
  const fields = columns.map((name, at) => `${JSON.stringify(name)}: values[${at}]`);
  return new Function('values', `return { ${fields} }`) as RowMaker;
}
