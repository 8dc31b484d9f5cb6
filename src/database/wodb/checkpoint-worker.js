// @ts-check
// Copies the WAL back into the database on a thread and a connection of its own. Started by checkpointer.ts.
// Plain JavaScript: a worker is loaded by Node itself, which cannot read TypeScript before version 22.
import { parentPort, workerData } from 'node:worker_threads';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { BUSY_TIMEOUT_MS, secure, unlock } from './unlock.js';

/** @typedef {{ path: string, fileKey: { key: Uint8Array, salt: Uint8Array } }} Setup */
/** @typedef {{ error: { code: string, message: string } | undefined }} Done */

/** So few frames may be left for the writer to copy. */
const REST_FRAMES = 100;
const PASSES_MAX = 4;

const { path, fileKey } = /** @type {Setup} */ (workerData);
const sqlite = new Sqlite(path, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
unlock(sqlite, fileKey);
secure(sqlite);

/** Each pass copies what was written during the one before it, so that less and less is left. */
function copyBack() {
  let frames = 0;
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    const [result] = /** @type {{ busy: number, log: number }[]} */ (
      sqlite.pragma('wal_checkpoint(PASSIVE)')
    );
    if (!result || result.busy || result.log - frames <= REST_FRAMES) return;
    frames = result.log;
  }
}

parentPort?.on('message', (/** @type {'copy' | 'close'} */ wish) => {
  if (wish === 'close') {
    sqlite.close();
    parentPort?.close();
    return;
  }
  /** @type {Done['error']} */
  let error;
  try {
    copyBack();
  } catch (cause) {
    const { code = '', message } = /** @type {NodeJS.ErrnoException} */ (cause);
    error = { code, message };
  }
  parentPort?.postMessage({ error });
});
