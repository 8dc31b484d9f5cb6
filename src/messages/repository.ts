import { type ExpressionBuilder, sql } from 'kysely';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import { statesBefore } from './state-machine.ts';
import { MESSAGE_STATUSES, type MessageStatus } from './types.ts';

export type MessageRow = Schema['messages'];

/** What tells of a message in its events. */
export type MessageRefRow = Pick<MessageRow, 'id' | 'project_id' | 'verification_id'>;

type NewMessageRow = Omit<MessageRow, 'attempts' | 'claim' | 'reason'>;

/** A change of one message's state. */
interface StatusChange {
  id: string;
  status: MessageStatus;
  reason: string | null;
  at: number;
}

/** The messages as they are stored. Every write reports what it changed, in one statement. */
export interface MessageRepository {
  insert(trx: Transaction, row: NewMessageRow): Promise<void>;
  /** Enters a state where the state machine allows it; undefined when nothing was changed. */
  enter(trx: Transaction, change: StatusChange): Promise<MessageRefRow | undefined>;
  /** As `enter`, by the holder of a claim only. */
  enterByClaim(
    trx: Transaction,
    change: StatusChange & { claim: number },
  ): Promise<MessageRefRow | undefined>;
  /**
   * Puts a claimed message back into the queue until `dueAt`; `attempts` as they shall be counted. Undefined when the
   * claim is no longer held or the code has been wiped: a message without its code is never sent.
   */
  giveBack(
    trx: Transaction,
    change: { id: string; claim: number; reason: string; at: number; dueAt: number; attempts: number },
  ): Promise<MessageRefRow | undefined>;
  /** Claims the messages of a channel that are due: those of a lower lane first, and of one lane the oldest. */
  claimDue(
    trx: Transaction,
    claim: { channel: string; now: number; leaseUntil: number; limit: number },
  ): Promise<MessageRow[]>;
  /** The ids of messages of a channel that are due and do not have this reason yet, oldest first. */
  waitingWithout(
    executor: Executor,
    due: { channel: string; now: number; reason: string; limit: number },
  ): Promise<string[]>;
  /** Tells a queued message why it waits; undefined when it is no longer queued, or has that reason. */
  noteWaiting(
    trx: Transaction,
    change: { id: string; reason: string; at: number },
  ): Promise<MessageRefRow | undefined>;
  /** Messages being sent whose lease has ended by `now`. */
  leasesEnded(executor: Executor, now: number): Promise<MessageRow[]>;
  /**
   * Forgets the code of a message for ever and, with `to`, enters that state at once. False when its state is no
   * longer `from`; then nothing was changed.
   */
  settle(
    trx: Transaction,
    change: { id: string; from: MessageStatus; to: MessageStatus | undefined; reason: string; at: number },
  ): Promise<boolean>;
  /** The states of messages, in the order of the ids; those that do not exist are left out. */
  states(executor: Executor, ids: readonly string[]): Promise<(MessageRefRow & Pick<MessageRow, 'status'>)[]>;
  /** In the order of the ids; those that do not exist are left out. */
  byIds(executor: Executor, ids: readonly string[]): Promise<MessageRow[]>;
  byId(executor: Executor, id: string): Promise<MessageRow | undefined>;
  remove(trx: Transaction, ids: readonly string[]): Promise<void>;
}

const REF_COLUMNS = ['id', 'project_id', 'verification_id'] as const;

/**
 * A timeline is as long as this from the start, filled up with blanks, which JSON allows: a row that grew with each change
 * would split its page again and again.
 */
const TIMELINE_ROOM = 160;

/** The timeline of a message that was put into the outbox at `at` (Unix ms). */
export function newTimeline(at: number): string {
  return `[[${at},"queued",null]]`.padEnd(TIMELINE_ROOM);
}

/** So many of the newest entries are kept: a message may wait for long, for now this reason and now that. */
const TIMELINE_MAX = 40;
/** A timeline that is shorter than this holds fewer entries, whatever they say, and need not be counted. */
const TIMELINE_MAX_LENGTH = TIMELINE_MAX * `[0000000000000,"sent",null]`.length;

