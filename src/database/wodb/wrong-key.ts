import { stretchMasterKey } from '../../lib/key-derivation.ts';
import { PROGRAM } from '../../lib/program.ts';
import { keptMasterKey, masterKeyPathIn } from '../master-key.ts';
import { type KeyCheck, keyMatches } from './key-check.ts';
import { DatabaseOpenError } from './open-error.ts';

/** The refusal of a key that does not open a folder's database: names where the key came from, and the way on. */
export function wrongKey(masterKey: string, keyCheck: KeyCheck, dataDir: string): DatabaseOpenError {
  const file = masterKeyPathIn(dataDir);
  const kept = keptMasterKey(file);
  if (kept === masterKey) {
    return new DatabaseOpenError(
      `The master key in ${file} is not the key of this database. Put back the key it was created with, or set DB_MASTER_KEY to it; the file was not touched.`,
    );
  }
  const wayOn =
    kept !== undefined && keyMatches(keyCheck, stretchMasterKey(kept, Buffer.from(keyCheck.salt, 'hex')))
      ? `The key in ${file} is. To move the data to a key of your own, remove DB_MASTER_KEY and run \`${PROGRAM} master-key rotate --new-key-file FILE --yes\` first; to delete the data, run \`${PROGRAM} reset --yes\`; the file was not touched.`
      : 'Set it to the key the database was created with; the file was not touched.';
  return new DatabaseOpenError(`DB_MASTER_KEY is not the key of this database. ${wayOn}`);
}
