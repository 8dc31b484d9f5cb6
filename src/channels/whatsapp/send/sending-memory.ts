import type { Troubles } from '../../../background/troubles.ts';
import type { Database, Transaction } from '../../../database/database.ts';
import type { Clock, Timer } from '../../../lib/clock.ts';
import { MINUTE_MS } from '../../../lib/duration.ts';
import type { Pace } from './pacing.ts';
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
  /** What is known of a linked number (E.164), whichever session it was linked in. */
  sender(number: string): Promise<SenderRecord | undefined>;
  /** Where a linked number stands with its rate, while the process lives. */
  readonly paces: Map<string, Pace>;
  /**
   * Keeps that a message was sent by this number of a session, with the state of the number. It is known at once and written a moment later with
   * what else was sent, as losing it in a crash does little harm. `before` is when this number wrote to this phone the
   * time before; only a time that is old is replaced.
   */
  keepSent(
    sent: { sessionId: string; number: string; phone: string; at: number; before: number | undefined },
    record: SenderRecord,
  ): void;
  /** Writes what is not written yet. */
  flush(): Promise<void>;
  keepSender(sender: SenderIdentity, record: SenderRecord): Promise<void>;
}

/** A linked number (E.164), and the session it sends in. */
interface SenderIdentity {
  sessionId: string;
  number: string;
}

/** How long what was sent is gathered before it is written, in ms. */
const GATHER_MS = 250;
/** How exactly it is kept when somebody was written to last, in ms. */
const PRECISION_MS = MINUTE_MS;

/** What may fail again and again, by its name in the log. */
const RECORD_CHATS = 'recording who was written to';

/** @param holds whether this process drives a session, in the transaction of a write for it; other writes are left out */
export function sendingMemory(
  database: Database,
  clock: Clock,
  troubles: Troubles,
  holds: (trx: Transaction, sessionId: string) => Promise<boolean>,
): SendingMemory {
  /** By phone and session, what is not on disk yet. */
  const chats = new Map<string, Map<string, number>>();
  /** By session. */
  const records = new Map<string, SenderRecord & { number: string }>();
  let timer: Timer | undefined;
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
    phone: string;
    day: number;
    sentToday: number;
    stoppedUntil: number | null;
    stops: number;
  };
  const keepSender = database.prepare<Row, unknown>((db, value) =>
    db
      .insertInto('whatsapp_senders')
      .values({
        phone: value('phone'),
        day: value('day'),
        sent_today: value('sentToday'),
        stopped_until: value('stoppedUntil'),
        stops: value('stops'),
      })
      .onConflict((conflict) =>
        conflict.column('phone').doUpdateSet((eb) => ({
          day: eb.ref('excluded.day'),
          sent_today: eb.ref('excluded.sent_today'),
          stopped_until: eb.ref('excluded.stopped_until'),
          stops: eb.ref('excluded.stops'),
        })),
      ),
  );
  const rowOf = (phone: string, { day, sentToday, stopped }: SenderRecord): Row => ({
    phone,
    day,
    sentToday,
    stoppedUntil: stopped?.until ?? null,
    stops: stopped?.stops ?? 0,
  });

  async function flush(): Promise<void> {
    timer?.cancel();
    timer = undefined;
    if (records.size === 0) return;
    const sent = [...chats].flatMap(([phone, sessions]) =>
      [...sessions].map(([sessionId, at]) => ({ phone, sessionId, at })),
    );
    const senders = [...records];
    await database.transaction(async (trx) => {
      const held = new Set<string>();
      // In one order everywhere, so that two of these do not wait for each other.
      for (const id of [...records.keys()].sort()) if (await holds(trx, id)) held.add(id);
      for (const chat of sent) if (held.has(chat.sessionId)) await keepChat(trx, chat);
      for (const [id, record] of senders)
        if (held.has(id)) await keepSender(trx, rowOf(record.number, record));
    });
    // What was sent again meanwhile is not written yet.
    for (const { phone, sessionId, at } of sent) {
      const ofPhone = chats.get(phone);
      if (ofPhone?.get(sessionId) === at) ofPhone.delete(sessionId);
      if (ofPhone?.size === 0) chats.delete(phone);
    }
    for (const [sessionId, record] of senders) {
      if (records.get(sessionId) === record) records.delete(sessionId);
    }
  }

  return {
    async chatsWith(phone) {
      const rows = await chatsWith(database.reader, { phone });
      const stored = rows.map(({ session_id, last_wrote_at }): [string, number] => [
        session_id,
        last_wrote_at,
      ]);
      return new Map([...stored, ...(chats.get(phone) ?? [])]);
    },
    paces: new Map(),
    async sender(number) {
      await flush();
      const row = await database.reader
        .selectFrom('whatsapp_senders')
        .selectAll()
        .where('phone', '=', number)
        .executeTakeFirst();
      if (!row) return undefined;
      const { day, sent_today: sentToday, stopped_until: until, stops } = row;
      return { day, sentToday, stopped: until === null ? undefined : { until, stops } };
    },
    keepSent({ sessionId, number, phone, at, before }, record) {
      if (before === undefined || at - before > PRECISION_MS) {
        const ofPhone = chats.get(phone) ?? new Map<string, number>();
        chats.set(phone, ofPhone.set(sessionId, at));
      }
      records.set(sessionId, { ...record, number });
      timer ??= clock.setTimeout(() => {
        flush().then(
          () => troubles.succeeded(RECORD_CHATS),
          (error: unknown) => troubles.failed(RECORD_CHATS, error),
        );
      }, GATHER_MS);
    },
    flush,
    async keepSender({ sessionId, number }, record) {
      await database.transaction(async (trx) => {
        if (await holds(trx, sessionId)) await keepSender(trx, rowOf(number, record));
      });
    },
  };
}
