import { sql } from 'kysely';
import { identityOf } from '../addresses/phone.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';

/** A number that asked for no more messages. */
export interface SuppressedNumber {
  /** E.164, as it wrote. */
  phone: string;
  /** Unix ms. */
  since: number;
  /** What the operator has noted about it. */
  note: string | null;
}

/** The numbers of a project that get no message, by no channel that reaches a phone. */
export interface Suppression {
  /** Whether a phone, by its identity, is on the list. */
  isSuppressed(executor: Executor, projectId: number, identity: string): Promise<boolean>;
  /** Takes a number onto the list; false when it was on it. */
  add(trx: Transaction, projectId: number, phone: string, at: number): Promise<boolean>;
  /** Keeps a note about a number on the list. */
  note(trx: Transaction, projectId: number, phone: string, note: string): Promise<void>;
  /** The entry of a number; undefined when it is not on the list. */
  get(executor: Executor, projectId: number, phone: string): Promise<SuppressedNumber | undefined>;
  /** Takes a number off the list; false when it was not on it. */
  remove(trx: Transaction, projectId: number, phone: string): Promise<boolean>;
  /** A page of them, newest first. */
  list(
    executor: Executor,
    projectId: number,
    page: { cursor?: string; limit: number },
  ): Promise<{ numbers: SuppressedNumber[]; next: string | null }>;
}

/**
 * How cursors of the list look: the time and the identity of the last number shown. Both, since several may ask in the
 * same millisecond, and written out, since that number may be off the list by the time of the next page.
 */
export const SUPPRESSION_CURSOR = /^(\d{1,15})-(\d{1,15})$/;

/** All spellings of a number are one entry. */
export function suppression(database: Database): Suppression {
  const find = database.prepare<{ projectId: number; identity: string }, { identity: string }>((db, value) =>
    db
      .selectFrom('suppressed_numbers')
      .select('identity')
      .where('project_id', '=', value('projectId'))
      .where('identity', '=', value('identity')),
  );

  const first = database.prepare<object, { identity: string }>((db) =>
    db.selectFrom('suppressed_numbers').select('identity').limit(sql.lit(1)),
  );
  // Where nobody has opted out yet no send has to look, as long as no other process can add a number.
  let mayHoldAny: boolean | undefined = database.isExclusive ? undefined : true;

  return {
    async isSuppressed(executor, projectId, identity) {
      if (mayHoldAny === undefined) {
        const isEmpty = (await first(executor, {})).length === 0;
        // Unless a number has been added meanwhile.
        mayHoldAny ??= !isEmpty;
      }
      return mayHoldAny && (await find(executor, { projectId, identity })).length > 0;
    },
    async note(trx, projectId, phone, note) {
      await trx
        .updateTable('suppressed_numbers')
        .set({ note })
        .where('project_id', '=', projectId)
        .where('identity', '=', identityOf(phone))
        .execute();
    },
    async get(executor, projectId, phone) {
      const row = await executor
        .selectFrom('suppressed_numbers')
        .select(['phone', 'created_at', 'note'])
        .where('project_id', '=', projectId)
        .where('identity', '=', identityOf(phone))
        .executeTakeFirst();
      return row && { phone: row.phone, since: row.created_at, note: row.note };
    },
    async add(trx, projectId, phone, at) {
      mayHoldAny = true;
      const added = await trx
        .insertInto('suppressed_numbers')
        .values({ project_id: projectId, identity: identityOf(phone), phone, created_at: at })
        .onConflict((conflict) => conflict.columns(['project_id', 'identity']).doNothing())
        .returning('identity')
        .execute();
      return added.length > 0;
    },
    async remove(trx, projectId, phone) {
      const removed = await trx
        .deleteFrom('suppressed_numbers')
        .where('project_id', '=', projectId)
        .where('identity', '=', identityOf(phone))
        .returning('identity')
        .execute();
      return removed.length > 0;
    },
    async list(executor, projectId, { cursor, limit }) {
      let query = executor
        .selectFrom('suppressed_numbers')
        .select(['phone', 'identity', 'created_at', 'note'])
        .where('project_id', '=', projectId);
      const last = SUPPRESSION_CURSOR.exec(cursor ?? '');
      if (last) {
        const [at, identity] = [Number(last[1]), last[2]!];
        query = query.where((eb) =>
          eb.or([
            eb('created_at', '<', at),
            eb.and([eb('created_at', '=', at), eb('identity', '<', identity)]),
          ]),
        );
      }
      const rows = await query
        .orderBy('created_at', 'desc')
        .orderBy('identity', 'desc')
        .limit(limit + 1)
        .execute();
      const shown = rows.slice(0, limit);
      const end = shown.at(-1);
      return {
        numbers: shown.map(({ phone, created_at, note }) => ({ phone, since: created_at, note })),
        next: end && rows.length > limit ? `${end.created_at}-${end.identity}` : null,
      };
    },
  };
}
