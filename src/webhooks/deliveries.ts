import { type Selectable, sql } from 'kysely';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';
import { ConflictError, NotFoundError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';
import { deliveryStatements } from './delivery-statements.ts';
import { type EndpointRow, WEBHOOKS_LOCK } from './endpoints.ts';

/** How long a claim holds, in ms; longer than an attempt takes. */
export const LEASE_MS = 60_000;
/** The newest attempts are kept. */
const ATTEMPTS_KEPT = 20;
/** Rows that one step of the work behind the scenes changes. */
const PORTION = 200;
/** Pending deliveries of an endpoint that are looked at for their subjects. */
const PENDING_READ_MAX = 500;

/** A row of `webhook_deliveries`. */
export type DeliveryRow = Selectable<Schema['webhook_deliveries']>;

export type DeliveryStatus = 'pending' | 'delivered' | 'failed';

/** One attempt to deliver an event. */
export interface Attempt {
  /** Unix ms. */
  at: number;
  /** The HTTP status of the answer; null where there was none. */
  status: number | null;
  durationMs: number;
  /** Why there was no complete answer. */
  error?: string;
  /** The beginning of the answer. */
  body?: string;
}

/** What becomes of a claimed delivery. */
export interface Outcome {
  delivery: DeliveryRow;
  /** Absent where the attempt was given up for a stop: then it does not count. */
  attempt?: Attempt;
  status: DeliveryStatus;
  /** When the next attempt is due (Unix ms); only while pending. */
  dueAt: number | null;
}

/** A delivery that was attempted, or has to wait, before it was stored. */
export type TriedDelivery = NewDelivery &
  Pick<DeliveryRow, 'id' | 'status' | 'due_at' | 'sending' | 'claim' | 'tries' | 'attempts'>;

/** A delivery that is to be made. */
export type NewDelivery = Pick<
  DeliveryRow,
  'endpoint_id' | 'event_id' | 'type' | 'subject' | 'body' | 'created_at'
>;

/**
 * The deliveries of endpoints. Of those for one subject one is due or under way at a time, and the next only when it has
 * ended, so that they arrive in the order of the events.
 */
export type Deliveries = ReturnType<typeof deliveryRepository>;

/** @param firstWaitMs how long a delivery waits for its first attempt */
export function deliveryRepository(deps: { database: Database; clock: Clock; firstWaitMs: number }) {
  const { database, clock, firstWaitMs } = deps;

  const { insertTried, byEvent, pendingSubjects, dueEndpoints, claimDue, settleClaimed, disabledEndpoints } =
    deliveryStatements(database);

  /** Makes the first pending delivery of each subject due, where none of that subject is. */
  async function release(trx: Transaction, endpointId: string, subjects: readonly string[]): Promise<void> {
    if (subjects.length === 0) return;
    await trx
      .updateTable('webhook_deliveries')
      .set({ due_at: clock.now() + firstWaitMs })
      .where('seq', 'in', (eb) =>
        eb
          .selectFrom('webhook_deliveries')
          .select((first) => first.fn.min('seq').as('seq'))
          .where('endpoint_id', '=', endpointId)
          .where('subject', 'in', [...new Set(subjects)])
          .where('status', '=', sql.lit('pending'))
          .groupBy('subject')
          .having((each) => each.fn.count('due_at'), '=', 0),
      )
      .execute();
  }

  async function releaseAll(trx: Transaction, rows: readonly Pick<DeliveryRow, 'endpoint_id' | 'subject'>[]) {
    const subjects = new Map<string, string[]>();
    for (const { endpoint_id, subject } of rows) {
      subjects.set(endpoint_id, [...(subjects.get(endpoint_id) ?? []), subject]);
    }
    for (const [endpointId, own] of subjects) await release(trx, endpointId, own);
  }

  async function add(trx: Transaction, rows: readonly NewDelivery[], { again = false } = {}): Promise<void> {
    const now = clock.now();
    for (let from = 0; from < rows.length; from += PORTION) {
      const values = rows.slice(from, from + PORTION).map((row) => ({
        ...row,
        id: newId('dlv', now),
        status: 'pending',
      }));
      const made = await trx
        .insertInto('webhook_deliveries')
        .values(values)
        .onConflict((conflict) =>
          again
            ? conflict
                .columns(['endpoint_id', 'event_id'])
                .doUpdateSet({ status: 'pending', tries: 0, due_at: null })
                .where('webhook_deliveries.status', '=', 'failed')
            : conflict.columns(['endpoint_id', 'event_id']).doNothing(),
        )
        .returning(['endpoint_id', 'subject'])
        .execute();
      await releaseAll(trx, made);
    }
  }

  return {
    /** Adds deliveries; one that is there already stays, unless it failed and is to be sent `again`. */
    add,

    /** Adds one of its own event; resolves to it. */
    async addOne(trx: Transaction, row: NewDelivery): Promise<DeliveryRow> {
      await database.serialize(trx, WEBHOOKS_LOCK);
      await add(trx, [row]);
      return trx
        .selectFrom('webhook_deliveries')
        .selectAll()
        .where('endpoint_id', '=', row.endpoint_id)
        .where('event_id', '=', row.event_id)
        .executeTakeFirstOrThrow();
    },

    /** Stores what was attempted before it was stored; one that is there already stays. Makes the next of each subject due. */
    async addTried(trx: Transaction, rows: readonly TriedDelivery[]): Promise<void> {
      for (const row of rows) await insertTried(trx, row);
      await releaseAll(
        trx,
        rows.filter(({ status, due_at }) => status === 'pending' && due_at === null),
      );
    },

    /** The delivery of an event to an endpoint, as it is stored; undefined where there is none. */
    stored: async (trx: Transaction, row: Pick<DeliveryRow, 'endpoint_id' | 'event_id'>) =>
      (await byEvent(trx, row))[0],

    /** The subjects of which something is pending at an endpoint; undefined where there are very many. */
    async pendingSubjects(endpointId: string): Promise<ReadonlySet<string> | undefined> {
      const rows = await pendingSubjects(database.reader, { endpointId, limit: PENDING_READ_MAX });
      return rows.length < PENDING_READ_MAX ? new Set(rows.map(({ subject }) => subject)) : undefined;
    },

    /** The enabled endpoints for which something is due at `now` (Unix ms). */
    dueEndpoints: (now: number): Promise<EndpointRow[]> => dueEndpoints(database.reader, { now }),

    /** Claims up to `limit` due deliveries of an endpoint, the longest due first. */
    claim(trx: Transaction, endpointId: string, limit: number): Promise<DeliveryRow[]> {
      const now = clock.now();
      return claimDue(trx, { endpointId, now, until: now + LEASE_MS, limit });
    },

    /** Writes down what became of claimed deliveries; resolves to those whose claim still held. */
    async settle(trx: Transaction, outcomes: readonly Outcome[]): Promise<Outcome[]> {
      const held: Outcome[] = [];
      for (const outcome of outcomes) {
        const { delivery, attempt, status, dueAt } = outcome;
        const attempts = [...(JSON.parse(delivery.attempts) as Attempt[]), ...(attempt ? [attempt] : [])];
        const { seq, claim } = delivery;
        const changed = await settleClaimed(trx, {
          seq,
          claim,
          status,
          due_at: dueAt,
          tries: delivery.tries + (attempt ? 1 : 0),
          attempts: JSON.stringify(attempts.slice(-ATTEMPTS_KEPT)),
        });
        if (changed === 1) held.push(outcome);
      }
      const ended = held.filter(({ status }) => status !== 'pending').map(({ delivery }) => delivery);
      await releaseAll(trx, ended);
      return held;
    },

    /** Makes what a dead process had under way due, where no other process can have anything under way. */
    async freeClaims(): Promise<void> {
      await database.transaction((trx) =>
        trx
          .updateTable('webhook_deliveries')
          .set({ sending: 0, due_at: clock.now() })
          .where('status', '=', sql.lit('pending'))
          .where('due_at', 'is not', null)
          .where('sending', '=', 1)
          .execute(),
      );
    },

    /** Ends a portion of what waits for endpoints that are disabled; false where nothing does. */
    async failWhereDisabled(): Promise<boolean> {
      const disabled = await disabledEndpoints(database.reader, {});
      if (disabled.length === 0) return false;
      const ids = disabled.map(({ id }) => id);
      const waiting = (executor: Executor) =>
        executor
          .selectFrom('webhook_deliveries')
          .select('seq')
          .where('endpoint_id', 'in', ids)
          .where('status', '=', sql.lit('pending'))
          .where('sending', '=', 0)
          .limit(PORTION)
          .execute();
      if ((await waiting(database.reader)).length === 0) return false;
      await database.transaction(async (trx) => {
        await database.serialize(trx, WEBHOOKS_LOCK);
        const seqs = (await waiting(trx)).map(({ seq }) => seq);
        if (seqs.length === 0) return;
        await trx
          .updateTable('webhook_deliveries')
          .set({ status: 'failed', due_at: null })
          .where('seq', 'in', seqs)
          .execute();
      });
      return true;
    },

    /** A page of an endpoint's deliveries, newest event first; `cursor` is the id of an event. */
    async list(
      endpointId: string,
      {
        limit,
        cursor,
        status,
      }: { limit: number; cursor?: string | undefined; status?: DeliveryStatus | undefined },
    ): Promise<{ deliveries: DeliveryRow[]; next: string | null }> {
      let query = database.reader
        .selectFrom('webhook_deliveries')
        .selectAll()
        .where('endpoint_id', '=', endpointId);
      if (cursor !== undefined) query = query.where('event_id', '<', cursor);
      if (status !== undefined) query = query.where('status', '=', sql.lit(status));
      const rows = await query
        .orderBy('event_id', 'desc')
        .limit(limit + 1)
        .execute();
      const deliveries = rows.slice(0, limit);
      return { deliveries, next: rows.length > limit ? deliveries.at(-1)!.event_id : null };
    },

    /** Sends one again, whatever became of it. @throws NotFoundError; ConflictError while its endpoint is disabled */
    async retry(trx: Transaction, projectId: number, id: string): Promise<DeliveryRow> {
      await database.serialize(trx, WEBHOOKS_LOCK);
      const row = await trx
        .selectFrom('webhook_deliveries as d')
        .innerJoin('webhook_endpoints as e', 'e.id', 'd.endpoint_id')
        .selectAll('d')
        .select('e.enabled')
        .where('d.id', '=', id)
        .where('e.project_id', '=', projectId)
        .where('e.deleted', '=', 0)
        .executeTakeFirst();
      if (!row) throw new NotFoundError('There is no webhook delivery with this id.');
      const { enabled, ...delivery } = row;
      if (enabled === 0)
        throw new ConflictError('The webhook endpoint of this delivery is disabled. Enable it first.');
      const isWaiting = delivery.status === 'pending' && delivery.due_at === null;
      // It is under way, or an earlier one of its subject has to end first.
      if (delivery.sending === 1 || isWaiting) return delivery;
      const { endpoint_id, subject, seq } = delivery;
      await trx
        .updateTable('webhook_deliveries')
        .set({ status: 'pending', tries: 0, due_at: null })
        .where('seq', '=', seq)
        .execute();
      await release(trx, endpoint_id, [subject]);
      return trx
        .selectFrom('webhook_deliveries')
        .selectAll()
        .where('seq', '=', seq)
        .executeTakeFirstOrThrow();
    },

    /** Deletes a portion of what ended before `time` (Unix ms); resolves to how many went. */
    async forget(trx: Transaction, time: number): Promise<number> {
      const removed = await trx
        .deleteFrom('webhook_deliveries')
        .where('seq', 'in', (eb) =>
          eb
            .selectFrom(
              eb
                .selectFrom('webhook_deliveries')
                .select(['seq', 'created_at', 'status'])
                .orderBy('seq')
                .limit(sql.lit(5_000))
                .as('oldest'),
            )
            .select('oldest.seq')
            .where('oldest.created_at', '<', time)
            .where('oldest.status', '<>', 'pending')
            .limit(PORTION),
        )
        .returning('seq')
        .execute();
      return removed.length;
    },

    /** Deletes a portion of what belongs to deleted endpoints, and these with their last delivery. */
    async forgetDeleted(trx: Transaction): Promise<number> {
      const endpoint = await trx
        .selectFrom('webhook_endpoints')
        .select('id')
        .where('deleted', '=', 1)
        .limit(1)
        .executeTakeFirst();
      if (!endpoint) return 0;
      const removed = await trx
        .deleteFrom('webhook_deliveries')
        .where('seq', 'in', (eb) =>
          eb
            .selectFrom('webhook_deliveries')
            .select('seq')
            .where('endpoint_id', '=', endpoint.id)
            .where('sending', '=', 0)
            .limit(PORTION),
        )
        .returning('seq')
        .execute();
      if (removed.length > 0) return removed.length;
      await trx.deleteFrom('webhook_endpoints').where('id', '=', endpoint.id).execute();
      return 1;
    },
  };
}
