import { sql } from 'kysely';
import type { Database } from '../database/database.ts';

/** Finds rows by their time without an index: numbers are drawn in the order of time. */
export function timeIndex({ reader }: Database) {
  async function from(table: 'events' | 'audit_log', seq: number) {
    // What was imported from v3 has times of its own.
    const isOwn = table === 'events' ? sql`type not in ('v3.otp_sent', 'v3.logged')` : sql`true`;
    const { rows } = await sql<{ seq: number; at: number }>`
      select seq, at from ${sql.table(table)} where seq >= ${seq} and ${isOwn}
      order by seq limit 1`.execute(reader);
    return rows[0];
  }

  return {
    /** The number of the first row that was recorded at `time` (Unix ms) or later; one more than any where there is none. */
    async firstFrom(table: 'events' | 'audit_log', time: number): Promise<number> {
      const { rows } = await sql<{ seq: number | null }>`
        select max(seq) as seq from ${sql.table(table)}`.execute(reader);
      let [low, high] = [0, (rows[0]?.seq ?? 0) + 1];
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        const row = await from(table, middle);
        if (row && row.at < time) low = row.seq + 1;
        else high = middle;
      }
      return low;
    },
  };
}
