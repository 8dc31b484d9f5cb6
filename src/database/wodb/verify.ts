import { dirname } from 'node:path';
import { refuseSharedFolder } from '../../lib/shared-folder.ts';
import { derivedKeys, isKeyOfVersion } from '../keyring.ts';
import { schemaVersion } from '../migrate.ts';
import { type FileKey, isDamage } from './connection.ts';
import { examineFile } from './examine.ts';
import { fileKeyOf, holdsDatabase } from './file-key.ts';
import { readKeyCheck } from './key-check.ts';
import { realPath, takeDatabaseLock } from './lock.ts';
import { changesBeside, readManifest } from './manifest.ts';
import { refusalBehind } from './refusal.ts';
import { finishReplacement } from './replace.ts';
import {
  digestOf,
  type Invariant,
  openSealedIn,
  type SealedValues,
  type Verdict,
  verifyFile,
} from './run-in-worker.ts';

const NOTHING_READ = { applicationId: 0, schemaVersion: 0, rows: {}, keyVersions: [] };

/** What a database is checked for. */
interface Rules {
  invariants: readonly Invariant[];
  sealedValues: readonly SealedValues[];
  /** Unix ms. */
  now: number;
}

/**
 * Checks a backup, or any database file that nobody uses: against its manifest, if it has one, and then from end to end.
 * @throws DatabaseOpenError when it is no database that this master key opens; the message says what it is
 */
export async function verifyAtRest(options: Rules & { file: string; masterKey: string }): Promise<Verdict> {
  const { file, masterKey } = options;
  const fileKey = examineFile(file, masterKey);
  const manifest = readManifest(file);
  const isAsDescribed = !manifest || manifest.sha256 === (await digestOf(file));
  const verdict = await verifyWhole({ ...options, path: file, fileKey });
  const changed = 'The file is not what its manifest describes: the SHA-256 is another one.';
  const beside = manifest && changesBeside(file);
  const findings = [
    ...(isAsDescribed ? [] : [changed]),
    ...(beside === undefined ? [] : [beside]),
    ...verdict.findings,
  ];
  return { ...verdict, findings };
}

/**
 * Checks the database of a data folder that no server uses, without bringing anything up to date first.
 * @throws DatabaseInUseError when another process owns it
 * @throws DatabaseOpenError when the key is wrong or the file is not the one that belongs here
 */
export async function verifyStopped(
  options: Rules & { path: string; keyCheckPath: string; masterKey: string },
): Promise<Verdict> {
  const { keyCheckPath, masterKey } = options;
  const dataDir = dirname(keyCheckPath);
  refuseSharedFolder(dataDir);
  const path = realPath(options.path);
  const releaseLock = takeDatabaseLock(path);
  try {
    finishReplacement(path, dataDir);
    const keyCheck = readKeyCheck(keyCheckPath);
    holdsDatabase(path, keyCheck);
    const fileKey = keyCheck
      ? fileKeyOf(path, masterKey, { keyCheck, dataDir })
      : examineFile(path, masterKey);
    return await verifyWhole({ ...options, path, fileKey });
  } finally {
    releaseLock();
  }
}

/**
 * Checks the file, and then the values that are sealed in it: those of a backup under another key than its database had
 * are under that one's master key, and stay closed.
 */
async function verifyWhole(options: Rules & { path: string; fileKey: FileKey; masterKey: string }) {
  const { sealedValues: values, masterKey, ...file } = options;
  const verdict = await readable(file.path, () => verifyFile(file));
  const [newest] = verdict.keyVersions;
  if (!newest || verdict.schemaVersion !== schemaVersion() || !isKeyOfVersion(masterKey, newest))
    return verdict;
  const sealed = await openSealedIn({ ...file, values, keys: derivedKeys(verdict.keyVersions, masterKey) });
  return { ...verdict, findings: [...verdict.findings, ...sealed] };
}

/** With the key known to be right, a file that cannot even be opened is damaged. */
async function readable(path: string, verify: () => Promise<Verdict>): Promise<Verdict> {
  try {
    return await verify();
  } catch (error) {
    if (!isDamage(error)) throw refusalBehind(error, path);
    return { ...NOTHING_READ, findings: [`The file is damaged: ${(error as Error).message}.`] };
  }
}
