import { createDecipheriv, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { stretchMasterKey } from '../../lib/key-derivation.ts';
import { isThere } from '../../lib/system-error.ts';
import type { FileKey } from './connection.ts';
import { PLAIN_HEADER, SALT_BYTES } from './file-key.ts';
import { DatabaseOpenError } from './open-error.ts';

const PAGE_BYTES = 4096;
const IV_AT = 4016;
const HMAC_AT = 4032;
/** Where the number of pages stands in the first page. */
const PAGE_COUNT_AT = 28;
/** Pages that are tried with the key when the first one does not fit. */
const PAGES_TRIED = 16;

/**
 * Looks at a file that somebody says is a WODB database, without SQLite and without its key check, and resolves what is
 * wrong with it before it is opened: page by page as docs/WODB_SPEC.md describes. Not for a file that is open in this
 * process. Returns the file's key.
 * @throws DatabaseOpenError when the file is missing, empty, plain, cut off or of another kind, its first page is damaged,
 *   or the master key is not its key
 */
export function examineFile(path: string, masterKey: string): FileKey {
  if (!isThere(path)) throw new DatabaseOpenError(`There is no file ${path}.`);
  const file = openSync(path, 'r');
  try {
    const stats = fstatSync(file);
    if (!stats.isFile()) throw new DatabaseOpenError(`${path} is not a file. Name the backup file itself.`);
    const { size } = stats;
    if (size === 0) throw new DatabaseOpenError(`${path} is empty; there is nothing in it to restore.`);
    const first = readPage(file, 1);
    const salt = Buffer.from(first.subarray(0, SALT_BYTES));
    if (salt.toString('latin1') === PLAIN_HEADER) {
      throw new DatabaseOpenError(`${path} is a plain SQLite file, not an encrypted WODB database.`);
    }
    if (size < PAGE_BYTES) {
      throw new DatabaseOpenError(`${path} is not a WODB database: it is smaller than one page.`);
    }
    const fileKey = { key: stretchMasterKey(masterKey, salt), salt };
    const hmacKey = pbkdf2Sync(
      fileKey.key,
      salt.map((byte) => byte ^ 0x3a),
      2,
      32,
      'sha512',
    );
    if (pageFits(first, 1, hmacKey)) {
      const isWhole = size % PAGE_BYTES === 0 && size >= pageCount(first, fileKey) * PAGE_BYTES;
      if (isWhole || isThere(`${path}-wal`)) return fileKey;
      throw new DatabaseOpenError(`${path} is cut off: its end is missing. Take another backup.`);
    }
    for (let number = 2; number <= Math.min(PAGES_TRIED, Math.floor(size / PAGE_BYTES)); number++) {
      if (!pageFits(readPage(file, number), number, hmacKey)) continue;
      throw new DatabaseOpenError(`${path} is damaged: its first page was changed. Take another backup.`);
    }
    throw new DatabaseOpenError(
      size % PAGE_BYTES === 0
        ? `The master key does not open ${path}: the file was created with another key (a backup from before a rotation, for example), or it is not a WODB database. Give its key with --key-file.`
        : `${path} is not a WODB database: its size is not a multiple of ${PAGE_BYTES} bytes.`,
    );
  } finally {
    closeSync(file);
  }
}

function readPage(file: number, number: number): Buffer {
  const page = Buffer.alloc(PAGE_BYTES);
  readSync(file, page, 0, PAGE_BYTES, (number - 1) * PAGE_BYTES);
  return page;
}

/** Whether the HMAC of a page is the one under this key. */
function pageFits(page: Buffer, number: number, hmacKey: Buffer): boolean {
  const place = Buffer.alloc(4);
  place.writeUInt32LE(number);
  const hmac = createHmac('sha512', hmacKey)
    .update(page.subarray(number === 1 ? SALT_BYTES : 0, HMAC_AT))
    .update(place)
    .digest();
  return timingSafeEqual(hmac, page.subarray(HMAC_AT));
}

/** How many pages the first one says there are. */
function pageCount(first: Buffer, { key }: FileKey): number {
  const decipher = createDecipheriv('aes-256-cbc', key, first.subarray(IV_AT, HMAC_AT)).setAutoPadding(false);
  return decipher.update(first.subarray(SALT_BYTES, IV_AT)).readUInt32BE(PAGE_COUNT_AT - SALT_BYTES);
}
