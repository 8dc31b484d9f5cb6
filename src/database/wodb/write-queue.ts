import { DatabaseError, StoppingError } from '../../errors/errors.ts';
import { asDatabaseError, sqliteCode, type WodbConnection } from './connection.ts';

const OUTAGE = 'The database cannot be used at the moment; nothing was changed.';

interface Job {
  work: () => Promise<unknown>;
  resolve: (value: unknown) => void;
  reject: (reason: unknown) => void;
  outcome?: { value: unknown } | { error: unknown };
  /** What its latest run wants done once it is on disk. */
  afterCommit: (() => void)[];
}

export interface WriteQueueOptions {
  /** Transactions that may wait; one more is refused with QUEUE_FULL. */
  maxWaiting?: number;
  /** Transactions that share one commit at most. */
  maxGroup?: number;
  /** Called after each commit with the number of transactions that shared it, and how long it took in ms. */
  onCommit?: (transactions: number, ms: number) => void;
  /** Called when a sync to disk failed: what was written is unknown, so the process must end and recover. */
  onFatal: (error: Error) => void;
}

/**
 * Group commit: transactions that wait at the same time run one after another inside one SQLite transaction and share
 * one sync to disk. A transaction's promise settles only after that sync. When one fails after it has written, the
 * whole group runs once more, each in a savepoint of its own, so that the failed one alone is undone.
 */
export class WriteQueue {
  readonly #connection: WodbConnection;
  readonly #maxWaiting: number;
  readonly #maxGroup: number;
  readonly #onCommit: (transactions: number, ms: number) => void;
  readonly #onFatal: (error: Error) => void;
  #waiting: Job[] = [];
  #running: Promise<void> | undefined;
  #current: Job | undefined;
  #closed: DatabaseError | undefined;
  /** Why the latest commit failed; undefined when one has succeeded since. */
  failure: unknown;

  constructor(connection: WodbConnection, options: WriteQueueOptions) {
    this.#connection = connection;
    this.#maxWaiting = options.maxWaiting ?? 10_000;
    this.#maxGroup = options.maxGroup ?? 256;
    this.#onCommit = options.onCommit ?? (() => {});
    this.#onFatal = options.onFatal;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** Queues a transaction; resolves with its result after the commit that carries it is on disk. */
  run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#waiting.length >= this.#maxWaiting) {
      return Promise.reject(
        new DatabaseError('Too many writes are waiting; try again in a moment.', undefined, 'QUEUE_FULL'),
      );
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve: resolve as (value: unknown) => void, reject, afterCommit: [] });
      this.#running ??= this.#drain();
    });
  }

  /** Runs `work` once the transaction that is running now is on disk; never when it is undone. */
  afterCommit(work: () => void): void {
    if (!this.#current) throw new Error('No transaction is running.');
    this.#current.afterCommit.push(work);
  }

  /** Takes no more work and resolves when what was queued is done. */
  async close(): Promise<void> {
    this.#closed ??= new StoppingError();
    await this.#running;
  }

  async #drain(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        await this.#gather();
        await this.#commitGroup(this.#waiting.splice(0, this.#maxGroup));
      }
    } finally {
      // In the same step that saw nothing waiting, so that a transaction that comes next starts a run of its own.
      this.#running = undefined;
    }
  }

  /** Waits for the requests that are just being read, turn by turn of the event loop, as long as more come. */
  async #gather(): Promise<void> {
    let before = 0;
    while (this.#waiting.length > before && this.#waiting.length < this.#maxGroup) {
      before = this.#waiting.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async #commitGroup(group: Job[]): Promise<void> {
    const changesBefore = this.failure === undefined ? 0 : this.#changes();
    let commitMs: number;
    try {
      this.#exec('BEGIN IMMEDIATE');
      if (!(await this.#runAll(group))) {
        this.#exec('ROLLBACK');
        this.#exec('BEGIN IMMEDIATE');
        for (const job of group) await this.#runInSavepoint(job);
      }
      const begun = performance.now();
      this.#exec('COMMIT');
      commitMs = performance.now() - begun;
      // A group that wrote nothing shows nothing about the disk.
      if (this.failure !== undefined && this.#changes() > changesBefore) this.failure = undefined;
    } catch (error) {
      this.#abort(group, error);
      return;
    }
    for (const job of group) {
      if (job.outcome && 'value' in job.outcome) {
        job.resolve(job.outcome.value);
        for (const work of job.afterCommit) work();
      } else job.reject(job.outcome?.error);
    }
    this.#onCommit(group.length, commitMs);
  }

  /**
   * Runs a group without savepoints, each of which would copy every page that its transaction changes. False when
   * one of them has failed after it had written, which cannot be undone alone.
   */
  async #runAll(group: Job[]): Promise<boolean> {
    for (const job of group) {
      const before = this.#connection.writes;
      await this.#run(job);
      if (job.outcome && 'error' in job.outcome && this.#connection.writes > before) return false;
    }
    return true;
  }

  async #runInSavepoint(job: Job): Promise<void> {
    this.#exec('SAVEPOINT job');
    await this.#run(job);
    if (job.outcome && 'error' in job.outcome) this.#exec('ROLLBACK TO job');
    this.#exec('RELEASE job');
  }

  async #run(job: Job): Promise<void> {
    job.afterCommit = [];
    this.#current = job;
    try {
      job.outcome = { value: await job.work() };
    } catch (error) {
      job.outcome = { error };
    } finally {
      this.#current = undefined;
    }
    // SQLite ends the whole transaction by itself on a full disk or an I/O error, whatever the job makes of the error.
    if (!this.#connection.sqlite.inTransaction) {
      const error = 'error' in job.outcome ? job.outcome.error : undefined;
      throw sqliteCode(error) === '' ? new DatabaseError(OUTAGE, error) : error;
    }
  }

  #abort(group: Job[], error: unknown): void {
    this.failure = error;
    const lost = sqliteCode(error).endsWith('FSYNC')
      ? new DatabaseError('The disk failed to keep what was written; the server is stopping.', error)
      : undefined;
    const reason = lost ?? asDatabaseError(error);
    for (const job of group) job.reject(reason);
    if (this.#connection.sqlite.inTransaction) this.#connection.sqlite.exec('ROLLBACK');
    if (lost) {
      this.#closed = lost;
      for (const job of this.#waiting.splice(0)) job.reject(lost);
      this.#onFatal(lost);
    }
  }

  /** Rows this connection has changed since it was opened. */
  #changes(): number {
    return this.#connection.statement('select total_changes()').pluck().get() as number;
  }

  #exec(sql: string): void {
    this.#connection.statement(sql).run();
  }
}
