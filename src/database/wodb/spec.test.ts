import { pbkdf2Sync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { openDatabase } from '../../../test/support/wodb.ts';
import { stretchMasterKey } from '../../lib/key-derivation.ts';
import { unseal } from '../../lib/seal.ts';
import { codeMac } from '../../otp/code.ts';
import { type KeyPurpose, openKeyring } from '../keyring.ts';
import { APPLICATION_ID } from './connection.ts';
import { keyMatches, readKeyCheck, writeKeyCheck } from './key-check.ts';

const page = readFileSync(new URL('../../../docs/WODB_SPEC.md', import.meta.url), 'utf8');

/** The cells of the rows of tables in which `first` is found, without their backticks. */
function rowsWith(first: RegExp): string[][] {
  const rows = page.split('\n').filter((line) => line.startsWith('|') && first.test(line));
  return rows.map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', '')),
  );
}

test('the vectors for the file key in WODB_SPEC.md are what the code derives', () => {
  const vectors = rowsWith(/^\| `[^`]{32,}` \| `[0-9a-f]{32}` \|/);
  expect(vectors.length).toBeGreaterThanOrEqual(2);
  for (const [masterKey, saltHex, fileKey, hmacKey, check] of vectors) {
    const salt = Buffer.from(saltHex!, 'hex');
    const key = stretchMasterKey(masterKey!, salt);
    expect(key.toString('hex')).toBe(fileKey);
    const hmacSalt = salt.map((byte) => byte ^ 0x3a);
    expect(pbkdf2Sync(key, hmacSalt, 2, 32, 'sha512').toString('hex')).toBe(hmacKey);

    const path = join(tempFolder(), 'wotp.keycheck');
    writeKeyCheck(path, { key, salt });
    expect(readKeyCheck(path)).toEqual({ salt: saltHex, check });
    expect(keyMatches({ salt: saltHex!, check: check! }, key)).toBe(true);
  }
});

test('the vectors for derived keys and sealed values in WODB_SPEC.md are what the code derives', async () => {
  const value = (what: RegExp) => rowsWith(what)[0]![1]!;
  const database = await openDatabase(tempFolder());
  const row = {
    version: Number(value(/^\| `version` \| `/)),
    salt: value(/^\| `salt` \| `/),
    check_value: value(/^\| `check_value` \| `/),
    sealed_secret: null,
    created_at: 0,
  };
  await database.transaction((trx) => trx.insertInto('key_versions').values(row).execute());

  const masterKey = value(/^\| master key \| `/);
  const keyring = await openKeyring(database, masterKey, {
    now: () => 0,
    setTimeout: () => ({ cancel() {} }),
  });

  for (const purpose of ['otp-code', 'message-code', 'idempotency'] satisfies KeyPurpose[]) {
    expect(keyring.key(purpose).export().toString('hex')).toBe(
      value(new RegExp(`^\\| key \`${purpose}\` \\|`)),
    );
  }
  const [[macOf, mac]] = rowsWith(/^\| `code_mac` of/) as [[string, string]];
  const [, code, verificationId] = /of (\d+) for (ver_\w+)$/.exec(macOf)!;
  expect(codeMac(keyring.key('otp-code'), verificationId!, code!).toString('hex')).toBe(mac);

  const [[sealing, sealed]] = rowsWith(/ sealed for /) as [[string, string]];
  const [, text, messageId] = /^(\d+) sealed for (msg_\w+) /.exec(sealing)!;
  expect(unseal(keyring.key('message-code'), Buffer.from(sealed, 'hex'), messageId!)).toBe(text);
});

test('the numbers in WODB_SPEC.md are those of the code', () => {
  const id = APPLICATION_ID.toString(16);
  expect(page).toContain(`| 68 | 0x${id}, "${Buffer.from(id, 'hex').toString('latin1')}" |`);
  expect(page).toContain(`-- ${APPLICATION_ID}, which is 0x${id}`);
});
