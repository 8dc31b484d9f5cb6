import { beforeAll, expect, test } from 'vitest';
import { ensureBuilt, startChild } from '../../../test/support/child.ts';
import { tempFolder } from '../../../test/support/temp-folder.ts';
import { openDatabase } from '../../../test/support/wodb.ts';

beforeAll(ensureBuilt, 120_000);

test('an I/O error acknowledges nothing of its group, reads go on, and the next start finds the rest', async () => {
  const dir = tempFolder();
  await (await openDatabase(dir)).close();
  // No file may grow beyond 1 MiB, so writing the WAL fails with an error of the operating system.
  const told = (await startChild('write-until-refused', dir, 2_048).next()) as {
    acknowledged: string[];
    refused: unknown[];
    readable: string[];
  };

  expect(told.refused).toEqual(
    Array(3).fill({
      code: 'SERVICE_UNAVAILABLE',
      status: 503,
      cause: expect.stringMatching(/^SQLITE_(FULL|IOERR)/),
    }),
  );
  expect(told.acknowledged.length).toBeGreaterThan(10);
  expect(told.readable.sort()).toEqual(told.acknowledged.sort());
  const database = await openDatabase(dir);
  const rows = await database.reader.selectFrom('settings').select('key').execute();
  expect(rows.map(({ key }) => key).sort()).toEqual(told.acknowledged);
});
