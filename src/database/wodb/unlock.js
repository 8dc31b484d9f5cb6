// @ts-check
// Plain JavaScript, as worker.js needs it too, which Node loads by itself.

/**
 * Gives a connection that was just opened its cipher and its key, and reads the cipher back. Nothing is read of the
 * file yet, so a wrong key shows with the first query (SQLITE_NOTADB).
 * @param {import('better-sqlite3-multiple-ciphers').Database} sqlite
 * @param {{ key: Uint8Array, salt: Uint8Array }} fileKey
 * @throws Error when the library does not keep the cipher
 */
export function unlock(sqlite, fileKey) {
  sqlite.pragma(`cipher = 'sqlcipher'`);
  sqlite.pragma('legacy = 4');
  sqlite.pragma(`key = "${rawKey(fileKey)}"`);
  // Before anything is written: a library without the cipher would take the key and write plain text.
  readBack(sqlite, { cipher: 'sqlcipher', legacy: '4' });
}

/** How long a connection waits for a lock of another one, in ms. */
export const BUSY_TIMEOUT_MS = 5_000;

/**
 * Sets what every connection relies on, whatever it is for, and reads it back: SQLite takes a setting that it does not
 * know without a word, and falls back to weaker ones by itself.
 * @param {import('better-sqlite3-multiple-ciphers').Database} sqlite opened with the busy time-out of this file
 * @throws Error when one of them does not hold
 */
export function secure(sqlite) {
  sqlite.pragma('synchronous = FULL');
  sqlite.pragma('foreign_keys = ON');
  sqlite.pragma('temp_store = MEMORY');
  sqlite.pragma('secure_delete = ON');
  readBack(sqlite, {
    synchronous: 2,
    foreign_keys: 1,
    temp_store: 2,
    secure_delete: 1,
    busy_timeout: BUSY_TIMEOUT_MS,
  });
}

/**
 * A key with its salt as SQLCipher takes them: it runs no key derivation of its own over it.
 * @param {{ key: Uint8Array, salt: Uint8Array }} fileKey
 */
export function rawKey({ key, salt }) {
  return `x'${Buffer.from(key).toString('hex')}${Buffer.from(salt).toString('hex')}'`;
}

/**
 * Compares pragmas with what they have to be.
 * @param {import('better-sqlite3-multiple-ciphers').Database} sqlite
 * @param {Record<string, string | number>} expected
 * @throws Error when one of them is something else
 */
export function readBack(sqlite, expected) {
  for (const [name, value] of Object.entries(expected)) {
    const actual = sqlite.pragma(name, { simple: true });
    if (actual !== value) {
      throw new Error(
        `The database does not keep ${name} = ${value} (it says ${actual}); it is not safe to continue.`,
      );
    }
  }
}