/** The timeline with room for one more entry. */
function roomyTimeline(engine: Database['engine']) {
  const isFull =
    engine === 'postgres'
      ? sql`jsonb_array_length(timeline::jsonb) >= ${sql.lit(TIMELINE_MAX)}`
      : sql`json_array_length(timeline) >= ${sql.lit(TIMELINE_MAX)}`;
  const shortened =
    engine === 'postgres' ? sql`(timeline::jsonb - 0)::text` : sql`json_remove(timeline, '$[0]')`;
  return sql`rtrim(case when length(timeline) >= ${sql.lit(TIMELINE_MAX_LENGTH)} and ${isFull} then ${shortened} else timeline end)`;
}

function timelineEntry({ at, status, reason }: Omit<StatusChange, 'id'>): string {
  return `,${JSON.stringify([at, status, reason])}]`;
}

export function messageRepository(database: Database): MessageRepository {
  const timeline = roomyTimeline(database.engine);
  /** Adds an entry to the JSON array in `timeline` without reading it first. */
  const appendToTimeline = (entry: string) =>
    sql<string>`format(${sql.lit(`%-${TIMELINE_ROOM}s`)}, substr(${timeline}, 1, length(${timeline}) - 1) || ${entry})`;

  type Enter = { id: string; reason: string | null; entry: string };
  const enterQuery = (status: MessageStatus, byClaim: boolean) =>
    database.prepare<Enter & { claim: number }, MessageRefRow>((db, value) => {
      const update = db
        .updateTable('messages')
        .set({ status, reason: value('reason'), timeline: appendToTimeline(value('entry')) })
        .where('id', '=', value('id'));
      // A claim is held while the message is being sent, and not when it has been given back.
      const from = byClaim
        ? update.where('status', '=', 'sending').where('claim', '=', value('claim'))
        : update.where('status', 'in', [...statesBefore(status)]);
      return from.returning(REF_COLUMNS);
    });
  const queriesByStatus = (byClaim: boolean) =>
    new Map(MESSAGE_STATUSES.map((status) => [status, enterQuery(status, byClaim)]));
  const enterQueries = queriesByStatus(false);
  const enterByClaimQueries = queriesByStatus(true);

  const insert = database.prepareChange<NewMessageRow>((db, value) =>
    db.insertInto('messages').values({
      id: value('id'),
      project_id: value('project_id'),
      verification_id: value('verification_id'),
      phone: value('phone'),
      channel: value('channel'),
      lane: value('lane'),
      status: value('status'),
      reason: null,
      body: value('body'),
      sealed_code: value('sealed_code'),
      key_version: value('key_version'),
      timeline: value('timeline'),
      attempts: sql.lit(0),
      claim: sql.lit(0),
      due_at: value('due_at'),
      expires_at: value('expires_at'),
      created_at: value('created_at'),
      metadata: value('metadata'),
    }),
  );

  const giveBack = database.prepare<
    { id: string; claim: number; reason: string; entry: string; dueAt: number; attempts: number },
    MessageRefRow
  >((db, value) =>
    db
      .updateTable('messages')
      .set({
        status: 'queued',
        reason: value('reason'),
        due_at: value('dueAt'),
        attempts: value('attempts'),
        timeline: appendToTimeline(value('entry')),
      })
      .where('id', '=', value('id'))
      .where('status', '=', 'sending')
      .where('claim', '=', value('claim'))
      .where('sealed_code', 'is not', null)
      .returning(REF_COLUMNS),
  );

  const claimDue = database.prepare<
    { channel: string; now: number; leaseUntil: number; limit: number; entry: string },
    MessageRow
  >((db, value) =>
    db
      .updateTable('messages')
      .set((eb: ExpressionBuilder<Schema, 'messages'>) => ({
        status: 'sending',
        claim: eb('claim', '+', sql.lit(1)),
        attempts: eb('attempts', '+', sql.lit(1)),
        due_at: value('leaseUntil'),
        timeline: appendToTimeline(value('entry')),
      }))
      .where((eb) => {
        const due = eb
          .selectFrom('messages')
          .select('id')
          .where('status', '=', sql.lit('queued'))
          .where('due_at', '<=', value('now'))
          .where('channel', '=', value('channel'))
          .where('expires_at', '>', value('now'))
          .orderBy('lane')
          .orderBy('due_at')
          .limit(value('limit'));
        if (database.isExclusive) return eb('id', 'in', due);
        // Others claim at the same time. As an array the rows are looked for once; `in` may look again and take more.
        return sql<boolean>`id = any(array(${due.forUpdate().skipLocked()}))`;
      })
      .returningAll(),
  );

  const waitingWithout = database.prepare<
    { channel: string; now: number; reason: string; limit: number },
    { id: string }
  >((db, value) =>
    db
      .selectFrom('messages')
      .select('id')
      .where('status', '=', sql.lit('queued'))
      .where('due_at', '<=', value('now'))
      .where('channel', '=', value('channel'))
      .where('expires_at', '>', value('now'))
      .where((eb) => eb.or([eb('reason', 'is', null), eb('reason', '!=', value('reason'))]))
      .orderBy('due_at')
      .limit(value('limit')),
  );
  const noteWaiting = database.prepare<{ id: string; reason: string; entry: string }, MessageRefRow>(
    (db, value) =>
      db
        .updateTable('messages')
        .set({ reason: value('reason'), timeline: appendToTimeline(value('entry')) })
        .where('id', '=', value('id'))
        .where('status', '=', sql.lit('queued'))
        .returning(REF_COLUMNS),
  );

  const leasesEnded = database.prepare<{ now: number }, MessageRow>((db, value) =>
    db
      .selectFrom('messages')
      .selectAll()
      .where('status', '=', sql.lit('sending'))
      .where('due_at', '<=', value('now'))
      .orderBy('due_at')
      .limit(sql.lit(500)),
  );

  const wipeCode = database.prepareChange<{ id: string; from: string }>((db, value) =>
    db
      .updateTable('messages')
      .set({ sealed_code: null })
      .where('id', '=', value('id'))
      .where('status', '=', value('from')),
  );
  const settle = database.prepareChange<{
    id: string;
    from: string;
    to: string;
    reason: string;
    entry: string;
  }>((db, value) =>
    db
      .updateTable('messages')
      .set({
        sealed_code: null,
        status: value('to'),
        reason: value('reason'),
        timeline: appendToTimeline(value('entry')),
      })
      .where('id', '=', value('id'))
      .where('status', '=', value('from')),
  );

  const stateOf = database.prepare<{ id: string }, MessageRefRow & Pick<MessageRow, 'status'>>((db, value) =>
    db
      .selectFrom('messages')
      .select([...REF_COLUMNS, 'status'])
      .where('id', '=', value('id')),
  );
  const byId = database.prepare<{ id: string }, MessageRow>((db, value) =>
    db.selectFrom('messages').selectAll().where('id', '=', value('id')),
  );
  const remove = database.prepareChange<{ id: string }>((db, value) =>
    db.deleteFrom('messages').where('id', '=', value('id')),
  );

  return {
    async insert(trx, row) {
      await insert(trx, row);
    },
    async enter(trx, change) {
      const query = enterQueries.get(change.status)!;
      const [row] = await query(trx, { ...change, entry: timelineEntry(change), claim: 0 });
      return row;
    },
    async enterByClaim(trx, change) {
      const query = enterByClaimQueries.get(change.status)!;
      const [row] = await query(trx, { ...change, entry: timelineEntry(change) });
      return row;
    },
    async giveBack(trx, change) {
      const entry = timelineEntry({ at: change.at, status: 'queued', reason: change.reason });
      const [row] = await giveBack(trx, { ...change, entry });
      return row;
    },
    claimDue: (trx, claim) =>
      claimDue(trx, { ...claim, entry: timelineEntry({ at: claim.now, status: 'sending', reason: null }) }),
    async waitingWithout(executor, due) {
      return (await waitingWithout(executor, due)).map(({ id }) => id);
    },
    async noteWaiting(trx, { id, reason, at }) {
      const [row] = await noteWaiting(trx, {
        id,
        reason,
        entry: timelineEntry({ at, status: 'queued', reason }),
      });
      return row;
    },
    leasesEnded: (executor, now) => leasesEnded(executor, { now }),
    async settle(trx, { id, from, to, reason, at }) {
      const changed =
        to === undefined
          ? await wipeCode(trx, { id, from })
          : await settle(trx, { id, from, to, reason, entry: timelineEntry({ at, status: to, reason }) });
      return changed === 1;
    },
    // A verification has one message as a rule and five at most, and a prepared query is much the quicker way.
    async states(executor, ids) {
      const states = [];
      for (const id of ids) states.push(...(await stateOf(executor, { id })));
      return states;
    },
    async byIds(executor, ids) {
      const rows: MessageRow[] = [];
      for (const id of ids) rows.push(...(await byId(executor, { id })));
      return rows;
    },
    async byId(executor, id) {
      const [row] = await byId(executor, { id });
      return row;
    },
    async remove(trx, ids) {
      for (const id of ids) await remove(trx, { id });
    },
  };
}
