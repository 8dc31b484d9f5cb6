import { type Selectable, sql } from 'kysely';
import type { Database, Executor } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';

/** An event as it is stored. */
export interface StoredEvent {
  /** Opaque: where a reader goes on that has read this event. */
  cursor: string;
  /** Null for an event of the installation. */
  projectId: number | null;
  type: string;
  /** Unix ms. */
  at: number;
  /** The id of what it is about; null where the type says it all. */
  subject: string | null;
  messageId: string | null;
  data: Record<string, unknown> | null;
}

/** Where an event stands in the order of commits. */
type Position = Pick<Selectable<Schema['events']>, 'epoch' | 'tx' | 'seq'>;

/** The events in the order of their commits: a reader that goes on from its cursor sees each one once. */
export type EventFeed = ReturnType<typeof eventFeed>;

/** An event as a reader outside of the server may name it: its cursor, and when it happened (Unix ms). */
export type Mark = Pick<StoredEvent, 'cursor' | 'at'>;

/** An event is committed so long after it was recorded at most, in ms. */
const TRANSACTION_MAX_MS = 60_000;

/** The cursor of a reader that has read nothing. */
export const BEGINNING = '0.0.0';

/**
 * A number is drawn before its commit, so on PostgreSQL a higher one may become visible first. The order there is that of
 * the transactions that wrote, and only events that no running transaction can still precede are read. A long transaction
 * of any program on that server holds the feed back: see `heldBackSince`. On WODB transactions run one after another.
 */
export function eventFeed(database: Database) {
  const isPostgres = database.engine === 'postgres';
  const epochNow = sql<number>`wotp_event_epoch()`;
  const oldestRunning = sql<number>`pg_snapshot_xmin(pg_current_snapshot())::text::bigint`;
  const isSettled = sql<boolean>`(epoch < ${epochNow} or tx < ${oldestRunning})`;

  const afterOnWodb = database.prepare<{ seq: number; limit: number }, Selectable<Schema['events']>>(
    (db, value) =>
      db
        .selectFrom('events')
        .selectAll()
        .where('seq', '>', value('seq'))
        .orderBy('seq')
        .limit(value('limit')),
  );
  const afterOnPostgres = database.prepare<Position & { limit: number }, Selectable<Schema['events']>>(
    (db, value) =>
      db
        .selectFrom('events')
        .selectAll()
        .where(
          sql<boolean>`(epoch, tx, seq) > (${value('epoch')}, ${value('tx')}, ${value('seq')}) and ${isSettled}`,
        )
        .orderBy('epoch')
        .orderBy('tx')
        .orderBy('seq')
        .limit(value('limit')),
  );
  const afterPosition = isPostgres ? afterOnPostgres : afterOnWodb;

  async function newest(executor: Executor): Promise<Mark> {
    let query = executor.selectFrom('events').select(['epoch', 'tx', 'seq', 'at']).limit(1);
    if (isPostgres) query = query.where(isSettled).orderBy('epoch', 'desc').orderBy('tx', 'desc');
    const row = await query.orderBy('seq', 'desc').executeTakeFirst();
    return row ? { cursor: cursorOf(row), at: row.at } : { cursor: BEGINNING, at: 0 };
  }

  return {
    /**
     * The oldest events behind a cursor, in the order of their commits.
     * @throws RangeError for a text that is not a cursor
     */
    async after(cursor: string, limit: number, executor: Executor = database.reader): Promise<StoredEvent[]> {
      const rows = await afterPosition(executor, { ...positionOf(cursor), limit });
      return rows.map(({ project_id, message_id, type, at, subject, data, ...position }) => ({
        cursor: cursorOf(position),
        projectId: project_id,
        type,
        at,
        subject,
        messageId: message_id,
        data: data === null ? null : (JSON.parse(data) as Record<string, unknown>),
      }));
    },

    /** The cursor of a reader that wants only what is committed from now on. */
    async end(executor: Executor = database.reader): Promise<string> {
      return (await newest(executor)).cursor;
    },

    /** The newest event that can be read; the beginning where there is none. */
    newest: (): Promise<Mark> => newest(database.reader),

    /**
     * Whether everything behind a mark is still there to be read: the very event is stored. It is not once it was deleted
     * for its age, or the database was replaced by an older one, where another event has its number. On PostgreSQL a new
     * epoch ends what was before it.
     */
    async holds({ cursor, at }: Mark): Promise<boolean> {
      const { epoch, tx, seq } = positionOf(cursor);
      let query = database.reader
        .selectFrom('events')
        .select('seq')
        .where('seq', '=', seq)
        .where('epoch', '=', epoch)
        .where('tx', '=', tx)
        .where('at', '=', at);
      if (isPostgres) query = query.where(sql<boolean>`epoch = ${epochNow}`);
      return (await query.executeTakeFirst()) !== undefined;
    },

    /**
     * A cursor before every event from `time` (Unix ms) on, and not long before. Numbers are drawn in the order of time but
     * for the length of a transaction, so a few events from before it may follow.
     */
    async before(time: number, executor: Executor = database.reader): Promise<string> {
      const at = (seq: number) =>
        executor
          .selectFrom('events')
          .select(['epoch', 'tx', 'seq', 'at'])
          .where('seq', '>=', seq)
          .orderBy('seq')
          .limit(1)
          .executeTakeFirst();
      const newest = await executor
        .selectFrom('events')
        .select((eb) => eb.fn.max<number | null>('seq').as('seq'))
        .executeTakeFirstOrThrow();
      let [low, high] = [0, newest.seq ?? 0];
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        const row = await at(middle);
        if (row && row.at < time - TRANSACTION_MAX_MS) low = Math.max(row.seq, middle) + 1;
        else high = middle;
      }
      const first = await at(low);
      return first
        ? cursorOf({ epoch: first.epoch, tx: Math.max(0, first.tx - 1), seq: first.seq - 1 })
        : BEGINNING;
    },

    /** Since when (Unix ms) an event has waited for a transaction that is still running; undefined where none waits. */
    async heldBackSince(): Promise<number | undefined> {
      if (!isPostgres) return undefined;
      const { at } = await database.reader
        .selectFrom('events')
        .select((eb) => eb.fn.min<number | null>('at').as('at'))
        .where(sql<boolean>`epoch = ${epochNow} and tx >= ${oldestRunning}`)
        .executeTakeFirstOrThrow();
      return at ?? undefined;
    },
  };
}

/** Whether a cursor stands before another in the order of commits. */
export function isBefore(cursor: string, other: string): boolean {
  const [a, b] = [positionOf(cursor), positionOf(other)];
  if (a.epoch !== b.epoch) return a.epoch < b.epoch;
  return a.tx === b.tx ? a.seq < b.seq : a.tx < b.tx;
}

function cursorOf({ epoch, tx, seq }: Position): string {
  return `${epoch}.${tx}.${seq}`;
}

function positionOf(cursor: string): Position {
  const [, epoch, tx, seq] = /^(\d{1,9})\.(\d{1,15})\.(\d{1,15})$/.exec(cursor) ?? [];
  if (seq === undefined) throw new RangeError('This is not a cursor of the event feed.');
  return { epoch: Number(epoch), tx: Number(tx), seq: Number(seq) };
}
