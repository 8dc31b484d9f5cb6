import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { contentsOf, databasePathIn, MASTER_KEY, openDatabase } from '../../../test/support/wodb.ts';
import { SharedFolderError } from '../../lib/shared-folder.ts';
import { presentMasterKey, resolveMasterKey } from '../master-key.ts';
import { makeBackup } from './backup.ts';
import { keyCheckPathIn } from './key-check.ts';
import { takeDatabaseLock } from './lock.ts';
import { ownBackups, readManifest } from './manifest.ts';
import { DatabaseOpenError } from './open-error.ts';
import { removeDatabase } from './remove.ts';
import { restoreDatabase } from './restore.ts';
import { verifyAtRest, verifyStopped } from './verify.ts';

/** A stopped data folder that lies in a folder with somebody's file. */
async function stoppedFolder() {
  const above = tempFolder();
  const dir = join(above, 'data');
  mkdirSync(dir, { mode: 0o700 });
  await (await openDatabase(dir)).close();
  const path = databasePathIn(dir);
  writeFileSync(join(above, 'victim'), 'of somebody');
  return { above, dir, path };
}

const rules = { masterKey: MASTER_KEY, invariants: [], sealedValues: [], now: 0 };

describe('a planted decision to exchange the database', () => {
  const draft = 'wotp.wodb.restoring';
  const good = { draft, aside: null, alongside: [] };
  test.each([
    ['takes its draft from elsewhere', { ...good, draft: '../victim' }],
    ['takes its draft from a folder below', { ...good, draft: 'wotp.wodb.below/draft' }],
    ['takes another file for a draft', { ...good, draft: 'notes' }],
    ['takes the folder for a draft', { ...good, draft: '.' }],
    ['moves the database away', { ...good, aside: '../victim' }],
    ['moves the database to a place of its own', { ...good, aside: '/tmp/away' }],
    ['moves a file elsewhere', { ...good, alongside: [{ from: 'wotp.keycheck.new', to: '../victim' }] }],
    ['moves a file from elsewhere', { ...good, alongside: [{ from: '../victim', to: 'wotp.keycheck' }] }],
    ['moves another file', { ...good, alongside: [{ from: 'wotp.keycheck.new', to: 'notes' }] }],
    ['holds what is not known', { ...good, more: true }],
    ['is larger than any', { ...good, draft: 'x'.repeat(100_000) }],
  ])('is refused, and nothing is touched, when it %s', async (_what, decision) => {
    const { above, dir, path } = await stoppedFolder();
    writeFileSync(join(dir, draft), 'a draft');
    writeFileSync(join(dir, 'wotp.keycheck.new'), 'planted');
    writeFileSync(`${path}.replace`, JSON.stringify(decision));
    const before = [contentsOf(above), contentsOf(dir)];
    await expect(openDatabase(dir)).rejects.toThrow(DatabaseOpenError);
    expect(() => resolveMasterKey(undefined, dir, path)).toThrow(DatabaseOpenError);
    expect([contentsOf(above), contentsOf(dir)]).toEqual(before);
  });

  test('is not read through a link, and moves no link into place', async () => {
    const { above, dir, path } = await stoppedFolder();
    writeFileSync(join(dir, draft), 'a draft');
    writeFileSync(join(above, 'decision'), JSON.stringify(good));
    symlinkSync(join(above, 'decision'), `${path}.replace`);
    await expect(openDatabase(dir)).rejects.toThrow(DatabaseOpenError);

    const other = await stoppedFolder();
    symlinkSync(join(other.above, 'victim'), join(other.dir, draft));
    writeFileSync(`${other.path}.replace`, JSON.stringify(good));
    const before = contentsOf(other.dir);
    await expect(openDatabase(other.dir)).rejects.toThrow('is a link');
    expect(contentsOf(other.dir)).toEqual(before);
  });
});

test('a key check is not read through a link', async () => {
  const { above, dir } = await stoppedFolder();
  renameSync(keyCheckPathIn(dir), join(above, 'keycheck'));
  symlinkSync(join(above, 'keycheck'), keyCheckPathIn(dir));
  await expect(openDatabase(dir)).rejects.toThrow('is damaged');
});

test('a manifest is not read through a link, nor past its largest size, so no backup is removed for it', async () => {
  const { above, dir } = await stoppedFolder();
  const database = await openDatabase(dir);
  const { path, fileKey } = database;
  const { file } = await makeBackup({ path, fileKey, to: above, now: 0 });
  await database.close();
  expect(ownBackups(above)).toHaveLength(1);
  const manifest = readFileSync(`${file}.json`, 'utf8');
  writeFileSync(`${file}.json`, manifest.padEnd(100_000));
  expect(ownBackups(above)).toEqual([]);
  writeFileSync(join(above, 'elsewhere'), manifest);
  renameSync(join(above, 'elsewhere'), join(dir, 'elsewhere'));
  renameSync(`${file}.json`, join(dir, 'old'));
  symlinkSync(join(dir, 'elsewhere'), `${file}.json`);
  expect(ownBackups(above)).toEqual([]);
  expect(readManifest(file)).toBeUndefined();
});

test('a data folder that others may write is used by nothing', async () => {
  const { dir, path } = await stoppedFolder();
  chmodSync(dir, 0o777);
  await expect(openDatabase(dir)).rejects.toThrow(SharedFolderError);
  expect(() => resolveMasterKey(MASTER_KEY, dir, path)).toThrow(SharedFolderError);
  expect(() => presentMasterKey(undefined, dir, path)).toThrow(SharedFolderError);
  const keyCheckPath = keyCheckPathIn(dir);
  await expect(verifyStopped({ ...rules, path, keyCheckPath })).rejects.toThrow(SharedFolderError);
  expect(() => removeDatabase({ dataDir: dir, path })).toThrow(`chmod o-w ${dir}`);
});

test('a database with a second name, by which a second server could open it, is opened by neither', async () => {
  const { above, dir, path } = await stoppedFolder();
  const other = join(above, 'other');
  mkdirSync(other, { mode: 0o700 });
  linkSync(path, databasePathIn(other));
  for (const folder of [dir, other]) {
    await expect(openDatabase(folder)).rejects.toThrow('hard link');
    expect(() => takeDatabaseLock(databasePathIn(folder))).toThrow('hard link');
  }
});

test('changes beside a backup that its manifest does not know are neither restored nor whole', async () => {
  const { above, dir } = await stoppedFolder();
  const database = await openDatabase(dir);
  const { path, fileKey } = database;
  const { file } = await makeBackup({ path, fileKey, to: above, now: 0 });
  await database.transaction((trx) =>
    trx.insertInto('settings').values({ key: 'planted', value: 'x' }).execute(),
  );
  writeFileSync(`${file}-wal`, readFileSync(`${path}-wal`));
  await database.close();
  const target = tempFolder();
  const restore = () =>
    restoreDatabase({
      file,
      path: databasePathIn(target),
      keyCheckPath: keyCheckPathIn(target),
      masterKeyPath: join(target, 'master.key'),
      masterKey: MASTER_KEY,
      backupMasterKey: undefined,
      endCodes: async () => 0,
      now: 0,
    });
  await expect(restore()).rejects.toThrow(`${file}-wal holds changes`);
  const { findings } = await verifyAtRest({ ...rules, file });
  expect(findings).toEqual([expect.stringContaining(`${file}-wal holds changes`)]);
});
