import { createHmac, timingSafeEqual } from 'node:crypto';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { isUnfitFile, readOwnFile } from '../../lib/bounded-file.ts';
import { writePrivateFile } from '../private-files.ts';
import type { FileKey } from './connection.ts';
import { DatabaseOpenError } from './open-error.ts';

export interface KeyCheck {
  /** The database's salt, hex: tells whether the file beside it is the one that belongs here. */
  salt: string;
  /** HMAC-SHA-256 of a fixed text under the file's key, hex: tells a wrong key from a damaged file. */
  check: string;
}

const FILE_MAX_BYTES = 4 * 1024;
const FORM = { salt: /^[0-9a-f]{32}$/, check: /^[0-9a-f]{64}$/ };

/** Where a data folder keeps its key check. */
export function keyCheckPathIn(dataDir: string): string {
  return join(dataDir, 'wotp.keycheck');
}

function checkOf(key: Buffer): Buffer {
  return createHmac('sha256', key).update('WODB key check 1').digest();
}

/**
 * Reads the key check of a data folder; undefined when the folder never held a database.
 * @throws DatabaseOpenError when the file is damaged
 */
export function readKeyCheck(path: string): KeyCheck | undefined {
  if (!lstatSync(path, { throwIfNoEntry: false })) return undefined;
  const { salt, check } = contentOf(path);
  if (
    typeof salt === 'string' &&
    FORM.salt.test(salt) &&
    typeof check === 'string' &&
    FORM.check.test(check)
  ) {
    return { salt, check };
  }
  throw new DatabaseOpenError(
    `${path} is damaged. Put it back from a backup of the data folder. If it is lost, remove it: it is created again when the database opens with DB_MASTER_KEY.`,
  );
}

function contentOf(path: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(readOwnFile(path, FILE_MAX_BYTES))) as Record<string, unknown>;
  } catch (error) {
    // Not JSON, too large, or a link to another file: as good as a key check without its fields.
    if (error instanceof SyntaxError || isUnfitFile(error)) return {};
    throw error;
  }
}

/** Whether `key` is the one that the key check was written for. Constant time. */
export function keyMatches(keyCheck: KeyCheck, key: Buffer): boolean {
  return timingSafeEqual(Buffer.from(keyCheck.check, 'hex'), checkOf(key));
}

/** Writes the key check beside a database: mode 0600, synced, put in place by rename. */
export function writeKeyCheck(path: string, { key, salt }: FileKey): void {
  const content: KeyCheck = { salt: salt.toString('hex'), check: checkOf(key).toString('hex') };
  writePrivateFile(path, `${JSON.stringify(content)}\n`);
}
