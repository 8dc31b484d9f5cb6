import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { ExpectedError } from '../lib/expected-error.ts';
import { deriveKey, stretchMasterKey } from '../lib/key-derivation.ts';
import { seal, unseal } from '../lib/seal.ts';
import type { AuditKeys } from './acts.ts';
import type { Database, Executor, Transaction } from './database.ts';
import type { Schema } from './schema.ts';

/** What a derived key is used for; each purpose has a key of its own. */
export type KeyPurpose =
  | 'otp-code'
  | 'message-code'
  | 'message-text'
  | 'schedule'
  | 'idempotency'
  | 'whatsapp'
  | 'admin-session'
  | 'webhook'
  | 'test-code'
  | 'audit';

/** The keys derived from the master key. Every value made with one carries the version it was made under. */
export interface Keyring {
  /** The version under which new values are made. */
  readonly version: number;
  /** The key for a purpose; throws when the version is unknown. */
  key(purpose: KeyPurpose, version?: number): KeyObject;
  /**
   * Opens a value that was sealed under a version of a purpose's key. Undefined when it does not open: it was damaged or
   * moved, or its version is unknown. What depends on it then fails alone, and `unopened` remembers it.
   */
  open(purpose: KeyPurpose, sealed: { value: Buffer; version: number; context: string }): string | undefined;
  /** What did not open since the start, as `<purpose> <context>`; the first thousand. */
  readonly unopened: ReadonlySet<string>;
  /** Every key, by `<purpose> <version>`. */
  readonly keys: ReadonlyMap<string, KeyObject>;
}

/** The master key is not the one that the database's values were made with. Nothing was changed. */
export class WrongMasterKeyError extends ExpectedError {
  constructor(
    message = 'The master key (DB_MASTER_KEY, or master.key in the data folder) is not the key that this database was created with. Give the right key; nothing was changed.',
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
  }
}

const PURPOSES: readonly KeyPurpose[] = [
  'otp-code',
  'message-code',
  'message-text',
  'schedule',
  'idempotency',
  'whatsapp',
  'admin-session',
  'webhook',
  'test-code',
  'audit',
];
const CHECK_TEXT = 'WOTP keyring check 1';
const UNOPENED_MAX = 1_000;

/** One master key that was ever in use, as it is stored. */
export type KeyVersion = Schema['key_versions'];

/**
 * Derives the keys of the present master key and of those before it, and records its salt and check value on the first
 * start. `onUnopened` is called once for each value that does not open.
 * @throws WrongMasterKeyError when the master key is not the one the database's values were made with
 */
export async function openKeyring(
  database: Database,
  masterKey: string,
  clock: Clock,
  onUnopened: (purpose: KeyPurpose, context: string) => void = () => {},
): Promise<Keyring> {
  const stored = await database.transaction(async (trx) => {
    // Of several first starts at once one makes the salt.
    await database.serialize(trx, 'key versions');
    const versions = await versionsOf(trx);
    if (versions.length > 0) return versions;
    const { row } = newVersion(1, masterKey, clock.now());
    await trx.insertInto('key_versions').values(row).execute();
    return [row];
  });
  const newest = stored[0]!;
  const keys = derivedKeys(stored, masterKey);
  const unopened = new Set<string>();
  return {
    version: newest.version,
    key(purpose, version = newest.version) {
      const key = keys.get(`${purpose} ${version}`);
      if (!key) throw new Error(`There is no key of version ${version}.`);
      return key;
    },
    open(purpose, { value, version, context }) {
      const key = keys.get(`${purpose} ${version}`);
      try {
        if (key) return unseal(key, value, context);
      } catch {
        // It was not made with this key for this place, or is damaged: which of them, nobody can tell.
      }
      const name = `${purpose} ${context}`;
      if (!unopened.has(name) && unopened.size < UNOPENED_MAX) {
        unopened.add(name);
        onUnopened(purpose, context);
      }
      return undefined;
    },
    unopened,
    keys,
  };
}

/**
 * The keys that come from a master key and the versions (newest first) in a database, by `<purpose> <version>`.
 * Stretches the master key, which takes 60 ms.
 * @throws WrongMasterKeyError when the master key is not the one of the newest version
 */
export function derivedKeys(versions: readonly KeyVersion[], masterKey: string): Map<string, KeyObject> {
  const keys = new Map<string, KeyObject>();
  for (const [version, secret] of secretsOf(versions, masterKey)) {
    for (const purpose of PURPOSES) {
      keys.set(`${purpose} ${version}`, createSecretKey(deriveKey(secret, `WOTP ${purpose} ${version}`)));
    }
  }
  return keys;
}

