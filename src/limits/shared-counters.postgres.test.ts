import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createPostgres, type TestPostgres } from '../../test/support/postgres.ts';
import { type TestClock, testClock } from '../../test/support/test-clock.ts';
import type { Database } from '../database/database.ts';
import { openPostgres } from '../database/postgres/open.ts';
import type { Counters } from './counters.ts';
import { sharedCounters } from './shared-counters.ts';

const WINDOW_MS = 60_000;

let postgres: TestPostgres;
let database: Database;
let clock: TestClock;
/** Two processes that share nothing but the database. */
let counters: Counters;
let others: Counters;

beforeAll(async () => {
  postgres = await createPostgres();
  database = await openPostgres({ url: postgres.url, poolSize: 3 });
});
afterAll(async () => {
  await database.close();
  await postgres.drop();
});
beforeEach(async () => {
  await database.transaction(async (trx) => void (await trx.deleteFrom('rate_limits').execute()));
  clock = testClock();
  counters = sharedCounters(database, clock);
  others = sharedCounters(database, clock);
});

const stored = () => database.reader.selectFrom('rate_limits').selectAll().orderBy('key').execute();

/** A database whose transactions are counted, and fail while `broken`. */
function watched() {
  const watch = { transactions: 0, broken: false };
  const transaction: Database['transaction'] = async (work) => {
    watch.transactions += 1;
    if (watch.broken) throw new Error('no connection');
    return database.transaction(work);
  };
  return {
    watch,
    own: sharedCounters(Object.create(database, { transaction: { value: transaction } }), clock),
  };
}

describe('counting, by whichever process', () => {
  test('allows as many as the limit, and tells what is left and until when', async () => {
    const resetAt = clock.now() + WINDOW_MS;
    const counts = [];
    for (const own of [counters, others, counters, others]) {
      counts.push(await own.consume('key:a', 3, WINDOW_MS));
      clock.set(clock.now() + 1);
    }
    expect(counts).toEqual([
      { allowed: true, remaining: 2, resetAt },
      { allowed: true, remaining: 1, resetAt },
      { allowed: true, remaining: 0, resetAt },
      { allowed: false, remaining: 0, resetAt },
    ]);
  });

  test('begins again when the window is over, to the millisecond', async () => {
    await counters.consume('key:a', 1, WINDOW_MS);
    clock.set(clock.now() + WINDOW_MS - 1);
    expect(await others.consume('key:a', 1, WINDOW_MS)).toMatchObject({ allowed: false });
    clock.set(clock.now() + 1);
    expect(await others.consume('key:a', 1, WINDOW_MS)).toEqual({
      allowed: true,
      remaining: 0,
      resetAt: clock.now() + WINDOW_MS,
    });
  });

  test('is apart for each key', async () => {
    await counters.consume('key:a', 1, WINDOW_MS);
    expect(await counters.consume('key:b', 1, WINDOW_MS)).toMatchObject({ allowed: true });
  });

  test('of what comes at once is done in its order, and lets exactly the limit through', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 40 }, (_, i) => [counters, others][i % 2]!.consume('key:a', 25, WINDOW_MS)),
    );
    expect(outcomes.filter(({ allowed }) => allowed)).toHaveLength(25);
    for (const own of [0, 1]) {
      const mine = outcomes.filter((_, i) => i % 2 === own).map(({ allowed }) => allowed);
      expect(mine).toEqual([...mine].sort((a, b) => Number(b) - Number(a)));
    }
    const remaining = outcomes.map((count) => count.remaining);
    expect([...remaining].sort((a, b) => b - a)).toEqual(
      [...Array(25).keys()].reverse().concat(Array(15).fill(0)),
    );
  });

  test('of what comes while a key is being counted takes one transaction more', async () => {
    const { watch, own } = watched();
    const counts = await Promise.all(Array.from({ length: 10 }, () => own.consume('key:a', 4, WINDOW_MS)));
    expect(watch.transactions).toBe(2);
    expect(counts.map(({ allowed, remaining }) => [allowed, remaining])).toEqual([
      [true, 3],
      [true, 2],
      [true, 1],
      [true, 0],
      ...Array(6).fill([false, 0]),
    ]);
    expect(await own.consume('key:a', 4, WINDOW_MS)).toMatchObject({ allowed: false, remaining: 0 });
    expect(watch.transactions).toBe(3);
  });

  test('that fails is refused by that, for all that came with it, and goes on when the database does', async () => {
    const { watch, own } = watched();
    watch.broken = true;
    const results = await Promise.allSettled([1, 2, 3].map(() => own.consume('key:a', 5, WINDOW_MS)));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    watch.broken = false;
    expect(await own.consume('key:a', 5, WINDOW_MS)).toMatchObject({ allowed: true, remaining: 4 });
  });

  test('follows a limit and a window that change', async () => {
    const begun = clock.now();
    for (let i = 0; i < 5; i++) await counters.consume('key:a', 5, WINDOW_MS);
    expect(await others.consume('key:a', 4, WINDOW_MS)).toMatchObject({ allowed: false, remaining: 0 });
    expect(await others.consume('key:a', 7, 2 * WINDOW_MS)).toEqual({
      allowed: true,
      remaining: 1,
      resetAt: begun + 2 * WINDOW_MS,
    });
  });
});

describe('a count', () => {
  test('can be taken back by any process, but not below none, and not from another window', async () => {
    const startedAt = clock.now();
    await counters.consume('key:a', 1, WINDOW_MS);
    await others.uncount('key:a', startedAt - 1);
    expect(await stored()).toEqual([{ key: 'key:a', window_started_at: startedAt, count: 1 }]);
    await others.uncount('key:a', startedAt);
    await others.uncount('key:a', startedAt);
    expect(await stored()).toEqual([{ key: 'key:a', window_started_at: startedAt, count: 0 }]);
    expect(await counters.consume('key:a', 1, WINDOW_MS)).toMatchObject({ allowed: true });
  });

  test('is written when it is made: nothing is left to be written', async () => {
    await counters.consume('key:a', 5, WINDOW_MS);
    const before = await stored();
    await counters.flush();
    expect(await stored()).toEqual(before);
    expect(before).toMatchObject([{ key: 'key:a', count: 1 }]);
  });

  test('is deleted when no window can need it any more', async () => {
    await counters.consume('key:a', 5, WINDOW_MS);
    clock.set(clock.now() + WINDOW_MS);
    await counters.purge(WINDOW_MS);
    expect(await stored()).toHaveLength(1);
    clock.set(clock.now() + 1);
    await counters.purge(WINDOW_MS);
    expect(await stored()).toEqual([]);
  });

  test('whose row vanishes before it is read is refused', async () => {
    await counters.consume('key:a', 1, WINDOW_MS);
    // Another process purges between the two statements.
    const prepare: Database['prepare'] = (build) => {
      const run = database.prepare(build);
      return async (executor, params) => {
        const rows = await run(executor, params);
        return Object.keys(params as object).length === 1 ? [] : rows;
      };
    };
    const vanishing = Object.create(database, { prepare: { value: prepare } });
    const count = await sharedCounters(vanishing, clock).consume('key:a', 1, WINDOW_MS);
    expect(count).toEqual({ allowed: false, remaining: 0, resetAt: clock.now() + WINDOW_MS });
  });
});
