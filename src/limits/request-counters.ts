import type { Database } from '../database/database.ts';
import type { Clock } from '../lib/clock.ts';
import type { Count } from './counters.ts';

interface Window {
  startedAt: number;
  windowMs: number;
  count: number;
  dirty: boolean;
}

/**
 * Requests counted in fixed windows. Checking and counting is one step in memory, so parallel requests cannot slip
 * through; the counts are written behind the requests (`flush`) and read back at start, so a restart forgets none
 * that was written.
 */
export type RequestCounters = ReturnType<typeof requestCounters>;

export function requestCounters(database: Database, clock: Clock) {
  const windows = new Map<string, Window>();
  const upsert = database.prepare<{ key: string; startedAt: number; count: number }, unknown>((db, value) =>
    db
      .insertInto('rate_limits')
      .values({ key: value('key'), window_started_at: value('startedAt'), count: value('count') })
      .onConflict((conflict) =>
        conflict.column('key').doUpdateSet((eb) => ({
          window_started_at: eb.ref('excluded.window_started_at'),
          count: eb.ref('excluded.count'),
        })),
      ),
  );

  function current(key: string, windowMs: number): Window {
    const now = clock.now();
    const known = windows.get(key);
    if (known && now < known.startedAt + windowMs) return Object.assign(known, { windowMs });
    const fresh = { startedAt: now, windowMs, count: 0, dirty: false };
    windows.set(key, fresh);
    return fresh;
  }

  async function write(changed: readonly [key: string, Window][]): Promise<void> {
    try {
      await database.transaction(async (trx) => {
        for (const [key, window] of changed) {
          // Before the write: what is counted from here on makes the window dirty again.
          window.dirty = false;
          await upsert(trx, { key, startedAt: window.startedAt, count: window.count });
        }
      });
    } catch (error) {
      for (const [, window] of changed) window.dirty = true;
      throw error;
    }
  }

  return {
    /** Counts one request against `limit` a window, if it still fits. */
    consume(key: string, limit: number, windowMs: number): Count {
      const window = current(key, windowMs);
      const allowed = window.count < limit;
      if (allowed) {
        window.count += 1;
        window.dirty = true;
      }
      return { allowed, remaining: Math.max(0, limit - window.count), resetAt: window.startedAt + windowMs };
    },

    /** Takes back one count of the window that began at `startedAt`, unless another has begun. */
    uncount(key: string, startedAt: number): void {
      const window = windows.get(key);
      if (!window || window.startedAt !== startedAt || window.count === 0) return;
      window.count -= 1;
      window.dirty = true;
    },

    /** Writes what changed, one row a counter however often it was counted, and forgets windows that are over. */
    async flush(): Promise<void> {
      const now = clock.now();
      const changed = [...windows].filter(([, window]) => window.dirty);
      if (changed.length > 0) await write(changed);
      for (const [key, window] of windows) {
        if (!window.dirty && now >= window.startedAt + window.windowMs) windows.delete(key);
      }
    },

    /** Deletes the rows that no window of this length can still need. */
    async purge(longestWindowMs: number): Promise<void> {
      const oldest = clock.now() - longestWindowMs;
      await database.transaction(async (trx) => {
        await trx.deleteFrom('rate_limits').where('window_started_at', '<', oldest).execute();
      });
    },

    /** Reads the counts of an earlier run, whose windows are at most this long. */
    async load(longestWindowMs: number): Promise<void> {
      const rows = await database.reader
        .selectFrom('rate_limits')
        .selectAll()
        .where('window_started_at', '>=', clock.now() - longestWindowMs)
        .execute();
      for (const row of rows) {
        windows.set(row.key, {
          startedAt: row.window_started_at,
          windowMs: longestWindowMs,
          count: row.count,
          dirty: false,
        });
      }
    },
  };
}
