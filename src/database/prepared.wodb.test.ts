import { sql } from 'kysely';
import { expect, test, vi } from 'vitest';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { openDatabase } from '../../test/support/wodb.ts';
import type { Executor, Parameters } from './database.ts';

async function preparedSettings() {
  const database = await openDatabase(tempFolder());
  const build = vi.fn((db: Executor, value: Parameters<{ key: string; value: string }>) =>
    db.insertInto('settings').values({ key: value('key'), value: value('value') }),
  );
  const insert = database.prepare<{ key: string; value: string }, unknown>(build);
  return { database, build, insert };
}

test('values are bound by name, in whatever order they are given', async () => {
  const { database, insert } = await preparedSettings();
  await database.transaction(async (trx) => {
    await insert(trx, { key: 'a', value: '1' });
    await insert(trx, { value: '2', key: 'b' });
  });
  const rows = await database.reader.selectFrom('settings').selectAll().orderBy('key').execute();
  expect(rows).toEqual([
    { key: 'a', value: '1' },
    { key: 'b', value: '2' },
  ]);
});

test('one name may stand in several places, beside values that are always the same', async () => {
  const { database, insert } = await preparedSettings();
  await database.transaction(async (trx) => {
    await insert(trx, { key: 'a', value: 'a' });
    await insert(trx, { key: 'b', value: 'other' });
    await insert(trx, { key: 'fixed', value: 'other' });
  });
  const alike = database.prepare<{ text: string }, { key: string }>((db, value) =>
    db
      .selectFrom('settings')
      .select('key')
      .where((eb) =>
        eb.or([
          eb('key', '=', 'fixed'),
          eb.and([eb('key', '=', value('text')), eb('value', '=', value('text'))]),
        ]),
      )
      .orderBy('key'),
  );
  expect(await alike(database.reader, { text: 'a' })).toEqual([{ key: 'a' }, { key: 'fixed' }]);
  expect(await alike(database.reader, { text: 'b' })).toEqual([{ key: 'fixed' }]);
});

test('a query is built once, however often and wherever it runs', async () => {
  const { database, build, insert } = await preparedSettings();
  for (let i = 0; i < 5; i++) await database.transaction((trx) => insert(trx, { key: `${i}`, value: 'x' }));
  expect(build).toHaveBeenCalledOnce();
});

test('a query runs where it is told to: in the transaction, or over what is committed', async () => {
  const { database, insert } = await preparedSettings();
  const all = database.prepare<object, { key: string }>((db) => db.selectFrom('settings').select('key'));
  await database.transaction(async (trx) => {
    await insert(trx, { key: 'new', value: 'x' });
    expect(await all(trx, {})).toEqual([{ key: 'new' }]);
    expect(await all(database.reader, {})).toEqual([]);
  });
  expect(await all(database.reader, {})).toEqual([{ key: 'new' }]);
});

test('text that looks like SQL is a value and nothing else; null, numbers and bytes come back as they were', async () => {
  const database = await openDatabase(tempFolder());
  const echo = database.prepare<
    { text: string; nothing: null; number: number; bytes: Buffer },
    Record<string, unknown>
  >((db, value) =>
    db.selectNoFrom([
      sql`${value('text')}`.as('text'),
      sql`${value('nothing')}`.as('nothing'),
      sql`${value('number')}`.as('number'),
      sql`${value('bytes')}`.as('bytes'),
    ]),
  );
  const values = {
    text: "'; drop table settings; --",
    nothing: null,
    number: 1.5,
    bytes: Buffer.from([0, 255]),
  };
  expect(await echo(database.reader, values)).toEqual([values]);
  expect(await database.reader.selectFrom('settings').selectAll().execute()).toEqual([]);
});

test('a prepared query that outlives its transaction is refused and writes nothing', async () => {
  const { database, insert } = await preparedSettings();
  const escaped = await database.transaction(async (trx) => ({ trx }));
  await expect(insert(escaped.trx, { key: 'late', value: 'x' })).rejects.toThrow('after its transaction');
  await expect(
    escaped.trx.insertInto('settings').values({ key: 'late', value: 'x' }).execute(),
  ).rejects.toThrow('after its transaction');
  expect(await database.reader.selectFrom('settings').selectAll().execute()).toEqual([]);
});
