import type { Database, Transaction } from '../database/database.ts';
import type { Clock } from '../lib/clock.ts';
import type { WotpEvent } from './types.ts';

/** Records events. Each is written by the transaction of the change it tells of, so that neither is without the other. */
export interface EventRecorder {
  record(trx: Transaction, event: WotpEvent): Promise<void>;
}

export function eventRecorder(database: Database, clock: Clock): EventRecorder {
  interface Row {
    projectId: string;
    type: string;
    at: number;
    verificationId: string | null;
    messageId: string | null;
    data: string | null;
  }
  const insert = database.prepare<Row, unknown>((db, value) =>
    db.insertInto('events').values({
      project_id: value('projectId'),
      type: value('type'),
      at: value('at'),
      verification_id: value('verificationId'),
      message_id: value('messageId'),
      data: value('data'),
    }),
  );

  return {
    async record(trx, event) {
      await insert(trx, {
        projectId: event.projectId,
        type: event.type,
        at: clock.now(),
        verificationId: 'verificationId' in event ? event.verificationId : null,
        messageId: 'messageId' in event ? event.messageId : null,
        data: event.data ? JSON.stringify(event.data) : null,
      });
    },
  };
}
