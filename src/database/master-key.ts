import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writePrivateFile } from './wodb/key-check.ts';

/** There is no master key, and none may be made. */
export class MasterKeyMissingError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MasterKeyMissingError';
  }
}

/** A new master key: 256 random bits, as 64 hex digits. */
export function generateMasterKey(): string {
  return randomBytes(32).toString('hex');
}

/**
 * The master key: the configured one, or the one kept in the data folder, or a new one that is kept there.
 * @throws MasterKeyMissingError when there is a database whose key is not there
 */
export function resolveMasterKey(
  configured: string | undefined,
  dataDir: string,
  databasePath: string,
): string {
  if (configured !== undefined) return configured;
  const path = join(dataDir, 'master.key');
  if (existsSync(path)) return readFileSync(path, 'utf8').trim();
  if (existsSync(databasePath)) {
    throw new MasterKeyMissingError(
      `${databasePath} exists, but its key does not: neither DB_MASTER_KEY nor ${path} is there. Set DB_MASTER_KEY or put the key file back.`,
    );
  }
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const key = generateMasterKey();
  writePrivateFile(path, `${key}\n`);
  return key;
}
