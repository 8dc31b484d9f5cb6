import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isThere } from '../../lib/system-error.ts';
import { writePrivateFile } from '../private-files.ts';
import type { FileKey } from './connection.ts';
import { DatabaseOpenError } from './open-error.ts';

export interface KeyCheck {
  /** The database's salt, hex: tells whether the file beside it is the one that belongs here. */
  salt: string;
  /** HMAC-SHA-256 of a fixed text under the file's key, hex: tells a wrong key from a damaged file. */
  check: string;
}

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
  if (!isThere(path)) return undefined;
  const { salt, check } = parsed(readFileSync(path, 'utf8'));
  if (
    typeof salt === 'string' &&
    FORM.salt.test(salt) &&
    typeof check === 'string' &&
    FORM.check.test(check)
  ) {
    return { salt, check };
  }
  throw new DatabaseOpenError(
    `${path} is damaged. Put it back from a backup of the data folder. If it is lost, remove it: it is made anew when the database opens with DB_MASTER_KEY.`,
  );
}

function parsed(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>;
  } catch {
    // Not JSON: as good as a key check without its fields.
    return {};
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
