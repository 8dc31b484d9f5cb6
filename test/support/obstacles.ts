import { sql } from 'kysely';
import type { Database } from '../../src/database/database.ts';
import { ENGINE } from './engine.ts';

async function run(database: Database, statement: string): Promise<void> {
  await database.transaction(async (trx) => void (await sql.raw(statement).execute(trx)));
}

/** Lets every insert or update of a table fail with these words; resolves to what makes the table whole again. */
export async function breakTable(
  database: Database,
  change: 'insert' | 'update',
  table: string,
  words: string,
): Promise<() => Promise<void>> {
  if (ENGINE === 'wodb') {
    const body = `begin select raise(abort, '${words}'); end`;
    await run(database, `create trigger broken before ${change} on ${table} ${body}`);
    return () => run(database, 'drop trigger broken');
  }
  const body = `begin raise exception '${words}'; end`;
  await run(database, `create function broken() returns trigger language plpgsql as $$ ${body} $$`);
  await run(
    database,
    `create trigger broken before ${change} on ${table} for each row execute function broken()`,
  );
  return () => run(database, 'drop function broken cascade');
}

/** A transaction that holds every later send back until it is released. */
export interface HeldWrites {
  /** Resolves when so many sends wait. */
  waiting(count: number): Promise<void>;
  release(): Promise<void>;
}

/** Holds every later send back. On PostgreSQL there have to be connections enough for all of them to wait. */
export async function holdWrites(database: Database): Promise<HeldWrites> {
  let release = () => {};
  let entered = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const inside = new Promise<void>((resolve) => {
    entered = resolve;
  });
  const barrier = database.transaction(async (trx) => {
    if (ENGINE === 'postgres') await sql`lock table verifications in share row exclusive mode`.execute(trx);
    entered();
    await held;
  });
  await inside;
  return {
    async waiting(count) {
      while ((await waitingSends(database)) < count) await new Promise((resolve) => setImmediate(resolve));
    },
    async release() {
      release();
      await barrier;
    },
  };
}

async function waitingSends(database: Database): Promise<number> {
  if (ENGINE === 'wodb') return database.waitingWrites;
  const query = sql<{ count: number }>`select count(*) from pg_locks where not granted
    and relation = 'verifications'::regclass and database = (select oid from pg_database where datname = current_database())`;
  const { rows } = await query.execute(database.reader);
  return rows[0]!.count;
}
