import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { contentsOf, MASTER_KEY, openDatabase } from '../../../test/support/wodb.ts';
import { makeBackup } from './backup.ts';
import { keyCheckPathIn } from './key-check.ts';
import { DatabaseInUseError } from './lock.ts';
import { verifyAtRest, verifyStopped } from './verify.ts';

const PAGE = 4096;
const INVARIANTS = [{ finding: 'A setting is wrong', sql: `select key from settings where value = 'wrong'` }];
const about = { masterKey: MASTER_KEY, invariants: INVARIANTS, sealedValues: [], now: 0 };

/** A stopped data folder with one setting that breaks the rule, and a backup of it. */
async function folder() {
  const dir = tempFolder();
  const database = await openDatabase(dir);
  await database.transaction((trx) =>
    trx.insertInto('settings').values({ key: 'this one', value: 'wrong' }).execute(),
  );
  const { path, fileKey } = database;
  const { file } = await makeBackup({ path, fileKey, to: tempFolder(), now: 0 });
  await database.close();
  const verify = (masterKey = MASTER_KEY) =>
    verifyStopped({ ...about, path, keyCheckPath: keyCheckPathIn(dir), masterKey });
  return { dir, path, file, verify };
}

function flip(file: string, position: number): void {
  const bytes = readFileSync(file);
  bytes[position]! ^= 1;
  writeFileSync(file, bytes);
}

test('a database that no server uses is checked as it lies there, and not a byte of it changes', async () => {
  const { dir, path, verify } = await folder();
  const before = contentsOf(dir);
  const expected = { findings: ['A setting is wrong: this one.'], rows: { settings: 1 } };
  expect(await verify()).toMatchObject(expected);
  expect(contentsOf(dir)).toEqual(before);
  rmSync(keyCheckPathIn(dir));
  expect(await verify()).toMatchObject(expected);
  expect(existsSync(keyCheckPathIn(dir))).toBe(false);
  await expect(verify('another master key, as long as it must be')).rejects.toThrow('does not open');

  flip(path, 5 * PAGE);
  expect((await verify()).findings).toEqual([expect.stringMatching(/^The file is damaged: /)]);
});

test('with the key check to tell the key from damage, a first page that is damaged is a finding', async () => {
  const { dir, path, verify } = await folder();
  flip(path, 1_000);
  expect((await verify()).findings).toEqual([expect.stringMatching(/^The file is damaged: /)]);
  rmSync(keyCheckPathIn(dir));
  await expect(verify()).rejects.toThrow('its first page was changed');
});

test('a database that somebody uses is left to them', async () => {
  const { dir, verify } = await folder();
  const database = await openDatabase(dir);
  await expect(verify()).rejects.toThrow(DatabaseInUseError);
  await database.close();
});

test('a backup is compared with its manifest as well, and without one it is checked all the same', async () => {
  const { file } = await folder();
  const verify = () => verifyAtRest({ ...about, file });
  expect((await verify()).findings).toEqual(['A setting is wrong: this one.']);
  const manifest = JSON.parse(readFileSync(`${file}.json`, 'utf8'));
  writeFileSync(`${file}.json`, JSON.stringify({ ...manifest, sha256: '0'.repeat(64) }));
  expect((await verify()).findings).toEqual([
    'The file is not what its manifest describes: the SHA-256 is another one.',
    'A setting is wrong: this one.',
  ]);
  writeFileSync(`${file}.json`, 'no JSON');
  expect((await verify()).findings).toHaveLength(1);
  await expect(verifyAtRest({ ...about, file: join(file, '..', 'none') })).rejects.toThrow(
    'There is no file',
  );
});
