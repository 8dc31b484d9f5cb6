import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { ensureBuilt, startChild } from '../../test/support/child.ts';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { contentsOf, databasePathIn, modeOf, openDatabase } from '../../test/support/wodb.ts';
import { generateMasterKey, MasterKeyMissingError, resolveMasterKey } from './master-key.ts';

beforeAll(ensureBuilt, 120_000);

const resolve = (dir: string, configured?: string) => resolveMasterKey(configured, dir, databasePathIn(dir));

test('the first start makes a key, keeps it for its owner only, and later starts find the same one', () => {
  const dir = join(tempFolder(), 'data');
  const key = resolve(dir);
  expect(key).toMatch(/^[0-9a-f]{64}$/);
  expect(readFileSync(join(dir, 'master.key'), 'utf8')).toBe(`${key}\n`);
  expect(modeOf(join(dir, 'master.key'))).toBe('0600');
  expect(modeOf(dir)).toBe('0700');
  expect(resolve(dir)).toBe(key);
});

test('a configured key is taken as it is, and none is written', () => {
  const dir = join(tempFolder(), 'data');
  expect(resolve(dir, 'a configured key')).toBe('a configured key');
  expect(() => readdirSync(dir)).toThrow('ENOENT');
});

test('no two keys are alike', () => {
  expect(new Set(Array.from({ length: 100 }, generateMasterKey)).size).toBe(100);
});

test.for(['wotp.wodb', 'wotp.keycheck'])(
  'while %s is there no key is made, and nothing changes',
  async (left) => {
    const dir = tempFolder();
    const masterKey = resolve(dir);
    await (await openDatabase(dir, { masterKey })).close();
    for (const name of readdirSync(dir)) if (name !== left) rmSync(join(dir, name));
    const before = contentsOf(dir);

    expect(() => resolve(dir)).toThrow(MasterKeyMissingError);
    expect(() => resolve(dir)).toThrow(new RegExp(`${left} exists, but its key does not`));
    expect(contentsOf(dir)).toEqual(before);
  },
);

test.for([
  ['empty', ''],
  ['blank', ' \n\t\n'],
  ['short', 'too short to be a key'],
])('a key file that is %s is refused and stays as it is', ([_, content]) => {
  const dir = tempFolder();
  writeFileSync(join(dir, 'master.key'), content!);
  expect(() => resolve(dir)).toThrow(MasterKeyMissingError);
  expect(() => resolve(dir)).toThrow(/master\.key holds no master key/);
  expect(readFileSync(join(dir, 'master.key'), 'utf8')).toBe(content);
});

test('of several first starts at once one makes the key, and all use it', async () => {
  const dir = tempFolder();
  const told = await Promise.all(Array.from({ length: 4 }, () => startChild('master-key', dir).next()));
  const kept = readFileSync(join(dir, 'master.key'), 'utf8').trim();
  expect(told).toEqual(Array(4).fill({ masterKey: kept }));
});

test('the database may lie outside the data folder', () => {
  const dir = tempFolder();
  const elsewhere = join(dir, 'elsewhere', 'db');
  const data = join(dir, 'data');
  const key = resolveMasterKey(undefined, data, join(elsewhere, 'wotp.wodb'));
  expect(readFileSync(join(data, 'master.key'), 'utf8').trim()).toBe(key);
  expect(modeOf(elsewhere)).toBe('0700');
});

test('a folder that somebody made keeps its rights', () => {
  const dir = join(tempFolder(), 'data');
  mkdirSync(dir, { mode: 0o750 });
  resolve(dir);
  expect(modeOf(dir)).toBe('0750');
});
