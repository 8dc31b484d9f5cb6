import type { Compilable, Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** Where a query runs: the reader, or the transaction that a service was handed. */
export type Executor = Kysely<Schema>;

/** An open write transaction. A type of its own, so that a function that writes says so in its signature. */
export type Transaction = Kysely<Schema> & { readonly __transaction?: true };

/** Names a value that is given when a prepared query runs. */
export type Parameters<P> = <K extends keyof P & string>(name: K) => P[K];

/** A query compiled once; each run gives the values for its named parameters and resolves to the rows. */
type PreparedQuery<P, Row> = (executor: Executor, values: P) => Promise<Row[]>;

/** The space of a database that is a file of ours: what is empty in it, and giving that back. */
export interface FileSpace {
  /** What the database takes on disk, its WAL with it, and how much of it is empty pages, in bytes. */
  measure(): { bytes: number; freeBytes: number };
  /** Moves up to `pages` empty pages out of the file, in one transaction; the file shrinks at the next checkpoint. */
  release(pages: number): Promise<void>;
  /** Writes the WAL into the file and empties it, as far as readers allow. */
  checkpoint(): Promise<void>;
}

/**
 * One database, whichever engine is behind it.
 */
export interface Database {
  readonly engine: 'wodb' | 'postgres';

  /** Runs queries over what is committed. Never writes. */
  readonly reader: Executor;

  /**
   * Runs `work` in one write transaction and resolves with its result once the commit is on disk. When `work`
   * rejects, everything it wrote is undone, no neighbour in the same commit is touched, and the rejection is
   * passed on. `work` may run more than once, so it has no effect but through the transaction it was handed, and it
   * awaits nothing else.
   * @throws DatabaseError (503) when the write cannot be taken: queue full, disk full, closing.
   */
  transaction<T>(work: (trx: Transaction) => Promise<T>): Promise<T>;

  /**
   * Runs `work` once the transaction's commit is on disk; never when it is undone, and once however often the
   * transaction had to be run. It must not throw.
   */
  afterCommit(trx: Transaction, work: () => void): void;

  /**
   * Makes every later transaction that asks for the same `key` wait until this one has ended. What is read after
   * it is safe to decide on.
   */
  serialize(trx: Transaction, key: string): Promise<void>;

  /** As `serialize`, but resolves to false at once where another transaction that asked for the key has not ended. */
  trySerialize(trx: Transaction, key: string): Promise<boolean>;

  /** Compiles a query on its first run and keeps it; use for every query on the way of a request. */
  prepare<P, Row>(build: (db: Executor, value: Parameters<P>) => Compilable<Row>): PreparedQuery<P, Row>;

  /**
   * As `prepare`, for a statement that returns nothing: each run resolves to how many rows it changed. Where that is
   * all that has to be known it costs half of a statement that returns them.
   */
  prepareChange<P>(
    build: (db: Executor, value: Parameters<P>) => Compilable<unknown>,
  ): (trx: Transaction, values: P) => Promise<number>;

  /** Whether no other process can change the data, so that what was read may be remembered until this one changes it. */
  readonly isExclusive: boolean;

  /** Undefined where the engine looks after its space itself. */
  readonly space?: FileSpace;

  /** Calls `listener` after each commit: how many transactions shared it, and how long it took in ms. WODB only. */
  watchCommits?(listener: (transactions: number, ms: number) => void): void;

  /** Calls `listener` with how long each transaction waited for a connection of the pool, in ms. PostgreSQL only. */
  watchPoolWaits?(listener: (ms: number) => void): void;

  /** Writes waiting for their turn. */
  readonly waitingWrites: number;

  /** Resolves when a write has just reached the disk; rejects with the reason when writes fail. */
  checkWritable(): Promise<void>;

  /** The time (Unix ms) by the one clock that all processes on these data share; absent where there is only one. */
  sharedTime?(): Promise<number>;

  /** Finishes what is queued, then closes. Safe to call twice. */
  close(): Promise<void>;
}
