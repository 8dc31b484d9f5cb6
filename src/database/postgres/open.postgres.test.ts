import { fileURLToPath } from 'node:url';
import { type Migration, sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { runOn } from '../../../bench/local-postgres.js';
import { openCuttingProxy } from '../../../test/support/cutting-proxy.ts';
import { createPostgres, type TestPostgres } from '../../../test/support/postgres.ts';
import { newId } from '../../lib/id.ts';
import type { Database, Transaction } from '../database.ts';
import { MIGRATIONS, NewerSchemaError } from '../migrate.ts';
import { PostgresOpenError } from './errors.ts';
import { openPostgres, type PostgresOptions, readPostgres } from './open.ts';

let postgres: TestPostgres;
let database: Database;

async function open(options: Partial<PostgresOptions> = {}): Promise<Database> {
  const opened = await openPostgres({ url: postgres.url, poolSize: 4, ...options });
  onTestFinished(() => opened.close());
  return opened;
}

beforeAll(async () => {
  postgres = await createPostgres();
  database = await openPostgres({ url: postgres.url, poolSize: 4 });
});
afterAll(async () => {
  await database.close();
  await postgres.drop();
});
beforeEach(async () => {
  await runOn(postgres.url, `delete from settings`);
});

const put = (trx: Transaction, key: string, value = '') =>
  trx.insertInto('settings').values({ key, value }).execute();
const change = (trx: Transaction, key: string, value: string) =>
  trx.updateTable('settings').set({ value }).where('key', '=', key).execute();
const keys = async (from: Database = database) =>
  (await from.reader.selectFrom('settings').select('key').orderBy('key').execute())
    .map(({ key }) => key)
    .filter((key) => key !== 'event_origin');

/** A promise and what settles it. */
function latch() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe('a transaction', () => {
  test('is there for everybody once it has resolved, with its result', async () => {
    expect(
      await database.transaction(async (trx) => {
        await put(trx, 'a');
        return 42;
      }),
    ).toBe(42);
    expect(await keys(await open())).toEqual(['a']);
  });

  test('that rejects leaves nothing and passes its error on', async () => {
    const failing = database.transaction(async (trx) => {
      await put(trx, 'a');
      throw new Error('no more');
    });
    await expect(failing).rejects.toThrow('no more');
    expect(await keys()).toEqual([]);
  });

  test('is not acknowledged when a statement in it failed, even if nobody minded', async () => {
    const careless = database.transaction(async (trx) => {
      await put(trx, 'a');
      await put(trx, 'a').catch(() => {});
    });
    await expect(careless).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    expect(await keys()).toEqual([]);
  });

  test('takes no query after its end', async () => {
    let late: Transaction | undefined;
    await database.transaction(async (trx) => {
      late = trx;
    });
    await expect(put(late!, 'late')).rejects.toThrow('after its transaction had ended');
    expect(await keys()).toEqual([]);
  });

  test('that loses a deadlock is run again, and both are done', async () => {
    await database.transaction(async (trx) => {
      await put(trx, 'a');
      await put(trx, 'b');
    });
    const [first, second] = [latch(), latch()];
    let runs = 0;
    const crosswise = (own: string, other: string, mine: typeof first, theirs: typeof first) =>
      database.transaction(async (trx) => {
        runs += 1;
        await change(trx, own, own);
        mine.open();
        await theirs.opened;
        await change(trx, other, own);
      });
    await Promise.all([crosswise('a', 'b', first, second), crosswise('b', 'a', second, first)]);
    expect(runs).toBe(3);
  });

  test('that cannot be serialized is tried five times, then refused with 503', async () => {
    let runs = 0;
    const doomed = database.transaction(async (trx) => {
      runs += 1;
      await sql`do $$ begin raise exception 'again' using errcode = '40001'; end $$`.execute(trx);
    });
    await expect(doomed).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', status: 503 });
    expect(runs).toBe(5);
  });

  test('is refused with QUEUE_FULL when too many wait for a connection', async () => {
    const small = await open({ poolSize: 2, maxWaiting: 3 });
    const held = latch();
    let entered = 0;
    const running = [1, 2].map(() =>
      small.transaction(() => {
        entered += 1;
        return held.opened;
      }),
    );
    await expect.poll(() => entered).toBe(2);
    const waiting = [1, 2, 3].map((i) => small.transaction((trx) => put(trx, String(i))));
    expect(small.waitingWrites).toBe(3);
    await expect(small.transaction(async () => {})).rejects.toMatchObject({ code: 'QUEUE_FULL' });
    held.open();
    await Promise.all([...running, ...waiting]);
    expect(await keys()).toEqual(['1', '2', '3']);
  });

  test('is finished by a close, and refused after it', async () => {
    const closing = await openPostgres({ url: postgres.url, poolSize: 2 });
    const writes = ['a', 'b', 'c', 'd'].map((key) => closing.transaction((trx) => put(trx, key)));
    await Promise.all([closing.close(), closing.close()]);
    await Promise.all(writes);
    expect(await keys()).toEqual(['a', 'b', 'c', 'd']);
    await expect(closing.transaction(async () => {})).rejects.toMatchObject({ status: 503 });
  });

  test('commits to the disk, whatever is set for the role or the database', async () => {
    const name = new URL(postgres.url).pathname.slice(1);
    await runOn(postgres.url, `alter database ${name} set synchronous_commit = off`);
    await runOn(postgres.url, `alter database ${name} set default_transaction_isolation = serializable`);
    const { reader } = await open();
    const shown = await sql`show synchronous_commit`.execute(reader);
    expect(shown.rows).toEqual([{ synchronous_commit: 'on' }]);
    const isolation = await (await open()).transaction((trx) => sql`show transaction_isolation`.execute(trx));
    expect(isolation.rows).toEqual([{ transaction_isolation: 'read committed' }]);
    await runOn(postgres.url, `alter database ${name} reset all`);
  });
});

describe('a lost connection', () => {
  test('before the commit is a 503, changes nothing, and the next transaction has a new one', async () => {
    const proxy = await openCuttingProxy(postgres.url);
    const remote = await open({ url: proxy.url });
    const lost = remote.transaction(async (trx) => {
      await put(trx, 'lost');
      proxy.cut();
      await put(trx, 'more');
    });
    await expect(lost).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringMatching(/nothing was changed/),
    });
    await remote.transaction((trx) => put(trx, 'next'));
    expect(await keys()).toEqual(['next']);
    await remote.checkWritable();
    expect(await keys()).toEqual(['next', 'write_probe']);
  });

  test('during the commit is answered as not known, never as done', async () => {
    const proxy = await openCuttingProxy(postgres.url);
    const remote = await open({ url: proxy.url });
    // The whole message, as "read committed" stands in another.
    proxy.cutAfter('\x0bcommit\0');
    await expect(remote.transaction((trx) => put(trx, 'perhaps'))).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringMatching(/not known whether/),
    });
    expect(await keys(remote)).toEqual(['perhaps']);
  });

  test('between two uses is noticed, and costs the process nothing', async () => {
    const proxy = await openCuttingProxy(postgres.url);
    const remote = await open({ url: proxy.url });
    expect(await keys(remote)).toEqual([]);
    proxy.cut();
    await new Promise((resolve) => setImmediate(resolve));
    await expect.poll(() => keys(remote)).toEqual([]);
  });
});

