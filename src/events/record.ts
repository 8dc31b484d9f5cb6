import { sql } from 'kysely';
import { type AuditKeys, insertAct } from '../database/acts.ts';
import type { Database, Transaction } from '../database/database.ts';
import type { Clock } from '../lib/clock.ts';
import { EVENTS } from './catalogue.ts';
import type { WotpEvent } from './types.ts';

/** Records events. Each is written by the transaction of the change it tells of, so that neither is without the other. */
export interface EventRecorder {
  /** One that states who did it (`by`) is an administrative act and is written into the audit log as well. */
  record(trx: Transaction, event: WotpEvent): Promise<void>;
  /** Calls `listener` with every event of this process once it is committed, until the returned function is called. */
  onCommit(listener: (event: WotpEvent) => void): () => void;
  /** When a verification or a message last changed (Unix ms); 0 when none ever did. */
  latestChangeAt(): Promise<number>;
  /** Deletes up to `limit` events from before `time` (Unix ms), the oldest first; resolves to how many went. */
  forget(trx: Transaction, time: number, limit: number): Promise<number>;
}

/** So many of the oldest events are looked at for those that are over; what was brought along is not in order. */
const OLDEST_ROWS = 5_000;

/** @param keys authenticate the lines of the audit log; needed where acts are recorded */
export function eventRecorder(database: Database, clock: Clock, keys?: AuditKeys): EventRecorder {
  interface Row {
    projectId: number | null;
    type: string;
    at: number;
    subject: string | null;
    messageId: string | null;
    data: string | null;
  }
  const insert = database.prepareChange<Row>((db, value) =>
    db.insertInto('events').values({
      project_id: value('projectId'),
      type: value('type'),
      at: value('at'),
      subject: value('subject'),
      message_id: value('messageId'),
      data: value('data'),
    }),
  );
  // The oldest rows only are looked at, so that nothing is read where nothing is over. The newest stays: its number
  // must not be given out again.
  const removeOldest = database.prepare<{ before: number; limit: number }, { seq: number }>((db, value) =>
    db
      .deleteFrom('events')
      .where('seq', 'in', (eb) =>
        eb
          .selectFrom(
            eb
              .selectFrom('events')
              .select(['seq', 'at'])
              .orderBy('seq')
              .limit(sql.lit(OLDEST_ROWS))
              .as('oldest'),
          )
          .select('oldest.seq')
          .where('oldest.at', '<', value('before'))
          .limit(value('limit')),
      )
      .where('seq', '<', (eb) => eb.selectFrom('events').select(eb.fn.max('seq').as('newest')))
      .returning('seq'),
  );

  const listeners = new Set<(event: WotpEvent) => void>();

  return {
    onCommit(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },

    async latestChangeAt() {
      const newest = await database.reader
        .selectFrom('events')
        .select('at')
        .where((eb) => eb.or([eb('type', 'like', 'otp.%'), eb('message_id', 'is not', null)]))
        .orderBy('seq', 'desc')
        .limit(1)
        .executeTakeFirst();
      return newest?.at ?? 0;
    },

    async forget(trx, time, limit) {
      const removed = await removeOldest(trx, { before: time, limit });
      return removed.length;
    },

    async record(trx, event) {
      if (listeners.size > 0) {
        database.afterCommit(trx, () => {
          for (const listener of listeners) listener(event);
        });
      }
      const projectId = isOfInstallation(event) ? null : event.projectId;
      if ('by' in event && event.by !== undefined) {
        if (!keys) throw new Error('This recorder has no keys for the audit log.');
        const { type, data, by, before, after, phone } = event;
        const at = clock.now();
        await insertAct(trx, keys, {
          projectId,
          type,
          at,
          subject: subjectOf(event),
          data,
          by,
          before,
          after,
          phone,
        });
        return;
      }
      await insert(trx, {
        projectId,
        type: event.type,
        at: clock.now(),
        subject: subjectOf(event),
        messageId: 'messageId' in event ? event.messageId : null,
        data: event.data ? JSON.stringify(event.data) : null,
      });
    },
  };
}

/** Whether only administrators see an event: by its type, or because it names no project. */
const isOfInstallation = ({ type, projectId }: WotpEvent) =>
  EVENTS[type].scope === 'installation' || projectId === 0;

/** The id of what an event is about; null where its type says it all. */
function subjectOf(event: WotpEvent): string | null {
  if ('verificationId' in event) return event.verificationId;
  if ('ownerId' in event) return event.ownerId;
  if ('scheduleId' in event) return event.scheduleId;
  const { data } = event;
  if ('keyId' in data) return data.keyId;
  if ('bulkId' in data) return data.bulkId;
  if ('testNumberId' in data) return data.testNumberId;
  if ('webhookId' in data) return data.webhookId;
  if ('template' in data) return data.template;
  if ('project' in data) return data.project;
  return 'sessionId' in data ? (data.sessionId ?? null) : null;
}
