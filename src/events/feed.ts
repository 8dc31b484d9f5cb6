import { type RawBuilder, type Selectable, sql } from 'kysely';
import type { Database, Executor } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';

/** An event as it is stored. */
export interface StoredEvent {
  /** Opaque: where a reader goes on that has read this event. */
  cursor: string;
  /** Null for an event of the installation. */
  projectId: string | null;
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

  const isAfter = ({ epoch, tx, seq }: Position): RawBuilder<boolean> =>
    isPostgres ? sql`(epoch, tx, seq) > (${epoch}, ${tx}, ${seq}) and ${isSettled}` : sql`seq > ${seq}`;

  return {
    /**
     * The oldest events behind a cursor, in the order of their commits.
     * @throws RangeError for a text that is not a cursor
     */
    async after(cursor: string, limit: number, executor: Executor = database.reader): Promise<StoredEvent[]> {
      let query = executor
        .selectFrom('events')
        .selectAll()
        .where(isAfter(positionOf(cursor)))
        .limit(limit);
      if (isPostgres) query = query.orderBy('epoch').orderBy('tx');
      const rows = await query.orderBy('seq').execute();
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
      let query = executor.selectFrom('events').select(['epoch', 'tx', 'seq']).limit(1);
      if (isPostgres) query = query.where(isSettled).orderBy('epoch', 'desc').orderBy('tx', 'desc');
      const newest = await query.orderBy('seq', 'desc').executeTakeFirst();
      return newest ? cursorOf(newest) : BEGINNING;
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

function cursorOf({ epoch, tx, seq }: Position): string {
  return `${epoch}.${tx}.${seq}`;
}

function positionOf(cursor: string): Position {
  const [, epoch, tx, seq] = /^(\d{1,9})\.(\d{1,15})\.(\d{1,15})$/.exec(cursor) ?? [];
  if (seq === undefined) throw new RangeError('That is not a cursor of the event feed.');
  return { epoch: Number(epoch), tx: Number(tx), seq: Number(seq) };
}
