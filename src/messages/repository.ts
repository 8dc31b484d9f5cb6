import { type ExpressionBuilder, sql } from 'kysely';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import { statesBefore } from './state-machine.ts';
import { timelineAppender, timelineEntry } from './timeline.ts';
import { MESSAGE_STATUSES, type MessageStatus } from './types.ts';

export type MessageRow = Schema['messages'];
/** What tells of a message in its events. */
export type MessageRefRow = Pick<MessageRow, 'id' | 'project_id' | 'owner_id' | 'channel'>;

type NewMessageRow = Omit<MessageRow, 'attempts' | 'claim' | 'reason' | 'provider_id'>;

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
   * claim is no longer held, or nothing of it is to be sent any more.
   */
  requeue(
    trx: Transaction,
    change: { id: string; claim: number; reason: string; at: number; dueAt: number; attempts: number },
  ): Promise<MessageRefRow | undefined>;
  /** Claims the messages of a channel that are due: those of a lower lane first, and of one lane the oldest. */
  claimDue(
    trx: Transaction,
    claim: {
      channel: string;
      now: number;
      leaseUntil: number;
      limit: number;
      /** Projects whose messages wait. */
      except: readonly number[];
    },
  ): Promise<MessageRow[]>;
  /** The ids of messages of a channel (and of one project, if given) that are due and do not have this reason yet, oldest first. */
  waitingWithout(
    executor: Executor,
    due: { channel: string; projectId: number | null; now: number; reason: string; limit: number },
  ): Promise<string[]>;
  /** Tells a queued message why it waits; undefined when it is no longer queued, or has that reason. */
  noteWaiting(
    trx: Transaction,
    change: { id: string; reason: string; at: number },
  ): Promise<MessageRefRow | undefined>;
  /** Messages being sent whose lease has ended by `now`. */
  leasesEnded(executor: Executor, now: number): Promise<MessageRow[]>;
  /**
   * Enters the state `to`, or without one sees to it that the message is not sent again. False when its state is no
   * longer `from`; then nothing was changed.
   */
  settle(
    trx: Transaction,
    change: { id: string; from: MessageStatus; to: MessageStatus | undefined; reason: string; at: number },
  ): Promise<boolean>;
  /** The states of messages, in the order of the ids; those that do not exist are left out. */
  states(executor: Executor, ids: readonly string[]): Promise<(MessageRefRow & Pick<MessageRow, 'status'>)[]>;
  /** The states of messages and why they are in them, in any order. */
  outcomes(
    executor: Executor,
    ids: readonly string[],
  ): Promise<Pick<MessageRow, 'id' | 'status' | 'reason'>[]>;
  /** In the order of the ids; those that do not exist are left out. */
  byIds(executor: Executor, ids: readonly string[]): Promise<MessageRow[]>;
  byId(executor: Executor, id: string): Promise<MessageRow | undefined>;
  /** The id of the message that a provider calls so. */
  idOfProvider(executor: Executor, providerId: string): Promise<string | undefined>;
  /** Keeps what the provider calls a message. */
  setProviderId(trx: Transaction, id: string, providerId: string): Promise<void>;
  /** When messages that count against an address were accepted, since `since` (Unix ms), oldest first. */
  acceptedFor(executor: Executor, projectId: number, identity: string, since: number): Promise<number[]>;
  /** Lets the messages that count against an address count no more. */
  discount(trx: Transaction, projectId: number, identity: string): Promise<void>;
  remove(trx: Transaction, ids: readonly string[]): Promise<void>;
}

const REF_COLUMNS = ['id', 'project_id', 'owner_id', 'channel'] as const;

