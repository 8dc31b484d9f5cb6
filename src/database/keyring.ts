import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { deriveKey, stretchMasterKey } from '../lib/key-derivation.ts';
import type { Database } from './database.ts';

/** What a derived key is used for; each purpose has a key of its own. */
export type KeyPurpose = 'otp-code' | 'message-code' | 'idempotency' | 'whatsapp';

/** The keys derived from the master key. Every value made with one carries the version it was made under. */
export interface Keyring {
  /** The version under which new values are made. */
  readonly version: number;
  /** The key for a purpose; throws when the version is unknown. */
  key(purpose: KeyPurpose, version?: number): KeyObject;
}

/** The master key is not the one that the database's values were made with. Nothing was changed. */
export class WrongMasterKeyError extends Error {
  constructor() {
    super(
      'The master key (DB_MASTER_KEY, or master.key in the data folder) is not the key that this database was made with. Give the right key; nothing was changed.',
    );
    this.name = 'WrongMasterKeyError';
  }
}

const PURPOSES: readonly KeyPurpose[] = ['otp-code', 'message-code', 'idempotency', 'whatsapp'];
const CHECK_TEXT = 'WOTP keyring check 1';

/**
 * Derives the keys of the present master key, and records its salt and check value on the first start.
 * @throws WrongMasterKeyError when the master key is not the one the database's values were made with
 */
export async function openKeyring(database: Database, masterKey: string, clock: Clock): Promise<Keyring> {
  const stored = await database.transaction(async (trx) => {
    const newest = await trx
      .selectFrom('key_versions')
      .selectAll()
      .orderBy('version', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (newest) return newest;
    const salt = randomBytes(16);
    const first = {
      version: 1,
      salt: salt.toString('hex'),
      check_value: checkValue(stretchMasterKey(masterKey, salt)).toString('hex'),
      created_at: clock.now(),
    };
    await trx.insertInto('key_versions').values(first).execute();
    return first;
  });

  const secret = stretchMasterKey(masterKey, Buffer.from(stored.salt, 'hex'));
  const expected = Buffer.from(stored.check_value, 'hex');
  const actual = checkValue(secret);
  if (expected.length !== actual.length || !timingSafeEqual(expected, actual))
    throw new WrongMasterKeyError();
  const keys = new Map(
    PURPOSES.map((purpose) => [
      purpose,
      createSecretKey(deriveKey(secret, `WOTP ${purpose} ${stored.version}`)),
    ]),
  );
  return {
    version: stored.version,
    key(purpose, version = stored.version) {
      const key = version === stored.version ? keys.get(purpose) : undefined;
      if (!key) throw new Error(`There is no key of version ${version}.`);
      return key;
    },
  };
}

function checkValue(secret: Buffer): Buffer {
  return createHmac('sha256', secret).update(CHECK_TEXT).digest();
}
