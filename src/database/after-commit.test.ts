import { afterEach, expect, test } from 'vitest';
import { openTestDatabase } from '../../test/support/test-database.ts';
import type { Database, Transaction } from './database.ts';

let opened: Awaited<ReturnType<typeof openTestDatabase>>;
afterEach(() => opened.close());

async function open(): Promise<Database> {
  opened = await openTestDatabase();
  return opened.database;
}

const write = (trx: Transaction, key: string) =>
  trx.insertInto('settings').values({ key, value: '1' }).execute();

test('what shall follow a commit runs once the change can be read', async () => {
  const database = await open();
  const seen: number[] = [];
  await database.transaction(async (trx) => {
    await write(trx, 'a');
    database.afterCommit(trx, () => seen.push(1));
    expect(seen).toEqual([]);
  });
  expect(seen).toEqual([1]);
});

test('nothing follows a transaction that was undone, alone or beside others', async () => {
  const database = await open();
  const seen: string[] = [];
  const undone = new Error('undone');
  const outcomes = await Promise.allSettled(
    ['a', 'b', 'c'].map((key) =>
      database.transaction(async (trx) => {
        await write(trx, key);
        database.afterCommit(trx, () => seen.push(key));
        if (key === 'b') throw undone;
      }),
    ),
  );
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  // On WODB the whole group ran twice, since one of it failed after it had written.
  expect(seen.sort()).toEqual(['a', 'c']);
});
