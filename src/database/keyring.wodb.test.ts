import { expect, test } from 'vitest';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { MASTER_KEY, openDatabase } from '../../test/support/wodb.ts';
import { seal, unseal } from '../lib/seal.ts';
import { type KeyPurpose, openKeyring, WrongMasterKeyError } from './keyring.ts';

const clock = { now: () => Date.UTC(2026, 0, 15), setTimeout: () => ({ cancel: () => {} }) };
const PURPOSES: KeyPurpose[] = [
  'otp-code',
  'message-code',
  'message-text',
  'schedule',
  'idempotency',
  'whatsapp',
  'admin-session',
];

test('the same master key gives the same keys at every start', async () => {
  const database = await openDatabase(tempFolder());
  const [first, second] = [
    await openKeyring(database, MASTER_KEY, clock),
    await openKeyring(database, MASTER_KEY, clock),
  ];
  expect(first.version).toBe(1);
  expect(second.version).toBe(1);
  for (const purpose of PURPOSES) expect(first.key(purpose).equals(second.key(purpose))).toBe(true);
});

test('two installations with one master key share no derived key', async () => {
  const [a, b] = [await openDatabase(tempFolder()), await openDatabase(tempFolder())];
  const [first, second] = [await openKeyring(a, MASTER_KEY, clock), await openKeyring(b, MASTER_KEY, clock)];
  for (const purpose of PURPOSES) expect(first.key(purpose).equals(second.key(purpose))).toBe(false);
});

test('what is sealed for one purpose does not open for another', async () => {
  const keyring = await openKeyring(await openDatabase(tempFolder()), MASTER_KEY, clock);
  const sealed = seal(keyring.key('message-code'), '481516', 'msg_1');
  expect(unseal(keyring.key('message-code'), sealed, 'msg_1')).toBe('481516');
  expect(() => unseal(keyring.key('idempotency'), sealed, 'msg_1')).toThrow();
  expect(() => unseal(keyring.key('message-code'), sealed, 'msg_2')).toThrow();
});

test('a wrong master key is refused, and changes nothing', async () => {
  const database = await openDatabase(tempFolder());
  await openKeyring(database, MASTER_KEY, clock);
  const before = await database.reader.selectFrom('key_versions').selectAll().execute();
  await expect(openKeyring(database, `${MASTER_KEY}r`, clock)).rejects.toThrow(WrongMasterKeyError);
  expect(await database.reader.selectFrom('key_versions').selectAll().execute()).toEqual(before);
});

test('a damaged check value is refused like a wrong key', async () => {
  const database = await openDatabase(tempFolder());
  await openKeyring(database, MASTER_KEY, clock);
  await database.transaction((trx) => trx.updateTable('key_versions').set({ check_value: 'abcd' }).execute());
  await expect(openKeyring(database, MASTER_KEY, clock)).rejects.toThrow(WrongMasterKeyError);
});

test('a version that is not known gives no key', async () => {
  const keyring = await openKeyring(await openDatabase(tempFolder()), MASTER_KEY, clock);
  expect(() => keyring.key('otp-code', 2)).toThrow('There is no key of version 2.');
});

test('neither the master key nor a key made from it is stored', async () => {
  const database = await openDatabase(tempFolder());
  const keyring = await openKeyring(database, MASTER_KEY, clock);
  const stored = JSON.stringify(await database.reader.selectFrom('key_versions').selectAll().execute());
  expect(stored).not.toContain(MASTER_KEY);
  for (const purpose of PURPOSES) expect(stored).not.toContain(keyring.key(purpose).export().toString('hex'));
});
