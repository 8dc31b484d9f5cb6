import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createPrivateFile } from '../../src/database/private-files.ts';
import { WodbConnection } from '../../src/database/wodb/connection.ts';
import { keyCheckPathIn } from '../../src/database/wodb/key-check.ts';
import { openWodb, type WodbDatabase, type WodbOptions } from '../../src/database/wodb/open.ts';

export const MASTER_KEY = 'a master key of the tests, long enough';

/** Where the database of a data folder lies. */
export function databasePathIn(dir: string): string {
  return join(dir, 'wotp.wodb');
}

/** Opens (or makes) the database of a data folder; a test that forgets to close it does not keep the lock. */
export async function openDatabase(dir: string, options: Partial<WodbOptions> = {}): Promise<WodbDatabase> {
  const database = await openWodb({
    path: databasePathIn(dir),
    keyCheckPath: keyCheckPathIn(dir),
    masterKey: MASTER_KEY,
    onFatal: (error) => {
      throw error;
    },
    ...options,
  });
  onTestFinished(() => database.close());
  return database;
}

/** A writing connection to a new, encrypted file without any table. */
export function newConnection(dir: string): { connection: WodbConnection; path: string; fileKey: FileKey } {
  const path = join(dir, 'bare.wodb');
  const fileKey = { key: randomBytes(32), salt: randomBytes(16) };
  createPrivateFile(path);
  const connection = new WodbConnection(path, fileKey, 'create');
  onTestFinished(() => connection.close());
  return { connection, path, fileKey };
}

type FileKey = ConstructorParameters<typeof WodbConnection>[1];

/** The name and content of every file in a folder, to tell that nothing was touched. */
export function contentsOf(dir: string): Record<string, string> {
  const files = readdirSync(dir).filter((name) => statSync(join(dir, name)).isFile());
  return Object.fromEntries(
    files.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(dir, name)))
        .digest('hex'),
    ]),
  );
}

/** Permission bits, as in `0600`. */
export function modeOf(path: string): string {
  return `0${(statSync(path).mode & 0o777).toString(8)}`;
}

/** How often something was committed to the WAL: each commit marks its last frame with the size of the database. */
export function commitsInWal(path: string): number {
  const wal = `${path}-wal`;
  if (!existsSync(wal)) return 0;
  const bytes = readFileSync(wal);
  let commits = 0;
  for (let frame = 32; frame + 24 <= bytes.length; frame += 24 + 4096) {
    const belongsToThisWal = bytes.subarray(frame + 8, frame + 16).equals(bytes.subarray(16, 24));
    if (belongsToThisWal && bytes.readUInt32BE(frame + 4) > 0) commits += 1;
  }
  return commits;
}
