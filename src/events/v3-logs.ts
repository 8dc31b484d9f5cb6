import type { Database, Transaction } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import type { Clock } from '../lib/clock.ts';
import { idOfContent } from '../lib/id.ts';
import type { V3LogEvent } from './types.ts';

/** What v3 wrote when it had sent a message. */
const SENT_ACTION = 'otp_sent';

/** A line of v3's log, already masked. */
export interface V3LogLine {
  /** Unix ms. */
  at: number;
  action: string;
  tokenHash?: string | undefined;
  /** The key that the token has become. */
  keyId?: string | undefined;
  phone?: string | undefined;
  /** 0 for the first of equal lines, 1 for the second …. */
  repeat: number;
}

/** v3's log as events of this server. */
export type V3Logs = ReturnType<typeof v3Logs>;

export function v3Logs({ database, clock }: { database: Database; clock: Clock }) {
  interface NewRow {
    id: string;
    projectId: string;
    type: string;
    at: number;
    data: string;
  }
  const insert = database.prepare<NewRow, Pick<Schema['events'], 'id'>>((db, value) =>
    db
      .insertInto('events')
      .values({
        id: value('id'),
        project_id: value('projectId'),
        type: value('type'),
        at: value('at'),
        data: value('data'),
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id'),
  );

  return {
    /**
     * Writes the lines that are not here yet as events with their own time and returns how many. A line that lies in
     * the future is left: its event would come before all that really happens.
     */
    async take(trx: Transaction, projectId: string, lines: readonly V3LogLine[]): Promise<number> {
      let taken = 0;
      const now = clock.now();
      for (const { at, action, tokenHash, keyId, phone, repeat } of lines) {
        if (at > now) continue;
        const type: V3LogEvent['type'] = action === SENT_ACTION ? 'v3.otp_sent' : 'v3.logged';
        const data: V3LogEvent['data'] = { action, keyId, phone };
        // v3's lines have no id; what they say gives them one, so that none is written twice. Without the key's id,
        // which a token may get only in a later run.
        const content = JSON.stringify(['v3 log', projectId, at, action, tokenHash, phone, repeat]);
        const id = idOfContent('evt', at, content);
        const rows = await insert(trx, { id, projectId, type, at, data: JSON.stringify(data) });
        taken += rows.length;
      }
      return taken;
    },
  };
}
