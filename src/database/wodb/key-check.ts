import { createHmac, timingSafeEqual } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { FileKey } from './connection.ts';

interface KeyCheck {
  /** The database's salt, hex: tells whether the file beside it is the one that belongs here. */
  salt: string;
  /** HMAC-SHA-256 of a fixed text under the file's key, hex: tells a wrong key from a damaged file. */
  check: string;
}

function checkOf(key: Buffer): Buffer {
  return createHmac('sha256', key).update('WODB key check 1').digest();
}

/** Reads the key check of a data folder; undefined when the folder never held a database. */
export function readKeyCheck(path: string): KeyCheck | undefined {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as KeyCheck) : undefined;
}

/** Whether `key` is the one that the key check was written for. Constant time. */
export function keyMatches(keyCheck: KeyCheck, key: Buffer): boolean {
  const stored = Buffer.from(keyCheck.check, 'hex');
  const given = checkOf(key);
  return stored.length === given.length && timingSafeEqual(stored, given);
}

/** Writes the key check beside a database: mode 0600, synced, put in place by rename. */
export function writeKeyCheck(path: string, { key, salt }: FileKey): void {
  const content: KeyCheck = { salt: salt.toString('hex'), check: checkOf(key).toString('hex') };
  writePrivateFile(path, `${JSON.stringify(content)}\n`);
}

/** Writes a whole file so that a crash leaves the old one or the new one: temporary name, sync, rename, sync folder. */
export function writePrivateFile(path: string, content: string): void {
  const temporary = `${path}.tmp`;
  const file = openSync(temporary, 'w', 0o600);
  writeSync(file, content);
  fsyncSync(file);
  closeSync(file);
  renameSync(temporary, path);
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}
