import type { Database } from '../../database/database.ts';
import type { StoppedChats } from './sender-health.ts';

/** What a linked number has done today, and what WhatsApp holds against it. */
export interface SenderRecord {
  /** Days since 1970, in UTC. */
  day: number;
  sentToday: number;
  stopped: StoppedChats | undefined;
}

/** What has to be known again after a restart: who wrote to whom, and how much each number sent. */
export interface SendingMemory {
  /** When each linked number wrote to this phone last (Unix ms), by session id. */
  chatsWith(phone: string): Promise<Map<string, number>>;
  sender(sessionId: string): Promise<SenderRecord | undefined>;
  /** Keeps that a message was sent, with the state of its sender. */
  keepSent(sessionId: string, phone: string, at: number, record: SenderRecord): Promise<void>;
  keepSender(sessionId: string, record: SenderRecord): Promise<void>;
}

export function sendingMemory(database: Database): SendingMemory {
  const chatsWith = database.prepare<{ phone: string }, { session_id: string; last_wrote_at: number }>(
    (db, value) =>
      db
        .selectFrom('whatsapp_chats')
        .select(['session_id', 'last_wrote_at'])
        .where('phone', '=', value('phone')),
  );
  const keepChat = database.prepare<{ phone: string; sessionId: string; at: number }, unknown>((db, value) =>
    db
      .insertInto('whatsapp_chats')
      .values({ phone: value('phone'), session_id: value('sessionId'), last_wrote_at: value('at') })
      .onConflict((conflict) =>
        conflict
          .columns(['phone', 'session_id'])
          .doUpdateSet((eb) => ({ last_wrote_at: eb.ref('excluded.last_wrote_at') })),
      ),
  );
  type Row = {
    sessionId: string;
    day: number;
    sentToday: number;
    stoppedUntil: number | null;
    stops: number;
  };
  const keepSender = database.prepare<Row, unknown>((db, value) =>
    db
      .insertInto('whatsapp_senders')
      .values({
        session_id: value('sessionId'),
        day: value('day'),
        sent_today: value('sentToday'),
        stopped_until: value('stoppedUntil'),
        stops: value('stops'),
      })
      .onConflict((conflict) =>
        conflict.column('session_id').doUpdateSet((eb) => ({
          day: eb.ref('excluded.day'),
          sent_today: eb.ref('excluded.sent_today'),
          stopped_until: eb.ref('excluded.stopped_until'),
          stops: eb.ref('excluded.stops'),
        })),
      ),
  );
  const rowOf = (sessionId: string, { day, sentToday, stopped }: SenderRecord): Row => ({
    sessionId,
    day,
    sentToday,
    stoppedUntil: stopped?.until ?? null,
    stops: stopped?.stops ?? 0,
  });

  return {
    async chatsWith(phone) {
      const rows = await chatsWith(database.reader, { phone });
      return new Map(rows.map(({ session_id, last_wrote_at }) => [session_id, last_wrote_at]));
    },
    async sender(sessionId) {
      const row = await database.reader
        .selectFrom('whatsapp_senders')
        .selectAll()
        .where('session_id', '=', sessionId)
        .executeTakeFirst();
      if (!row) return undefined;
      const { day, sent_today: sentToday, stopped_until: until, stops } = row;
      return { day, sentToday, stopped: until === null ? undefined : { until, stops } };
    },
    async keepSent(sessionId, phone, at, record) {
      await database.transaction(async (trx) => {
        await keepChat(trx, { phone, sessionId, at });
        await keepSender(trx, rowOf(sessionId, record));
      });
    },
    async keepSender(sessionId, record) {
      await database.transaction(async (trx) => void (await keepSender(trx, rowOf(sessionId, record))));
    },
  };
}