/**
 * Makes a version for a new master key, under which new values are made from the next `openKeyring` on. No value is
 * touched: the secrets of the versions before are sealed under the new one, so that whatever carries their number can
 * still be read and compared. Resolves to the number of the new version.
 * @throws WrongMasterKeyError when `masterKey` is not the present one
 */
export async function addKeyVersion(
  trx: Transaction,
  { masterKey, newMasterKey, now }: { masterKey: string; newMasterKey: string; now: number },
): Promise<number> {
  const versions = await versionsOf(trx);
  const { row, secret: newSecret } = newVersion((versions[0]?.version ?? 0) + 1, newMasterKey, now);
  const sealing = sealingKey(newSecret, row.version);
  for (const [version, secret] of secretsOf(versions, masterKey)) {
    await trx
      .updateTable('key_versions')
      .set({ sealed_secret: seal(sealing, secret.toString('hex'), sealContext(version)) })
      .where('version', '=', version)
      .execute();
  }
  await trx.insertInto('key_versions').values(row).execute();
  return row.version;
}

/**
 * What the audit log of a database needs that is not in use.
 * @throws WrongMasterKeyError when the master key is not the one of the newest version
 */
export async function auditKeysOf(executor: Executor, masterKey: string): Promise<AuditKeys> {
  const versions = await versionsOf(executor);
  const newest = versions[0]?.version ?? 0;
  const keys = derivedKeys(versions, masterKey);
  return { version: newest, key: (purpose, version = newest) => keys.get(`${purpose} ${version}`)! };
}

/** Newest first. */
function versionsOf(executor: Executor): Promise<KeyVersion[]> {
  return executor.selectFrom('key_versions').selectAll().orderBy('version', 'desc').execute();
}

function newVersion(version: number, masterKey: string, now: number): { row: KeyVersion; secret: Buffer } {
  const salt = randomBytes(16);
  const secret = stretchMasterKey(masterKey, salt);
  const check_value = checkValue(secret).toString('hex');
  return {
    row: { version, salt: salt.toString('hex'), check_value, sealed_secret: null, created_at: now },
    secret,
  };
}

/** The secret of each version, by its number; the master key is checked against the newest. */
function secretsOf([newest, ...older]: readonly KeyVersion[], masterKey: string): Map<number, Buffer> {
  if (!newest) return new Map();
  const secret = stretchMasterKey(masterKey, Buffer.from(newest.salt, 'hex'));
  if (!fits(secret, newest)) throw new WrongMasterKeyError();
  const sealing = sealingKey(secret, newest.version);
  const secrets = new Map([[newest.version, secret]]);
  for (const { version, sealed_secret } of older) {
    secrets.set(version, olderSecret(sealing, version, sealed_secret));
  }
  return secrets;
}

/** Without it nothing that was made under its version can be read: such a database is refused as damaged. */
function olderSecret(sealing: KeyObject, version: number, sealed: Buffer | null): Buffer {
  try {
    if (sealed) return Buffer.from(unseal(sealing, sealed, sealContext(version)), 'hex');
  } catch (error) {
    throw new WrongMasterKeyError(
      `The secret of key version ${version} in this database is damaged, so data encrypted with it cannot be read. Restore a backup; nothing was changed.`,
      error,
    );
  }
  throw new Error(`The secret of the key version ${version} is missing.`);
}

/** The key of a version that seals the secrets of those before it. */
function sealingKey(secret: Buffer, version: number): KeyObject {
  return createSecretKey(deriveKey(secret, `WOTP key-version ${version}`));
}

function sealContext(version: number): string {
  return `key version ${version}`;
}

/** Whether a master key is the one that a version of the derived keys comes from. Stretches it, which takes 60 ms. */
export function isKeyOfVersion(masterKey: string, version: { salt: string; check_value: string }): boolean {
  return fits(stretchMasterKey(masterKey, Buffer.from(version.salt, 'hex')), version);
}

function fits(secret: Buffer, version: { check_value: string }): boolean {
  const expected = Buffer.from(version.check_value, 'hex');
  const actual = checkValue(secret);
  return expected.length === actual.length && timingSafeEqual(expected, actual);
}

function checkValue(secret: Buffer): Buffer {
  return createHmac('sha256', secret).update(CHECK_TEXT).digest();
}
