import { cpSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import Sqlite from 'better-sqlite3-multiple-ciphers';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { actorNamed } from '../../../test/support/actors.ts';
import { smallDisk } from '../../../test/support/small-disk.ts';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { startTestApp, type TestApp } from '../../../test/support/test-app.ts';
import { testClock } from '../../../test/support/test-clock.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../../../test/support/verifications.ts';
import { contentsOf, databasePathIn, modeOf } from '../../../test/support/wodb.ts';
import { endAllPending } from '../../otp/end-all.ts';
import { NewerSchemaError, schemaVersion } from '../migrate.ts';
import { WodbConnection } from './connection.ts';
import { createFileKey } from './file-key.ts';
import { keyCheckPathIn } from './key-check.ts';
import { DatabaseInUseError } from './lock.ts';
import type { WodbDatabase } from './open.ts';
import { DatabaseOpenError } from './open-error.ts';
import { type RestoreOptions, restoreDatabase } from './restore.ts';
import { vacuumInto } from './run-in-worker.ts';

const KEY = 'the master key of the installation, long';
const OTHER_KEY = 'a master key only for copies that travel';
const NOW = Date.UTC(2026, 5, 1, 10, 20, 30);
const PAGE = 4096;

/** An installation with one verification and backups of it, and one verification that came later; stopped. */
let template: string;
let backup: string;
let underOtherKey: string;
let fileKey: { key: Buffer; salt: Buffer };
let early: string;
/** Of a page that was signed in when the backup was made. */
let cookie: string;
let late: string;

const env = { ...QUICK_ADMIN, DB_MASTER_KEY: KEY };

beforeAll(async () => {
  const server = await startTestApp({ env });
  const { sent } = verificationsOf(server);
  early = (await sent({ phone: newPhone() })).id;
  const password = QUICK_ADMIN.MASTER_PASSWORD;
  const signedIn = await server.call('POST', 'session', { key: null, body: { password } });
  cookie = signedIn.headers.get('set-cookie')!.split(';')[0]!;
  for (let i = 0; i < 30; i++) await sent({ phone: newPhone(), metadata: { note: 'x'.repeat(1_000) } });
  fileKey = (server.app.database as WodbDatabase).fileKey;
  backup = (await server.app.maintenance!.backup({}, actorNamed('test'))).file;
  underOtherKey = join(server.dir, 'backups', 'other.wodb');
  await server.app.maintenance!.backup(
    { to: underOtherKey, backupKey: createFileKey(OTHER_KEY) },
    actorNamed('test'),
  );
  late = (await sent({ phone: newPhone() })).id;
  await server.stop({ keepFiles: true });
  template = server.dir;
});
afterAll(() => rmSync(template, { recursive: true, force: true }));

/** A copy of the installation, and a restore into it. */
function installation() {
  const dir = tempFolder();
  cpSync(template, dir, { recursive: true });
  const restore = (options: Partial<RestoreOptions> = {}) =>
    restoreDatabase({
      file: backup,
      path: databasePathIn(dir),
      keyCheckPath: keyCheckPathIn(dir),
      masterKeyPath: join(dir, 'master.key'),
      masterKey: KEY,
      backupMasterKey: undefined,
      endCodes: (draft, masterKey) =>
        endAllPending(draft, { masterKey, now: options.now ?? NOW, reason: 'restored' }),
      now: NOW,
      ...options,
    });
  return { dir, restore };
}

/** The server over a folder, and which of the two verifications it knows. */
async function knows(dir: string, settings: Record<string, string> = env): Promise<string[]> {
  const server: TestApp = await startTestApp({ dir, env: { ...QUICK_ADMIN, ...settings } });
  const rows = await server.app.database.reader.selectFrom('verifications').select('id').execute();
  const events = await server.app.database.reader
    .selectFrom('events')
    .select('data')
    .where('type', '=', 'database.restored')
    .execute();
  const { findings } = await server.app.maintenance!.verify();
  await server.stop({ keepFiles: true });
  expect(findings).toEqual([]);
  expect(events).toHaveLength(1);
  return [early, late].filter((id) => rows.some((row) => row.id === id));
}

test('a restore brings back what the backup holds, and keeps the database that it replaces', async () => {
  const { dir, restore } = installation();
  const before = contentsOf(dir);
  const aside = `${databasePathIn(dir)}.replaced-20260601-102030`;
  expect(await restore()).toEqual({
    replaced: aside,
    schemaVersion: schemaVersion(),
    keptMasterKey: false,
    endedCodes: 0,
  });
  const after = contentsOf(dir);
  expect(after[basename(aside)]).toBe(before['wotp.wodb']);
  expect(modeOf(databasePathIn(dir))).toBe('0600');
  expect(readdirSync(dir).filter((name) => /restoring|\.new|\.replace$|-wal|-shm/.test(name))).toEqual([]);
  expect(await knows(dir)).toEqual([early]);
});

test('a restore ends every code that was pending in the backup, so that none that was used since verifies again', async () => {
  const { dir, restore } = installation();
  const clock = testClock();
  const { endedCodes } = await restore({ now: clock.now() });
  expect(endedCodes).toBe(31);
  const server = await startTestApp({ dir, env, clock });
  onTestFinished(() => server.stop({ keepFiles: true }));
  const otp = verificationsOf(server);
  const asAdmin = { asAdmin: true };
  expect((await otp.check({ id: early, code: '481516' }, asAdmin)).body.code).toBe('OTP_NOT_FOUND');
  const { data } = (await otp.read(early, asAdmin)).body;
  expect(data).toMatchObject({ status: 'canceled', reason: 'restored', messageStatus: 'canceled' });
  expect(data.timeline.at(-1)).toMatchObject({ status: 'canceled', reason: 'restored' });
  expect(await otp.eventsOf(early)).toEqual([
    'otp.created',
    'message.queued',
    'otp.canceled',
    'message.canceled',
  ]);
  const rows = await server.app.database.reader
    .selectFrom('verifications')
    .select('id')
    .where('sealed_code', 'is not', null)
    .execute();
  expect(rows).toEqual([]);
});

test('a restore ends the sessions that were open when the backup was made', async () => {
  const { dir, restore } = installation();
  await restore();
  const server = await startTestApp({ dir, env });
  const { status } = await server.call('GET', 'keys', { key: null, headers: { cookie } });
  await server.stop({ keepFiles: true });
  expect(status).toBe(401);
});

test('the replaced database can be restored in its turn, with what only its WAL holds', async () => {
  const { dir, restore } = installation();
  const path = databasePathIn(dir);
  const connection = new WodbConnection(path, fileKey, 'write');
  connection.sqlite.exec(`insert into settings (key, value) values ('in', 'WAL')`);
  // As a kill leaves it.
  const [database, wal] = [readFileSync(path), readFileSync(`${path}-wal`)];
  connection.close();
  writeFileSync(path, database);
  writeFileSync(`${path}-wal`, wal);

  const { replaced } = await restore();
  expect(readFileSync(`${replaced}-wal`)).toEqual(wal);
  await restore({ file: replaced! });
  const reader = new WodbConnection(path, fileKey, 'write');
  onTestFinished(() => reader.close());
  expect(reader.sqlite.prepare(`select value from settings where key = 'in'`).pluck().get()).toBe('WAL');
});

test('a lost folder is restored from the backup alone, with the key that is configured or given', async () => {
  const configured = tempFolder();
  const options = (dir: string) => ({
    path: databasePathIn(dir),
    keyCheckPath: keyCheckPathIn(dir),
    masterKeyPath: join(dir, 'master.key'),
  });
  const { restore } = installation();
  expect(await restore(options(configured))).toMatchObject({ replaced: null, keptMasterKey: false });
  expect(await knows(configured)).toEqual([early]);

  const given = tempFolder();
  const done = await restore({ ...options(given), masterKey: undefined, backupMasterKey: KEY });
  expect(done).toMatchObject({ replaced: null, keptMasterKey: true });
  expect(readFileSync(join(given, 'master.key'), 'utf8')).toBe(`${KEY}\n`);
  expect(modeOf(join(given, 'master.key'))).toBe('0600');
  expect(await knows(given, {})).toEqual([early]);
});

test('a folder whose database has another salt gets the key check of the restored one', async () => {
  const server = await startTestApp({ env });
  onTestFinished(() => rmSync(server.dir, { recursive: true, force: true }));
  await server.stop({ keepFiles: true });
  const { dir } = server;
  const { restore } = installation();
  await restore({
    path: databasePathIn(dir),
    keyCheckPath: keyCheckPathIn(dir),
    masterKeyPath: join(dir, 'master.key'),
  });
  expect(await knows(dir)).toEqual([early]);
});

test('a backup under another master key needs that key, and opens with the one of the installation afterwards', async () => {
  const { dir, restore } = installation();
  const before = contentsOf(dir);
  await expect(restore({ file: underOtherKey })).rejects.toThrow(/does not open .*--key-file/);
  expect(contentsOf(dir)).toEqual(before);
  await restore({ file: underOtherKey, backupMasterKey: OTHER_KEY });
  expect(await knows(dir)).toEqual([early]);
});

test('a backup of an installation with another master key is put under the present one', async () => {
  const { dir, restore } = installation();
  await restore({ masterKey: OTHER_KEY, backupMasterKey: KEY });
  expect(await knows(dir, { DB_MASTER_KEY: OTHER_KEY })).toEqual([early]);
  await expect(startTestApp({ dir, env })).rejects.toThrow(/is not the key of this database/);
});

test('a backup whose values nobody could read says which key has to be configured', async () => {
  const { dir, restore } = installation();
  const before = contentsOf(dir);
  const third = 'a master key that has nothing to do with it';
  for (const options of [
    { masterKey: OTHER_KEY, backupMasterKey: undefined },
    { masterKey: third, backupMasterKey: OTHER_KEY },
  ]) {
    await expect(restore({ file: underOtherKey, ...options })).rejects.toThrow(
      /values in it were created with another master key: .* Set DB_MASTER_KEY to that one/,
    );
  }
  await expect(restore({ masterKey: undefined })).rejects.toThrow(/no master key to open the backup with/);
  expect(contentsOf(dir)).toEqual(before);
});

test('a restore that finds no room says so, and every file stays as it is', async ({ skip }) => {
  const { dir, restore } = installation();
  const { size } = statSync(databasePathIn(dir));
  const disk = smallDisk(size + size / 2);
  if (disk === undefined) return skip('a disk of its own cannot be mounted here');
  for (const name of ['wotp.wodb', 'wotp.keycheck', 'wotp.wodb.lock'])
    cpSync(join(dir, name), join(disk, name));
  const before = contentsOf(disk);
  const refused = restore({
    path: databasePathIn(disk),
    keyCheckPath: keyCheckPathIn(disk),
    masterKeyPath: join(disk, 'master.key'),
  });
  await expect(refused).rejects.toThrow(/The disk has no room for the restored database/);
  expect(contentsOf(disk)).toEqual(before);
});

test('while somebody uses the database nothing is restored', async () => {
  const { dir, restore } = installation();
  const server = await startTestApp({ dir, env });
  const before = contentsOf(dir);
  await expect(restore()).rejects.toThrow(DatabaseInUseError);
  expect(contentsOf(dir)).toEqual(before);
  await server.stop({ keepFiles: true });
});

describe('is refused, and every file stays as it is:', () => {
  const flip = (position: number) => (file: string) => {
    const bytes = readFileSync(file);
    bytes[position]! ^= 1;
    writeFileSync(file, bytes);
  };
  const withoutManifest = (spoil: (file: string) => void) => (file: string) => {
    rmSync(`${file}.json`);
    spoil(file);
  };
  const changed = (sql: string) => (file: string) => {
    rmSync(`${file}.json`);
    const connection = new WodbConnection(file, fileKey, 'write');
    connection.sqlite.exec(sql);
    connection.close();
  };
  const cases: [
    name: string,
    spoil: (file: string) => void,
    says: RegExp,
    options?: Partial<RestoreOptions>,
  ][] = [
    ['a wrong key', () => {}, /master key does not open .*with another key/, { masterKey: OTHER_KEY }],
    ['a missing file', (file) => rmSync(file), /There is no file/],
    ['an empty file', (file) => truncateSync(file), /is empty/],
    [
      'a folder',
      (file) => {
        rmSync(file);
        cpSync(template, file, { recursive: true });
      },
      /is not a file/,
    ],
    ['a truncated file', (file) => truncateSync(file, 20 * PAGE), /is cut off/],
    ['one cut within a page', (file) => truncateSync(file, 20 * PAGE + 100), /is cut off/],
    ['a flipped bit', flip(15 * PAGE + 99), /is not what its manifest describes/],
    [
      'a flipped bit, without its manifest',
      withoutManifest(flip(15 * PAGE + 99)),
      /is damaged; take another backup\. The file is damaged: /,
    ],
    ['a flipped bit in the first page', withoutManifest(flip(1_000)), /damaged: its first page was changed/],
    [
      'a plain SQLite file',
      (file) => {
        rmSync(file);
        const plain = new Sqlite(file);
        plain.exec('create table secrets (v text)');
        plain.close();
      },
      /is a plain SQLite file/,
    ],
    [
      'a text',
      (file) => writeFileSync(file, 'a text'),
      /is not a WODB database: it is smaller than one page/,
    ],
    [
      'a longer text',
      (file) => writeFileSync(file, 'a text'.repeat(2_000)),
      /is not a WODB database: its size is not a multiple of 4096 bytes/,
    ],
    [
      'the database of another program',
      changed('pragma application_id = 7'),
      /opens with this key, but it is not a WODB database/,
    ],
  ];
  test.for(cases)('%s', async ([, spoil, says, options]) => {
    const { dir, restore } = installation();
    const file = join(dir, 'backups', basename(backup));
    spoil(file);
    const before = contentsOf(dir);
    const refused = await restore({ file, ...options }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(DatabaseOpenError);
    expect((refused as Error).message).toMatch(says);
    expect(contentsOf(dir)).toEqual(before);
  });

  test('a newer schema', async () => {
    const { dir, restore } = installation();
    const file = join(dir, 'backups', basename(backup));
    changed(`insert into kysely_migration (name, timestamp) values ('9999-later', '')`)(file);
    const before = contentsOf(dir);
    await expect(restore({ file })).rejects.toThrow(NewerSchemaError);
    expect(contentsOf(dir)).toEqual(before);
  });

  test('the database itself', async () => {
    const { dir, restore } = installation();
    const before = contentsOf(dir);
    await expect(restore({ file: databasePathIn(dir) })).rejects.toThrow(/is the database itself/);
    expect(contentsOf(dir)).toEqual(before);
  });
});

test('an older backup is brought up to the present schema, and what a cut-off restore left does not matter', async () => {
  const { dir, restore } = installation();
  const older = join(tempFolder(), 'older.wodb');
  await vacuumInto({ path: backup, fileKey, draft: older });
  const connection = new WodbConnection(older, fileKey, 'write');
  connection.sqlite.exec('pragma user_version = 0');
  connection.close();
  writeFileSync(`${databasePathIn(dir)}.restoring`, 'half of a file');
  writeFileSync(`${databasePathIn(dir)}.restoring-wal`, 'and its WAL');
  expect(await restore({ file: older })).toMatchObject({ schemaVersion: 0 });
  const restored = new WodbConnection(databasePathIn(dir), fileKey, 'write');
  expect(restored.sqlite.pragma('user_version', { simple: true })).toBe(schemaVersion());
  restored.close();
  expect(await knows(dir)).toEqual([early]);
});
