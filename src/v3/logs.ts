import type { Database, Transaction } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import type { V3LogEvent } from '../events/types.ts';
import type { Clock } from '../lib/clock.ts';

/** What v3 wrote when it had sent a message. */
const SENT_ACTION = 'otp_sent';

/** A line of v3's log, already masked. */
interface V3LogLine {
  /** Unix ms. */
  at: number;
  action: string;
  /** The beginning of the token's hash. */
  token?: string | undefined;
  phone?: string | undefined;
  /** 0 for the first of equal lines, 1 for the second …. */
  repeat: number;
}

/** v3's log as events of this server. */
export type V3Logs = ReturnType<typeof v3Logs>;

export function v3Logs({ database, clock }: { database: Database; clock: Clock }) {
  interface NewRow {
    projectId: number;
    type: string;
    at: number;
    data: string;
  }
  // v3's lines have no id, so a line is known by what it says: a unique index over just these events.
  const insert = database.prepare<NewRow, Pick<Schema['events'], 'at'>>((db, value) =>
    db
      .insertInto('events')
      .values({
        project_id: value('projectId'),
        type: value('type'),
        at: value('at'),
        data: value('data'),
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('at'),
  );

  return {
    /**
     * Writes the lines that are not here yet as events with their own time and returns how many. A line that lies in
     * the future is left.
     */
    async take(trx: Transaction, projectId: number, lines: readonly V3LogLine[]): Promise<number> {
      let taken = 0;
      const now = clock.now();
      for (const { at, action, token, phone, repeat } of lines) {
        if (at > now) continue;
        const type: V3LogEvent['type'] = action === SENT_ACTION ? 'v3.otp_sent' : 'v3.logged';
        const data: V3LogEvent['data'] = { action, token, phone, ...(repeat > 0 ? { repeat } : {}) };
        const rows = await insert(trx, { projectId, type, at, data: JSON.stringify(data) });
        taken += rows.length;
      }
      return taken;
    },
  };
}
