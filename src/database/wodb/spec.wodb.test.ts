import { createCipheriv, createHmac, hash, pbkdf2Sync } from 'node:crypto';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSqlcipherFile, walChecksum } from '../../../test/support/sqlcipher-reader.ts';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { openDatabase } from '../../../test/support/wodb.ts';
import { headerValue, KEYS, LAYOUT, specRows, specSays } from '../../../test/support/wodb-spec.ts';
import { stretchMasterKey } from '../../lib/key-derivation.ts';
import { unseal } from '../../lib/seal.ts';
import { codeMac } from '../../otp/code.ts';
import { type KeyPurpose, openKeyring } from '../keyring.ts';
import { APPLICATION_ID } from './connection.ts';
import { keyMatches, readKeyCheck, writeKeyCheck } from './key-check.ts';

test('the vectors for the file key in WODB_SPEC.md are what the code derives', () => {
  const vectors = specRows(/^\| `[^`]{32,}` \| `[0-9a-f]{32}` \|/);
  expect(vectors.length).toBeGreaterThanOrEqual(2);
  for (const [masterKey, saltHex, fileKey, hmacKey, check] of vectors) {
    const salt = Buffer.from(saltHex!, 'hex');
    const key = stretchMasterKey(masterKey!, salt);
    expect(key.toString('hex')).toBe(fileKey);
    const hmacSalt = salt.map((byte) => byte ^ KEYS.hmacSaltMask);
    expect(pbkdf2Sync(key, hmacSalt, KEYS.hmacIterations, 32, 'sha512').toString('hex')).toBe(hmacKey);

    const path = join(tempFolder(), 'wotp.keycheck');
    writeKeyCheck(path, { key, salt });
    expect(readKeyCheck(path)).toEqual({ salt: saltHex, check });
    expect(keyMatches({ salt: saltHex!, check: check! }, key)).toBe(true);
  }
});

test('the vectors for pages in WODB_SPEC.md are what its words lead to, and what a reader takes apart', () => {
  const [[, salt, fileKey, hmacKey]] = specRows(/^\| `[^`]{32,}` \| `[0-9a-f]{32}` \|/).map((row) =>
    row.map((cell) => Buffer.from(cell, 'hex')),
  ) as [[Buffer, Buffer, Buffer, Buffer]];
  const [modulo, last] = specSays(/Byte \*i\* .* is \*i\* modulo (\d+), up\s+to byte (\d+)/).map(Number);
  const iv = Buffer.from(specSays(/The IV is\s+`([0-9a-f]{32})`/)[0]!, 'hex');
  const whole = Buffer.from(Array.from({ length: last! + 1 }, (_, i) => i % modulo!));

  const vectors = specRows(/^\| \d+ \| `[0-9a-f]{32}` \| `[0-9a-f]{64}` \| `[0-9a-f]{128}` \|/);
  expect(vectors.map(([number]) => number)).toEqual(['1', '2']);
  const pages = vectors.map(([number, begin, sha256, mac]) => {
    const front = number === '1' ? salt : Buffer.alloc(0);
    const cipher = createCipheriv('aes-256-cbc', fileKey, iv).setAutoPadding(false);
    const ciphertext = Buffer.concat([cipher.update(whole.subarray(front.length)), cipher.final()]);
    const littleEndian = Buffer.from([Number(number), 0, 0, 0]);
    const hmac = createHmac('sha512', hmacKey).update(ciphertext).update(iv).update(littleEndian).digest();
    expect(ciphertext.subarray(0, 16).toString('hex')).toBe(begin);
    expect(hash('sha256', ciphertext, 'hex')).toBe(sha256);
    expect(hmac.toString('hex')).toBe(mac);
    return Buffer.concat([front, ciphertext, iv, hmac]);
  });
  for (const page of pages) expect(page).toHaveLength(LAYOUT.pageBytes);
  const read = readSqlcipherFile(Buffer.concat(pages), fileKey);
  expect(read.page(1)).toEqual(Buffer.concat([LAYOUT.plainHeader, whole.subarray(16)]));
  expect(read.page(2)).toEqual(whole);
});

test("the checksum of a WAL's header in WODB_SPEC.md is what its words lead to", () => {
  const [front, back, a, b] = specSays(/`(377f\w+)` `(\w+)`, have the checksum `(\w+)` `(\w+)`/) as [
    string,
    string,
    string,
    string,
  ];
  const sum = walChecksum(Buffer.from(front + back, 'hex'), [0, 0], false);
  expect(sum.map((word) => word.toString(16).padStart(8, '0'))).toEqual([a, b]);
});

test('the vectors for derived keys and sealed values in WODB_SPEC.md are what the code derives', async () => {
  const value = (what: RegExp) => specRows(what)[0]![1]!;
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

  for (const purpose of ['otp-code', 'message-code', 'message-text', 'idempotency'] satisfies KeyPurpose[]) {
    expect(keyring.key(purpose).export().toString('hex')).toBe(
      value(new RegExp(`^\\| key \`${purpose}\` \\|`)),
    );
  }
  const [[macOf, mac]] = specRows(/^\| `code_mac` of/) as [[string, string]];
  const [, code, verificationId] = /of (\d+) for (ver_\w+)$/.exec(macOf)!;
  expect(codeMac(keyring.key('otp-code'), verificationId!, code!).toString('hex')).toBe(mac);

  const [[sealing, sealed]] = specRows(/ sealed for /) as [[string, string]];
  const [, text, context] = /^(\d+) sealed for (ver_\w+) /.exec(sealing)!;
  expect(unseal(keyring.key('message-code'), Buffer.from(sealed, 'hex'), context!)).toBe(text);
});

test('the numbers in WODB_SPEC.md are those of the code', () => {
  const id = APPLICATION_ID.toString(16);
  expect(headerValue('68')).toBe(`0x${id}, "${Buffer.from(id, 'hex').toString('latin1')}"`);
  expect(specSays(/-- (\d+), which is (0x\w+)/)).toEqual([String(APPLICATION_ID), `0x${id}`]);
});
