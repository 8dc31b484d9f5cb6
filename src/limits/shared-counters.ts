import { sql } from 'kysely';
import type { Database, Transaction } from '../database/database.ts';
import type { Clock } from '../lib/clock.ts';
import type { Count, Counters } from './counters.ts';

interface Waiting {
  limit: number;
  windowMs: number;
  resolve: (count: Count) => void;
  reject: (reason: unknown) => void;
}

interface Row {
  window_started_at: number;
  count: number;
}

/**
 * Request counters of several processes in one table of PostgreSQL: each count is one conditional statement there, so a
 * limit holds exactly, on however many nodes. Requests that come while a key is being counted are counted together
 * by the next statement, so that a busy key costs few of them.
 */
export function sharedCounters(database: Database, clock: Clock): Counters {
  const queues = new Map<string, Waiting[]>();

  // Its commit does not wait for the disk: a crash of the database server may forget the last counts, no more.
  const add = database.prepare<
    { key: string; now: number; requests: number; startedUntil: number; limit: number },
    Row
  >((db, value) => ({
    compile: () =>
      sql<Row>`insert into rate_limits as known (key, window_started_at, count)
        select ${value('key')}, ${value('now')}::bigint, ${value('requests')}::bigint
        where set_config('synchronous_commit', 'off', true) = 'off'
        on conflict (key) do update set
          window_started_at = case when known.window_started_at <= ${value('startedUntil')}::bigint
            then excluded.window_started_at else known.window_started_at end,
          count = case when known.window_started_at <= ${value('startedUntil')}::bigint
            then excluded.count else known.count + excluded.count end
        where known.window_started_at <= ${value('startedUntil')}::bigint or known.count < ${value('limit')}::bigint
        returning window_started_at, count`.compile(db),
  }));
  const read = database.prepare<{ key: string }, Row>((db, value) =>
    db.selectFrom('rate_limits').select(['window_started_at', 'count']).where('key', '=', value('key')),
  );
  const subtract = database.prepare<{ key: string; startedAt: number }, unknown>((db, value) =>
    db
      .updateTable('rate_limits')
      .set((eb) => ({ count: eb('count', '-', sql.lit(1)) }))
      .where('key', '=', value('key'))
      .where('window_started_at', '=', value('startedAt'))
      .where('count', '>', sql.lit(0)),
  );

  /** Counts the requests of a batch in their order. */
  async function count(trx: Transaction, key: string, batch: readonly Waiting[]): Promise<Count[]> {
    const now = clock.now();
    const { limit, windowMs } = batch[0]!;
    const requests = batch.length;
    const [counted] = await add(trx, { key, now, requests, startedUntil: now - windowMs, limit });
    const [found] = counted ? [counted] : await read(trx, { key });
    const row = found ?? { window_started_at: now, count: limit };
    const before = counted ? row.count - requests : row.count;
    return batch.map((request, i) => ({
      allowed: counted !== undefined && before + i < request.limit,
      remaining: Math.max(0, request.limit - before - i - 1),
      resetAt: row.window_started_at + request.windowMs,
    }));
  }

  async function drain(key: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.splice(0);
      try {
        const counts = await database.transaction((trx) => count(trx, key, batch));
        batch.forEach((request, i) => {
          request.resolve(counts[i]!);
        });
      } catch (error) {
        for (const request of batch) request.reject(error);
      }
    }
    queues.delete(key);
  }

  return {
    consume: (key, limit, windowMs) =>
      new Promise((resolve, reject) => {
        const request = { limit, windowMs, resolve, reject };
        const queue = queues.get(key);
        if (queue) {
          queue.push(request);
          return;
        }
        const started = [request];
        queues.set(key, started);
        void drain(key, started);
      }),

    async uncount(key, startedAt) {
      await database.transaction((trx) => subtract(trx, { key, startedAt }));
    },

    // Every count is written when it is made.
    async flush() {},

    async purge(longestWindowMs) {
      const oldest = clock.now() - longestWindowMs;
      await database.transaction(async (trx) => {
        await trx.deleteFrom('rate_limits').where('window_started_at', '<', oldest).execute();
      });
    },
  };
}
