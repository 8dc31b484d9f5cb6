import { isDamage } from './connection.ts';
import { examineFile } from './examine.ts';
import { fileKeyOf, holdsDatabase } from './file-key.ts';
import { readKeyCheck } from './key-check.ts';
import { realPath, takeDatabaseLock } from './lock.ts';
import { readManifest } from './manifest.ts';
import { refusalBehind } from './refusal.ts';
import { finishReplacement } from './replace.ts';
import { digestOf, type Invariant, type Verdict, verifyFile } from './run-in-worker.ts';

const NOTHING_READ = { applicationId: 0, schemaVersion: 0, rows: {} };

/**
 * Checks a backup, or any database file that nobody uses: against its manifest, if it has one, and then from end to end.
 * @throws DatabaseOpenError when it is no database that this master key opens; the message says what it is
 */
export async function verifyAtRest(options: {
  file: string;
  masterKey: string;
  invariants: readonly Invariant[];
  /** Unix ms. */
  now: number;
}): Promise<Verdict> {
  const { file, masterKey, invariants, now } = options;
  const fileKey = examineFile(file, masterKey);
  const manifest = readManifest(file);
  const isAsDescribed = !manifest || manifest.sha256 === (await digestOf(file));
  const verdict = await readable(file, () => verifyFile({ path: file, fileKey, invariants, now }));
  const changed = 'The file is not what its manifest describes: the SHA-256 is another one.';
  return isAsDescribed ? verdict : { ...verdict, findings: [changed, ...verdict.findings] };
}

/**
 * Checks the database of a data folder that no server uses, without bringing anything up to date first.
 * @throws DatabaseInUseError when another process owns it
 * @throws DatabaseOpenError when the key is wrong or the file is not the one that belongs here
 */
export async function verifyStopped(options: {
  path: string;
  keyCheckPath: string;
  masterKey: string;
  invariants: readonly Invariant[];
  /** Unix ms. */
  now: number;
}): Promise<Verdict> {
  const { keyCheckPath, masterKey, invariants, now } = options;
  const path = realPath(options.path);
  const releaseLock = takeDatabaseLock(path);
  try {
    finishReplacement(path);
    const keyCheck = readKeyCheck(keyCheckPath);
    holdsDatabase(path, keyCheck);
    const fileKey = keyCheck ? fileKeyOf(path, masterKey, keyCheck) : examineFile(path, masterKey);
    return await readable(path, () => verifyFile({ path, fileKey, invariants, now }));
  } finally {
    releaseLock();
  }
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
