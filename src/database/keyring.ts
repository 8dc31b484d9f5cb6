import { createHmac, createSecretKey, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { deriveKey, stretchMasterKey } from '../lib/key-derivation.ts';
import { seal, unseal } from '../lib/seal.ts';
import type { Database, Executor, Transaction } from './database.ts';
import type { Schema } from './schema.ts';

/** What a derived key is used for; each purpose has a key of its own. */
export type KeyPurpose = 'otp-code' | 'message-code' | 'idempotency' | 'whatsapp' | 'admin-session';

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

const PURPOSES: readonly KeyPurpose[] = [
  'otp-code',
  'message-code',
  'idempotency',
  'whatsapp',
  'admin-session',
];
const CHECK_TEXT = 'WOTP keyring check 1';

type KeyVersion = Schema['key_versions'];

/**
 * Derives the keys of the present master key and of those before it, and records its salt and check value on the first
 * start.
 * @throws WrongMasterKeyError when the master key is not the one the database's values were made with
 */
export async function openKeyring(database: Database, masterKey: string, clock: Clock): Promise<Keyring> {
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
  const keys = new Map<string, KeyObject>();
  for (const [version, secret] of secretsOf(stored, masterKey)) {
    for (const purpose of PURPOSES) {
      keys.set(`${purpose} ${version}`, createSecretKey(deriveKey(secret, `WOTP ${purpose} ${version}`)));
    }
  }
  return {
    version: newest.version,
    key(purpose, version = newest.version) {
      const key = keys.get(`${purpose} ${version}`);
      if (!key) throw new Error(`There is no key of version ${version}.`);
      return key;
    },
  };
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
function secretsOf([newest, ...older]: KeyVersion[], masterKey: string): Map<number, Buffer> {
  if (!newest) return new Map();
  const secret = stretchMasterKey(masterKey, Buffer.from(newest.salt, 'hex'));
  if (!fits(secret, newest)) throw new WrongMasterKeyError();
  const sealing = sealingKey(secret, newest.version);
  const secrets = new Map([[newest.version, secret]]);
  for (const { version, sealed_secret } of older) {
    if (!sealed_secret) throw new Error(`The secret of the key version ${version} is missing.`);
    secrets.set(version, Buffer.from(unseal(sealing, sealed_secret, sealContext(version)), 'hex'));
  }
  return secrets;
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
