import { COMMAND_LINE, insertAct } from '../acts.ts';
import type { Transaction } from '../database.ts';
import { addKeyVersion, auditKeysOf } from '../keyring.ts';
import { masterKeyPathIn, writeMasterKey } from '../master-key.ts';
import { withDatabaseAtRest } from './at-rest.ts';
import { createFileKey } from './file-key.ts';
import { keyCheckPathIn, writeKeyCheck } from './key-check.ts';
import { buildDraft } from './rebuild.ts';
import { replaceDatabase } from './replace.ts';
import { replacedPath } from './replaced.ts';
import { nextKeyCheckPath, nextMasterKeyPath, oldMasterKeyPath, removeUnfinished } from './unfinished.ts';

/** A rotation that was done. */
export interface Rotated {
  /** The number of the new key version. */
  version: number;
  /** Where the old key lies now; null when WOTP has not kept it. */
  oldKeyPath: string | null;
}

/**
 * Puts a database that nobody uses under another master key, in a new file:
 *
 * 1. a copy is written beside the old file, every page of it under a new file key with a new salt;
 * 2. in the copy, the new master key gets a key version, and the secrets of the versions before are sealed under it:
 *    pending codes still verify, and kept answers are still repeated;
 * 3. the copy is read and checked whole;
 * 4. the key check for it is written beside the old one and, where WOTP keeps the master key itself, so is the new key.
 *    Until here the old file, its key check and its key are what they were: after a kill, they open as before, and
 *    the next start removes what was built;
 * 5. `replaceDatabase` exchanges file, key check and master key as one step. From its decision on the new key is the
 *    one that opens the folder, whatever happens: the next start finishes the exchange before it reads any key.
 *
 * So at no moment the folder needs both keys or a key that nobody has: who gives a new key has it already, and one that
 * WOTP keeps is on disk before the decision. The old file is removed; an old key that WOTP kept stays beside the new one,
 * because backups open with it.
 * @throws DatabaseInUseError when another process uses it
 * @throws DatabaseOpenError when there is no database
 * @throws DatabaseOpenError, WrongMasterKeyError when it does not open with the present master key
 * @throws RebuildError when the copy cannot be made
 */
export function rotateMasterKey(options: {
  path: string;
  dataDir: string;
  masterKey: string;
  newMasterKey: string;
  /** Whether `master.key` in the data folder has to hold the new key. */
  keepsKey: boolean;
  onProgress?: (done: number) => void;
}): Promise<Rotated> {
  const { dataDir, masterKey, newMasterKey, keepsKey, onProgress } = options;
  const keyCheckPath = keyCheckPathIn(dataDir);
  return withDatabaseAtRest({ ...options, keyCheckPath }, async (database) => {
    const { path } = database;
    const draftKey = createFileKey(newMasterKey);
    const oldKeyPath = replacedPath(masterKeyPathIn(dataDir), Date.now());
    let version = 0;
    try {
      const draft = await buildDraft(database, {
        suffix: 'rotating',
        draftKey,
        onProgress,
        async change(trx) {
          const now = Date.now();
          version = await addKeyVersion(trx, { masterKey, newMasterKey, now });
          await recordRotation(trx, newMasterKey, version, now);
        },
      });
      const alongside = [{ from: nextKeyCheckPath(keyCheckPath), to: keyCheckPath }];
      writeKeyCheck(nextKeyCheckPath(keyCheckPath), draftKey);
      if (keepsKey) {
        writeMasterKey(nextMasterKeyPath(dataDir), newMasterKey);
        writeMasterKey(oldMasterKeyPath(dataDir), masterKey);
        alongside.push({ from: nextMasterKeyPath(dataDir), to: masterKeyPathIn(dataDir) });
        alongside.push({ from: oldMasterKeyPath(dataDir), to: oldKeyPath });
      }
      replaceDatabase({ path, dataDir, draft, alongside });
      return { version, oldKeyPath: keepsKey ? oldKeyPath : null };
    } catch (error) {
      removeUnfinished({ path, keyCheckPath });
      throw error;
    }
  });
}

/** Records the rotation, once there is a project. */
async function recordRotation(
  trx: Transaction,
  masterKey: string,
  version: number,
  at: number,
): Promise<void> {
  const project = await trx.selectFrom('projects').select('id').orderBy('id').limit(1).executeTakeFirst();
  if (!project) return;
  await insertAct(trx, await auditKeysOf(trx, masterKey), {
    projectId: null,
    type: 'master_key.rotated',
    at,
    subject: null,
    data: { version },
    by: COMMAND_LINE,
  });
}
