import { Worker } from 'node:worker_threads';
import { DatabaseError } from '../../errors/errors.ts';
import type { Done, Setup } from './checkpoint-worker.js';
import type { FileKey, WodbConnection } from './connection.ts';

/** Commits after which the WAL is copied back. */
const COMMITS_A_COPY = 120;
/** Pages in the WAL at which the writer copies by itself, should the thread not keep up or be gone. */
const WRITER_COPIES_AT = 8_000;

/**
 * Copies the WAL back into the database file (a checkpoint) on a thread of its own: decrypting and encrypting a page
 * takes as long as a request, and a thousand of them in one go would be a pause for everybody. The writer copies only
 * the few pages that came meanwhile, after which it begins the WAL anew. The thread is started when it is first needed.
 */
export class Checkpointer {
  readonly #writer: WodbConnection;
  readonly #setup: Setup;
  readonly #onFatal: (error: Error) => void;
  #worker: Worker | undefined;
  #isCopying = false;
  #isClosed = false;
  #commits = 0;

  /** `onFatal` is called when a sync to disk failed; the process has to end. */
  constructor(
    writer: WodbConnection,
    setup: { path: string; fileKey: FileKey },
    onFatal: (error: Error) => void,
  ) {
    this.#writer = writer;
    this.#setup = setup;
    this.#onFatal = onFatal;
    writer.sqlite.pragma(`wal_autocheckpoint = ${WRITER_COPIES_AT}`);
  }

  /** To be called after every commit. */
  committed(): void {
    this.#commits += 1;
    if (this.#commits < COMMITS_A_COPY || this.#isCopying || this.#isClosed) return;
    this.#commits = 0;
    this.#isCopying = true;
    this.#worker ??= this.#start();
    this.#worker.postMessage('copy');
  }

  /** Ends the thread, once it has finished what it is copying. Safe to call twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const worker = this.#worker;
    if (!worker) return;
    this.#worker = undefined;
    const exit = new Promise((resolve) => worker.once('exit', resolve));
    // The process has to live until then.
    worker.ref();
    worker.postMessage('close');
    await exit;
  }

  #start(): Worker {
    const worker = new Worker(new URL('./checkpoint-worker.js', import.meta.url), {
      workerData: this.#setup,
    });
    worker.unref();
    worker.on('message', ({ error }: Done) => this.#copied(error));
    // Without the thread the writer's own limit is what remains.
    worker.on('error', () => {
      this.#isClosed = true;
      this.#worker = undefined;
    });
    return worker;
  }

  #copied(error: Done['error']): void {
    this.#isCopying = false;
    if (error?.code.endsWith('FSYNC')) {
      this.#onFatal(new DatabaseError(`The disk failed to keep what was written: ${error.message}.`));
    } else if (!error && this.#writer.sqlite.open && !this.#writer.sqlite.inTransaction) {
      this.#writer.sqlite.pragma('wal_checkpoint(PASSIVE)');
    }
  }
}
