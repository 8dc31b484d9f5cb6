import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type TestClock, testClock } from '../../test/support/test-clock.ts';
import { openTestDatabase } from '../../test/support/test-database.ts';
import type { Database } from '../database/database.ts';
import { type RequestCounters, requestCounters } from './request-counters.ts';

const WINDOW_MS = 60_000;

let database: Database;
let close: () => Promise<void>;
let clock: TestClock;
let counters: RequestCounters;

beforeAll(async () => {
  ({ database, close } = await openTestDatabase());
});
afterAll(() => close());
beforeEach(async () => {
  await database.transaction(async (trx) => {
    await trx.deleteFrom('rate_limits').execute();
  });
  clock = testClock();
  counters = requestCounters(database, clock);
});

const stored = () => database.reader.selectFrom('rate_limits').selectAll().orderBy('key').execute();

/** Changes a row behind the counters, so that their writing it again would show. */
const storeElsewhere = (key: string, count: number) =>
  database.transaction(async (trx) => {
    await trx.updateTable('rate_limits').set({ count }).where('key', '=', key).execute();
  });

/** The counters as another process finds them. */
async function restarted(longestWindowMs = WINDOW_MS): Promise<RequestCounters> {
  const again = requestCounters(database, clock);
  await again.load(longestWindowMs);
  return again;
}

describe('counting', () => {
  test('allows as many as the limit, and tells what is left and until when', () => {
    const resetAt = clock.now() + WINDOW_MS;
    expect([1, 2, 3, 4].map(() => counters.consume('key:a', 3, WINDOW_MS))).toEqual([
      { allowed: true, remaining: 2, resetAt },
      { allowed: true, remaining: 1, resetAt },
      { allowed: true, remaining: 0, resetAt },
      { allowed: false, remaining: 0, resetAt },
    ]);
  });

  test('begins anew when the window is over, to the millisecond', () => {
    counters.consume('key:a', 1, WINDOW_MS);
    clock.set(clock.now() + WINDOW_MS - 1);
    expect(counters.consume('key:a', 1, WINDOW_MS).allowed).toBe(false);
    clock.set(clock.now() + 1);
    expect(counters.consume('key:a', 1, WINDOW_MS)).toEqual({
      allowed: true,
      remaining: 0,
      resetAt: clock.now() + WINDOW_MS,
    });
  });

  test('is apart for each key', () => {
    counters.consume('key:a', 1, WINDOW_MS);
    expect(counters.consume('key:b', 1, WINDOW_MS).allowed).toBe(true);
  });

  test('of a refused one does not count', () => {
    for (let i = 0; i < 5; i++) counters.consume('key:a', 2, WINDOW_MS);
    expect(counters.consume('key:a', 3, WINDOW_MS)).toMatchObject({ allowed: true, remaining: 0 });
  });

  test('follows a limit and a window that change', () => {
    const begun = clock.now();
    for (let i = 0; i < 5; i++) counters.consume('key:a', 5, WINDOW_MS);
    expect(counters.consume('key:a', 4, WINDOW_MS)).toMatchObject({ allowed: false, remaining: 0 });
    expect(counters.consume('key:a', 6, 2 * WINDOW_MS)).toEqual({
      allowed: true,
      remaining: 0,
      resetAt: begun + 2 * WINDOW_MS,
    });
  });

  test('can be taken back, but not below none', () => {
    const startedAt = clock.now();
    counters.consume('key:a', 1, WINDOW_MS);
    counters.uncount('key:a', startedAt);
    counters.uncount('key:a', startedAt);
    counters.uncount('key:unknown', startedAt);
    expect(counters.consume('key:a', 1, WINDOW_MS).allowed).toBe(true);
    expect(counters.consume('key:a', 1, WINDOW_MS).allowed).toBe(false);
  });

  test('that is taken back after its window has ended leaves the next window alone', () => {
    const startedAt = clock.now();
    counters.consume('key:a', 1, WINDOW_MS);
    clock.set(startedAt + WINDOW_MS);
    counters.consume('key:a', 1, WINDOW_MS);
    counters.uncount('key:a', startedAt);
    expect(counters.consume('key:a', 1, WINDOW_MS).allowed).toBe(false);
  });

  test('in whatever order, lets no window through more than its limit', () => {
    const acts = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.constant<'take' | number>('take') },
        { weight: 1, arbitrary: fc.integer({ min: 0, max: WINDOW_MS }) as fc.Arbitrary<'take' | number> },
      ),
      { maxLength: 80, size: 'max' },
    );
    fc.assert(
      fc.property(acts, fc.integer({ min: 1, max: 6 }), (happening, limit) => {
        const own = requestCounters(database, clock);
        const windows = new Map<number, number>();
        for (const act of happening) {
          if (act !== 'take') {
            clock.set(clock.now() + act);
            continue;
          }
          const { allowed, resetAt } = own.consume('key', limit, WINDOW_MS);
          expect(resetAt).toBeGreaterThan(clock.now());
          expect(resetAt).toBeLessThanOrEqual(clock.now() + WINDOW_MS);
          if (allowed) windows.set(resetAt, (windows.get(resetAt) ?? 0) + 1);
        }
        for (const count of windows.values()) expect(count).toBeLessThanOrEqual(limit);
        const ends = [...windows.keys()].sort((a, b) => a - b);
        ends.slice(1).forEach((end, i) => {
          expect(end - ends[i]!).toBeGreaterThanOrEqual(WINDOW_MS);
        });
      }),
    );
  });
});

