import type { Database, Transaction } from '../database/database.ts';
import type { Clock } from '../lib/clock.ts';
import { firstIdAt, newId } from '../lib/id.ts';
import type { WotpEvent } from './types.ts';

/** Records events. Each is written by the transaction of the change it tells of, so that neither is without the other. */
export interface EventRecorder {
  record(trx: Transaction, event: WotpEvent): Promise<void>;
  /** Deletes up to `limit` events from before `time` (Unix ms), the oldest first; resolves to how many went. */
  forget(trx: Transaction, time: number, limit: number): Promise<number>;
}

export function eventRecorder(database: Database, clock: Clock): EventRecorder {
  interface Row {
    id: string;
    projectId: string;
    type: string;
    at: number;
    verificationId: string | null;
    messageId: string | null;
    data: string | null;
  }
  const insert = database.prepare<Row, unknown>((db, value) =>
    db.insertInto('events').values({
      id: value('id'),
      project_id: value('projectId'),
      type: value('type'),
      at: value('at'),
      verification_id: value('verificationId'),
      message_id: value('messageId'),
      data: value('data'),
    }),
  );
  const removeOldest = database.prepare<{ before: string; limit: number }, { id: string }>((db, value) =>
    db
      .deleteFrom('events')
      .where('id', 'in', (eb) =>
        eb
          .selectFrom('events')
          .select('id')
          .where('id', '<', value('before'))
          .orderBy('id')
          .limit(value('limit')),
      )
      .returning('id'),
  );

  return {
    async forget(trx, time, limit) {
      const removed = await removeOldest(trx, { before: firstIdAt('evt', time), limit });
      return removed.length;
    },

    async record(trx, event) {
      const at = clock.now();
      await insert(trx, {
        id: newId('evt', at),
        projectId: event.projectId,
        type: event.type,
        at,
        verificationId: 'verificationId' in event ? event.verificationId : null,
        messageId: 'messageId' in event ? event.messageId : null,
        data: event.data ? JSON.stringify(event.data) : null,
      });
    },
  };
}
