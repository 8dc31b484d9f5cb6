import { createDecipheriv, type Decipher, scryptSync } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';

/** v3's file: an IV, then blocks of AES-256-CBC. */
export const BLOCK_BYTES = 16;

/** Whether a file begins as v3's database does under this key. It is read before SQLite opens it. */
export function isV3Database(path: string, masterKey: string): boolean {
  const start = Buffer.alloc(2 * BLOCK_BYTES);
  const file = openSync(path, 'r');
  try {
    return readSync(file, start) === start.length && opensWith(start, keyFrom(masterKey));
  } finally {
    closeSync(file);
  }
}

/** The key that v3 made of its master key. */
export function keyFrom(masterKey: string): Buffer {
  return scryptSync(masterKey, 'salt', 32);
}

/** Decrypts what follows the file's first block, its IV. */
export function decipherOf(file: Buffer, key: Buffer): Decipher {
  return createDecipheriv('aes-256-cbc', key, file.subarray(0, BLOCK_BYTES));
}

/** Whether a file, or its beginning, is v3's under this key. What the file begins with is known, so that a wrong key is told from a file whose end is lost. */
export function opensWith(file: Buffer, key: Buffer): boolean {
  const firstBlock = file.subarray(BLOCK_BYTES, 2 * BLOCK_BYTES);
  const start = decipherOf(file, key).setAutoPadding(false).update(firstBlock).toString('latin1');
  return /^\s*\{\s*["}]/.test(start);
}