describe('over a restart', () => {
  test('what was written counts on, in the same window', async () => {
    const { resetAt } = counters.consume('key:a', 5, WINDOW_MS);
    counters.consume('key:a', 5, WINDOW_MS);
    await counters.flush();
    clock.set(clock.now() + 10_000);
    const again = await restarted();
    expect(again.consume('key:a', 5, WINDOW_MS)).toEqual({ allowed: true, remaining: 2, resetAt });
  });

  test('a window that was shorter than the longest is as long as it was', async () => {
    counters.consume('address:a', 1, 1_000);
    await counters.flush();
    clock.set(clock.now() + 1_000);
    const again = await restarted();
    expect(again.consume('address:a', 1, 1_000).allowed).toBe(true);
  });

  test('what no window can need any more is gone', async () => {
    counters.consume('key:old', 5, WINDOW_MS);
    await counters.flush();
    clock.set(clock.now() + WINDOW_MS + 1);
    const again = await restarted();
    await again.purge(WINDOW_MS);
    expect(await stored()).toEqual([]);
    expect(again.consume('key:old', 1, WINDOW_MS).allowed).toBe(true);
  });
});

test('rows that a window can still need are not deleted', async () => {
  counters.consume('key:a', 5, WINDOW_MS);
  await counters.flush();
  clock.set(clock.now() + WINDOW_MS);
  await counters.purge(WINDOW_MS);
  expect(await stored()).toHaveLength(1);
  clock.set(clock.now() + 1);
  await counters.purge(WINDOW_MS);
  expect(await stored()).toEqual([]);
});

describe('writing', () => {
  test('takes one row a counter, however often it was counted', async () => {
    for (let i = 0; i < 50; i++) counters.consume('key:a', 100, WINDOW_MS);
    counters.consume('key:b', 100, WINDOW_MS);
    const window_started_at = clock.now();
    await counters.flush();
    expect(await stored()).toEqual([
      { key: 'key:a', window_started_at, count: 50 },
      { key: 'key:b', window_started_at, count: 1 },
    ]);
  });

  test('replaces what an earlier window has left', async () => {
    counters.consume('key:a', 100, WINDOW_MS);
    await counters.flush();
    clock.set(clock.now() + WINDOW_MS);
    counters.consume('key:a', 100, WINDOW_MS);
    counters.consume('key:a', 100, WINDOW_MS);
    await counters.flush();
    expect(await stored()).toEqual([{ key: 'key:a', window_started_at: clock.now(), count: 2 }]);
  });

  test('loses nothing that is counted while it writes', async () => {
    // Counts go on for a few turns of the promise queue more each time, so one of them falls between any two steps.
    for (let turns = 1; turns <= 60; turns++) {
      const key = `key:${turns}`;
      counters.consume(key, 100, WINDOW_MS);
      const counting = database.transaction(async () => {
        void (async () => {
          for (let turn = 0; turn < turns; turn++) {
            await undefined;
            counters.consume(key, 100, WINDOW_MS);
          }
        })();
      });
      await Promise.all([counting, counters.flush()]);
      await counters.flush();
      expect((await stored()).find((row) => row.key === key)?.count, key).toBe(turns + 1);
    }
  });

  test('that failed is done by the next', async () => {
    const failing: Database = {
      ...database,
      reader: database.reader,
      waitingWrites: 0,
      transaction: () => Promise.reject(new Error('disk full')),
    };
    const own = requestCounters(failing, clock);
    own.consume('key:a', 100, WINDOW_MS);
    await expect(own.flush()).rejects.toThrow('disk full');
    failing.transaction = database.transaction;
    await own.flush();
    expect(await stored()).toMatchObject([{ key: 'key:a', count: 1 }]);
  });

  test('of nothing does not come to the database', async () => {
    const transactions: unknown[] = [];
    const watched: Database = Object.create(database, {
      transaction: { value: (...of: unknown[]) => transactions.push(of) },
    });
    const own = requestCounters(watched, clock);
    own.consume('key:a', 0, WINDOW_MS);
    await own.flush();
    expect(transactions).toEqual([]);
  });

  test('leaves alone what has not changed since it was written or read', async () => {
    counters.consume('key:a', 5, WINDOW_MS);
    await counters.flush();
    counters.consume('key:none', 0, WINDOW_MS);
    const again = await restarted();
    await storeElsewhere('key:a', 77);
    for (const own of [counters, again]) {
      own.consume('key:b', 5, WINDOW_MS);
      await own.flush();
    }
    expect(await stored()).toMatchObject([
      { key: 'key:a', count: 77 },
      { key: 'key:b', count: 1 },
    ]);
  });

  test('takes what is given back along, unless the window was over when it was written', async () => {
    const startedAt = clock.now();
    counters.consume('key:a', 5, WINDOW_MS);
    await counters.flush();
    counters.uncount('key:a', startedAt);
    await counters.flush();
    expect(await stored()).toMatchObject([{ key: 'key:a', count: 0 }]);

    counters.consume('key:a', 5, WINDOW_MS);
    clock.set(startedAt + WINDOW_MS);
    await counters.flush();
    counters.uncount('key:a', startedAt);
    await counters.flush();
    expect(await stored()).toMatchObject([{ key: 'key:a', count: 1 }]);
  });

  test('forgets no window before it is over, also where it has become longer', async () => {
    const startedAt = clock.now();
    counters.consume('key:a', 5, WINDOW_MS);
    counters.consume('key:b', 5, WINDOW_MS);
    counters.consume('key:b', 5, 2 * WINDOW_MS);
    for (const passed of [WINDOW_MS - 1, WINDOW_MS, 2 * WINDOW_MS - 1]) {
      clock.set(startedAt + passed);
      await counters.flush();
    }
    expect(counters.consume('key:b', 5, 2 * WINDOW_MS).remaining).toBe(2);
    clock.set(startedAt + WINDOW_MS - 1);
    expect(counters.consume('key:a', 5, WINDOW_MS).remaining).toBe(4);
  });
});