export function messageRepository(database: Database): MessageRepository {
  const appendToTimeline = timelineAppender(database.engine);

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
      owner_id: value('owner_id'),
      address: value('address'),
      identity: value('identity'),
      channel: value('channel'),
      plays: value('plays'),
      lane: value('lane'),
      status: value('status'),
      reason: null,
      content: value('content'),
      key_version: value('key_version'),
      timeline: value('timeline'),
      attempts: sql.lit(0),
      claim: sql.lit(0),
      due_at: value('due_at'),
      expires_at: value('expires_at'),
      created_at: value('created_at'),
      metadata: value('metadata'),
      template: value('template'),
      locale: value('locale'),
    }),
  );

  const requeue = database.prepare<
    { id: string; claim: number; reason: string; entry: string; at: number; dueAt: number; attempts: number },
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
      .where('expires_at', '>', value('at'))
      .returning(REF_COLUMNS),
  );

  type Claim = { channel: string; now: number; leaseUntil: number; limit: number; entry: string };
  const isOfOthers = (except: string) =>
    database.engine === 'postgres'
      ? sql<boolean>`project_id <> all (array(select jsonb_array_elements_text(${except}::jsonb)::integer))`
      : sql<boolean>`project_id not in (select value from json_each(${except}))`;
  const claimQuery = (hasExcept: boolean) =>
    database.prepare<Claim & { except: string }, MessageRow>((db, value) =>
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
            .$if(hasExcept, (query) => query.where(isOfOthers(value('except'))))
            .orderBy('lane')
            .orderBy('due_at')
            .limit(value('limit'));
          if (database.isExclusive) return eb('id', 'in', due);
          // Others claim at the same time. As an array the rows are looked for once; `in` may look again and take more.
          return sql<boolean>`id = any(array(${due.forUpdate().skipLocked()}))`;
        })
        .returningAll(),
    );
  const claimDue = claimQuery(false);
  const claimDueOfOthers = claimQuery(true);

  const waitingWithout = database.prepare<
    { channel: string; project: string; now: number; reason: string; limit: number },
    { id: string }
  >((db, value) =>
    db
      .selectFrom('messages')
      .select('id')
      .where('status', '=', sql.lit('queued'))
      .where('due_at', '<=', value('now'))
      .where('channel', '=', value('channel'))
      .where('expires_at', '>', value('now'))
      .where(sql<boolean>`${value('project')} in ('', cast(project_id as text))`)
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

  // What is under way ends by what becomes of it; nothing of it is sent after that.
  const endLife = database.prepareChange<{ id: string; from: string }>((db, value) =>
    db
      .updateTable('messages')
      .set({ expires_at: sql.lit(0) })
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
  const byProvider = database.prepare<{ providerId: string }, { id: string }>((db, value) =>
    db.selectFrom('messages').select('id').where('provider_id', '=', value('providerId')),
  );
  const setProviderId = database.prepareChange<{ id: string; providerId: string }>((db, value) =>
    db
      .updateTable('messages')
      .set({ provider_id: value('providerId') })
      .where('id', '=', value('id')),
  );
  const acceptedFor = database.prepare<
    { projectId: number; identity: string; since: number },
    { created_at: number }
  >((db, value) =>
    db
      .selectFrom('messages')
      .select('created_at')
      .where('identity', '=', value('identity'))
      .where('created_at', '>=', value('since'))
      .where('project_id', '=', value('projectId'))
      .orderBy('created_at'),
  );
  const anyCounted = database.prepare<object, { id: string }>((db) =>
    db
      .selectFrom('messages')
      .select('id')
      .where('identity', 'is not', null)
      .orderBy('identity')
      .limit(sql.lit(1)),
  );
  // Where no message counts for itself no send has to look, as long as no other process can add one.
  let mayBeCounted: boolean | undefined = database.isExclusive ? undefined : true;
  const remove = database.prepareChange<{ id: string }>((db, value) =>
    db.deleteFrom('messages').where('id', '=', value('id')),
  );

  return {
    async insert(trx, row) {
      if (row.identity !== null) mayBeCounted = true;
      await insert(trx, row);
    },
    async enter(trx, change) {
      const { id, status, reason } = change;
      const query = enterQueries.get(status)!;
      const [row] = await query(trx, { id, reason, entry: timelineEntry(change), claim: 0 });
      return row;
    },
    async enterByClaim(trx, change) {
      const { id, status, reason, claim } = change;
      const query = enterByClaimQueries.get(status)!;
      const [row] = await query(trx, { id, reason, entry: timelineEntry(change), claim });
      return row;
    },
    async requeue(trx, change) {
      const entry = timelineEntry({ at: change.at, status: 'queued', reason: change.reason });
      const [row] = await requeue(trx, { ...change, entry });
      return row;
    },
    claimDue(trx, { except, ...claim }) {
      const entry = timelineEntry({ at: claim.now, status: 'sending', reason: null });
      const query = except.length === 0 ? claimDue : claimDueOfOthers;
      return query(trx, { ...claim, entry, except: JSON.stringify(except) });
    },
    async waitingWithout(executor, { projectId, ...due }) {
      const project = projectId === null ? '' : String(projectId);
      return (await waitingWithout(executor, { ...due, project })).map(({ id }) => id);
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
          ? await endLife(trx, { id, from })
          : await settle(trx, { id, from, to, reason, entry: timelineEntry({ at, status: to, reason }) });
      return changed === 1;
    },
    // A verification has one message as a rule and five at most, and a prepared query is much the quicker way.
    async states(executor, ids) {
      const states = [];
      for (const id of ids) states.push(...(await stateOf(executor, { id })));
      return states;
    },
    outcomes: (executor, ids) =>
      executor.selectFrom('messages').select(['id', 'status', 'reason']).where('id', 'in', ids).execute(),
    async byIds(executor, ids) {
      const rows: MessageRow[] = [];
      for (const id of ids) rows.push(...(await byId(executor, { id })));
      return rows;
    },
    async byId(executor, id) {
      const [row] = await byId(executor, { id });
      return row;
    },
    async idOfProvider(executor, providerId) {
      const [row] = await byProvider(executor, { providerId });
      return row?.id;
    },
    async setProviderId(trx, id, providerId) {
      await setProviderId(trx, { id, providerId });
    },
    async acceptedFor(executor, projectId, identity, since) {
      if (mayBeCounted === undefined) {
        const isNone = (await anyCounted(executor, {})).length === 0;
        // Unless one has been added meanwhile.
        mayBeCounted ??= !isNone;
      }
      if (!mayBeCounted) return [];
      const rows = await acceptedFor(executor, { projectId, identity, since });
      return rows.map(({ created_at }) => created_at);
    },
    async discount(trx, projectId, identity) {
      await trx
        .updateTable('messages')
        .set({ identity: null })
        .where('identity', '=', identity)
        .where('project_id', '=', projectId)
        .execute();
    },
    async remove(trx, ids) {
      for (const id of ids) await remove(trx, { id });
    },
  };
}
