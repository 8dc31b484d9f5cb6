import fs, { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { contentsOf, databasePathIn, openDatabase } from '../../../test/support/wodb.ts';
import { resolveMasterKey } from '../master-key.ts';
import { keyCheckPathIn } from './key-check.ts';
import { DatabaseOpenError } from './open-error.ts';
import { isBeingReplaced, replaceDatabase } from './replace.ts';

const OLD_KEY = 'the old master key, long enough for it';
const NEW_KEY = 'the new master key, long enough as well';

afterEach(() => {
  vi.restoreAllMocks();
  syncBuiltinESMExports();
});

/** A stopped data folder whose database holds one setting, kept under a master key in a file. */
async function folderWith(masterKey: string, value: string): Promise<string> {
  const dir = tempFolder();
  const database = await openDatabase(dir, { masterKey });
  await database.transaction((trx) => trx.insertInto('settings').values({ key: 'which', value }).execute());
  await database.close();
  writeFileSync(join(dir, 'master.key'), `${masterKey}\n`);
  return dir;
}

/** A folder in which everything is ready to exchange the old database, with a WAL, for one under another key. */
async function readyFolder() {
  const dir = await folderWith(OLD_KEY, 'old');
  const other = await folderWith(NEW_KEY, 'new');
  const path = databasePathIn(dir);
  writeFileSync(`${path}-wal`, 'what only the WAL of the old one holds');
  writeFileSync(`${path}-shm`, 'an index of it');
  const draft = `${path}.draft`;
  const keyCheck = `${keyCheckPathIn(dir)}.draft`;
  const masterKey = join(dir, 'master.key.draft');
  renameSync(databasePathIn(other), draft);
  renameSync(keyCheckPathIn(other), keyCheck);
  renameSync(join(other, 'master.key'), masterKey);
  const replacement = {
    path,
    dataDir: dir,
    draft,
    keepAsideAs: `${path}.replaced`,
    alongside: [
      { from: keyCheck, to: keyCheckPathIn(dir) },
      { from: masterKey, to: join(dir, 'master.key') },
    ],
  };
  return { dir, path, replacement };
}

/** What is in the folder's database, opened as a start does. */
async function holds(dir: string): Promise<string> {
  const masterKey = resolveMasterKey(undefined, dir, databasePathIn(dir));
  const database = await openDatabase(dir, { masterKey });
  const row = await database.reader
    .selectFrom('settings')
    .select('value')
    .where('key', '=', 'which')
    .executeTakeFirstOrThrow();
  await database.close();
  return row.value;
}

const CHANGES = ['renameSync', 'rmSync', 'fsyncSync', 'openSync'] as const;

/** Ends the process's power over its files before the change with this number; true when it came so far. */
function dieBefore(change: number, work: () => void): boolean {
  let count = 0;
  for (const name of CHANGES) {
    const real = fs[name] as (...args: unknown[]) => unknown;
    vi.spyOn(fs, name).mockImplementation(((...args: unknown[]) => {
      if (count++ >= change) throw new Error('killed');
      return real(...args);
    }) as never);
  }
  syncBuiltinESMExports();
  let died = false;
  try {
    work();
  } catch (error) {
    if ((error as Error).message !== 'killed') throw error;
    died = true;
  }
  vi.restoreAllMocks();
  syncBuiltinESMExports();
  return died;
}

test('a database is exchanged together with its key check and its key, and the old one is kept with its WAL', async () => {
  const { dir, path, replacement } = await readyFolder();
  const old = contentsOf(dir);
  replaceDatabase(replacement);
  const now = contentsOf(dir);
  expect(now['wotp.wodb']).toBe(old['wotp.wodb.draft']);
  expect(now['wotp.keycheck']).toBe(old['wotp.keycheck.draft']);
  expect(now['wotp.wodb.replaced']).toBe(old['wotp.wodb']);
  expect(now['wotp.wodb.replaced-wal']).toBe(old['wotp.wodb-wal']);
  expect(Object.keys(now).filter((name) => /draft|-shm|\.replace$/.test(name))).toEqual([]);
  expect(existsSync(`${path}-wal`)).toBe(false);
  expect(await holds(dir)).toBe('new');
});

test('without a name to keep it under, the old database and its WAL are gone', async () => {
  const { dir, replacement } = await readyFolder();
  replaceDatabase({ ...replacement, keepAsideAs: undefined });
  expect(readdirSync(dir).sort()).toEqual(['master.key', 'wotp.keycheck', 'wotp.wodb', 'wotp.wodb.lock']);
  expect(await holds(dir)).toBe('new');
});

test('killed before any of its steps, the old database is untouched, or the next start finds the new one whole', async () => {
  const { dir: template, replacement } = await readyFolder();
  const outcomes: string[] = [];
  for (let change = 0; ; change++) {
    const dir = tempFolder();
    fs.cpSync(template, dir, { recursive: true });
    const before = contentsOf(dir);
    const here = (name: string) => name.replace(template, dir);
    const died = dieBefore(change, () =>
      replaceDatabase({
        path: here(replacement.path),
        dataDir: dir,
        draft: here(replacement.draft),
        keepAsideAs: here(replacement.keepAsideAs),
        alongside: replacement.alongside.map(({ from, to }) => ({ from: here(from), to: here(to) })),
      }),
    );
    if (!isBeingReplaced(databasePathIn(dir)) && contentsOf(dir)['wotp.wodb'] === before['wotp.wodb']) {
      const { 'wotp.wodb.replace.tmp': _, ...after } = contentsOf(dir);
      expect(after).toEqual(before);
      outcomes.push('old');
    } else {
      // Killed a second time while it finishes: it begins anew.
      dieBefore(3, () => void resolveMasterKey(undefined, dir, databasePathIn(dir)));
      expect(await holds(dir)).toBe('new');
      const after = contentsOf(dir);
      expect(after['wotp.wodb.replaced']).toBe(before['wotp.wodb']);
      expect(after['wotp.wodb.replaced-wal']).toBe(before['wotp.wodb-wal']);
      outcomes.push('new');
    }
    if (!died) break;
  }
  const firstNew = outcomes.indexOf('new');
  expect(firstNew).toBeGreaterThan(3);
  expect(outcomes.slice(firstNew)).toEqual(Array(outcomes.length - firstNew).fill('new'));
  expect(outcomes.length - firstNew).toBeGreaterThan(8);
}, 60_000);

test('nothing is exchanged for a draft that is not ready, or over a name that is taken', async () => {
  const { dir, path, replacement } = await readyFolder();
  const refusals: [Partial<typeof replacement>, string, RegExp][] = [
    [{ draft: join(dir, 'elsewhere', 'draft') }, '', /is not in the folder/],
    [{ draft: `${path}.missing` }, '', /ENOENT/],
    [{}, `${replacement.draft}-wal`, /is not empty/],
    [{}, replacement.keepAsideAs, /exists already/],
  ];
  for (const [change, inTheWay, says] of refusals) {
    if (inTheWay !== '') writeFileSync(inTheWay, 'in the way');
    const before = contentsOf(dir);
    expect(() => replaceDatabase({ ...replacement, ...change })).toThrow(says);
    expect(contentsOf(dir)).toEqual(before);
    if (inTheWay !== '') fs.rmSync(inTheWay);
  }
});

test('a decision that cannot be read stops the start, and nothing is touched', async () => {
  const { dir, path } = await readyFolder();
  writeFileSync(`${path}.replace`, '{"draft":');
  const before = contentsOf(dir);
  await expect(holds(dir)).rejects.toThrow(DatabaseOpenError);
  expect(contentsOf(dir)).toEqual(before);
  expect(readFileSync(`${path}.replace`, 'utf8')).toBe('{"draft":');
});
