import type { Config } from '../config/config.ts';
import { createPrivateFolder } from '../lib/private-folder.ts';
import { refuseSharedFolder } from '../lib/shared-folder.ts';
import type { Database } from './database.ts';
import { resolveMasterKey } from './master-key.ts';
import { openPostgres } from './postgres/open.ts';
import { keyCheckPathIn } from './wodb/key-check.ts';
import { openWodb } from './wodb/open.ts';

/**
 * Opens the database that the configuration names: PostgreSQL where DATABASE_URL is set, the embedded file elsewhere.
 * @throws what `openPostgres`, `openWodb` and `resolveMasterKey` throw; each message says what to do
 */
export async function openDatabase(
  { database, security, backups }: Config,
  onFatal: (error: Error) => void,
): Promise<{ database: Database; masterKey: string }> {
  const { dataDir, path, url, poolSize } = database;
  if (url === undefined) {
    const masterKey = resolveMasterKey(security.masterKey, dataDir, path);
    const keyCheckPath = keyCheckPathIn(dataDir);
    return {
      database: await openWodb({ path, keyCheckPath, masterKey, onFatal, backupFolder: backups.folder }),
      masterKey,
    };
  }
  if (security.masterKey === undefined)
    throw new Error('The configuration lets no start without a key pass.');
  createPrivateFolder(dataDir);
  refuseSharedFolder(dataDir);
  return { database: await openPostgres({ url, poolSize }), masterKey: security.masterKey };
}