describe('serialize', () => {
  test('makes the second wait for the first, and shows it what the first has written', async () => {
    const held = latch();
    const inside = latch();
    const first = database.transaction(async (trx) => {
      await database.serialize(trx, 'phone');
      inside.open();
      await held.opened;
      await put(trx, 'a');
    });
    await inside.opened;
    const second = database.transaction(async (trx) => {
      await database.serialize(trx, 'phone');
      return (await trx.selectFrom('settings').select('key').execute()).length;
    });
    const apart = await database.transaction(async (trx) => {
      await database.serialize(trx, 'another phone');
      return [await database.trySerialize(trx, 'phone'), await database.trySerialize(trx, 'a third')];
    });
    expect(apart).toEqual([false, true]);
    held.open();
    await first;
    expect(await second).toBe(1);
  });
});

describe('values', () => {
  test('times and counts are numbers, bytes are buffers, null is null', async () => {
    const at = Date.UTC(2026, 0, 15);
    const row = {
      scope: 's',
      fingerprint: Buffer.from([0, 255, 92, 39]),
      status: 201,
      answer: Buffer.alloc(0),
      key_version: 1,
      created_at: at,
    };
    await database.transaction((trx) => trx.insertInto('idempotency_keys').values(row).execute());
    expect(await database.reader.selectFrom('idempotency_keys').selectAll().execute()).toEqual([row]);
    const sums = sql<{
      n: number;
      total: number;
    }>`select count(*) as n, sum(created_at) as total from idempotency_keys`;
    expect((await sums.execute(database.reader)).rows).toEqual([{ n: 1, total: at }]);
  });

  test('ids compare byte by byte, whatever the language of the database', async () => {
    const texts = ['b', 'B', 'a', '_', 'a_b', 'ab', '0', 'Z', 'ä'];
    await database.transaction(async (trx) => {
      for (const text of texts) await put(trx, text);
    });
    const bytewise = [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await keys()).toEqual(bytewise);
    const ids = [newId('msg', 1), newId('msg', 2)].sort();
    const { rows } = await sql<{ isLess: boolean }>`
      select ${ids[0]!} collate "C" < ${ids[1]!} as "isLess"`.execute(database.reader);
    expect(rows).toEqual([{ isLess: true }]);
    const collations = await runOn(
      postgres.url,
      `select table_name, column_name from information_schema.columns
       where table_schema = 'public' and data_type = 'text' and collation_name is distinct from 'C'`,
    );
    expect(collations).toEqual([]);
  });

  test('a text with a NUL character is refused as the request that it came with', async () => {
    const refused = database.transaction((trx) => put(trx, 'a\0b'));
    await expect(refused).rejects.toMatchObject({ code: 'VALIDATION_ERROR' });
  });

  test('what PostgreSQL refuses tells where, and repeats no value of the row', async () => {
    await database.transaction((trx) => put(trx, 'secret value'));
    const doubled = await database.transaction((trx) => put(trx, 'secret value')).catch((error) => error);
    expect(doubled).toMatchObject({ code: '23505', table: 'settings', constraint: 'settings_pkey' });
    expect(JSON.stringify({ ...doubled, message: doubled.message })).not.toContain('secret value');
  });
});

