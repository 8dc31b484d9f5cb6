import { beforeAll, expect, test } from 'vitest';
import { ensureBuilt, startChild } from '../../../test/support/child.ts';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { contentsOf, databasePathIn, openDatabase } from '../../../test/support/wodb.ts';
import { DatabaseInUseError, takeDatabaseLock } from './lock.ts';

beforeAll(ensureBuilt, 120_000);

test('a second process is refused while the first one lives, and let in as soon as it is killed', async () => {
  const dir = tempFolder();
  const child = startChild('hold', dir);
  expect(await child.next()).toEqual({ holds: true });
  const before = contentsOf(dir);

  await expect(openDatabase(dir)).rejects.toThrow(DatabaseInUseError);
  await expect(openDatabase(dir)).rejects.toThrow(
    /Another WOTP process is using .*wotp\.wodb\. Stop it first/,
  );
  expect(contentsOf(dir)).toEqual(before);

  await child.kill();
  const database = await openDatabase(dir);
  const rows = await database.reader.selectFrom('settings').select('key').execute();
  expect(rows).toEqual([{ key: 'held' }]);
});

test('a second process is refused even after this one was asked to open its own database twice', async () => {
  const dir = tempFolder();
  await openDatabase(dir);
  await expect(openDatabase(dir)).rejects.toThrow(DatabaseInUseError);
  expect(await startChild('hold', dir).next()).toEqual({ error: 'DatabaseInUseError' });
});

test('the lock can be taken again once it was released', () => {
  const path = databasePathIn(tempFolder());
  for (let turn = 0; turn < 3; turn++) takeDatabaseLock(path)();
});