describe('a prepared query', () => {
  test('goes on when another node has given its table a column', async () => {
    const query = database.prepare<{ key: string }, { key: string }>((db, value) =>
      db.selectFrom('settings').selectAll().where('key', '=', value('key')),
    );
    await database.transaction((trx) => put(trx, 'a', 'x'));
    const read = () => database.transaction((trx) => query(trx, { key: 'a' }));
    expect(await read()).toEqual([{ key: 'a', value: 'x' }]);
    await runOn(postgres.url, 'alter table settings add column note text');
    expect(await read()).toEqual([{ key: 'a', value: 'x', note: null }]);
    await runOn(postgres.url, 'alter table settings drop column note');
  });
});

describe('opening', () => {
  test('of an empty database by several at once makes the schema once', async () => {
    const empty = await createPostgres({ empty: true });
    const opened = await Promise.all(
      Array.from({ length: 4 }, () => openPostgres({ url: empty.url, poolSize: 2 })),
    );
    const applied = await runOn(empty.url, 'select name from kysely_migration order by name');
    expect(applied.map(({ name }) => name)).toEqual(Object.keys(MIGRATIONS));
    await Promise.all(opened.map((one) => one.close()));
    await empty.drop();
  });

  test('a migration that fails leaves nothing behind', async () => {
    const broken: Migration = {
      async up(db) {
        await db.schema.createTable('half').addColumn('id', 'integer').execute();
        throw new Error('the second half does not work');
      },
    };
    MIGRATIONS['9999-half'] = broken;
    onTestFinished(() => void delete MIGRATIONS['9999-half']);
    await expect(open()).rejects.toThrow('the second half does not work');
    expect(await runOn(postgres.url, `select to_regclass('half') as half`)).toEqual([{ half: null }]);
  });

  test('a database of a newer version is refused by name', async () => {
    await runOn(postgres.url, `insert into kysely_migration values ('9999-future', '')`);
    onTestFinished(async () => {
      await runOn(postgres.url, `delete from kysely_migration where name = '9999-future'`);
    });
    await expect(open()).rejects.toThrow(NewerSchemaError);
  });

  test.each([
    [
      'a server that is not there',
      (url: URL) => url.searchParams.set('host', '/nowhere'),
      /cannot be used: .*Start it/,
    ],
    [
      'a database that is not there',
      (url: URL) => {
        url.pathname = '/missing';
      },
      /no such database .*createdb/,
    ],
    ['a user that is not there', (url: URL) => url.searchParams.set('user', 'nobody'), /refuses the user/],
  ])('%s is said in a sentence, without the password', async (_what, spoil, sentence) => {
    const url = new URL(postgres.url);
    url.searchParams.set('password', 'a-secret-password');
    spoil(url);
    const refused = await open({ url: url.href }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(PostgresOpenError);
    expect((refused as Error).message).toMatch(sentence);
    expect((refused as Error).message).not.toContain('a-secret-password');
  });

  test.each([
    [
      'is not there',
      '/nowhere/ca.pem',
      /DATABASE_URL names \/nowhere\/ca\.pem as sslrootcert, .*\(ENOENT\)\. Name a PEM file/,
    ],
    ['is a folder', '/', /names \/ as sslrootcert, .*\(EISDIR\)/],
    ['is no certificate', fileURLToPath(import.meta.url), /as sslrootcert, .* holds no certificate/],
  ])('a certificate that %s is said in a sentence', async (_what, path, sentence) => {
    const url = new URL(postgres.url);
    url.searchParams.set('sslrootcert', path);
    for (const refused of [open({ url: url.href }), readPostgres(url.href, async () => {})]) {
      const error = await refused.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(PostgresOpenError);
      expect((error as Error).message).toMatch(sentence);
    }
  });

  test('a user that may not make tables, and a database of another encoding, are said in a sentence', async () => {
    const empty = await createPostgres({ empty: true });
    const name = new URL(empty.url).pathname.slice(1);
    await runOn(empty.url, `create role "guest_${name}" login`);
    const guest = new URL(empty.url);
    guest.searchParams.set('user', `guest_${name}`);
    await expect(open({ url: guest.href })).rejects.toThrow(/may not create tables/);
    await runOn(empty.url, `drop role "guest_${name}"`);
    await runOn(
      postgres.url,
      `create database "latin_${name}" template template0 encoding 'LATIN1' locale_provider libc locale 'C'`,
    );
    const latin = new URL(empty.url);
    latin.pathname = `/latin_${name}`;
    await expect(open({ url: latin.href })).rejects.toThrow(/encoding is LATIN1/);
    await runOn(postgres.url, `drop database "latin_${name}"`);
    await empty.drop();
  });
});
