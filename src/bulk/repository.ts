import { sql } from 'kysely';
import type { Database, Executor, Transaction } from '../database/database.ts';
import { inProjects, ofProject, type Projects } from '../database/project.ts';
import type { Schema } from '../database/schema.ts';

export type BulkRow = Schema['bulks'];
export type RecipientRow = Schema['bulk_recipients'];

/** A recipient whose message is in the outbox. */
export type QueuedRow = Pick<RecipientRow, 'number' | 'message_id' | 'verification_id'>;

/** Bulk jobs and their recipients as they are stored. */
export type BulkRepository = ReturnType<typeof bulkRepository>;

export function bulkRepository(database: Database) {
  const from = database.prepare<{ bulkId: string; number: number; limit: number }, RecipientRow>(
    (db, value) =>
      db
        .selectFrom('bulk_recipients')
        .selectAll()
        .where('bulk_id', '=', value('bulkId'))
        .where('number', '>=', value('number'))
        .orderBy('number')
        .limit(value('limit')),
  );
  const queued = database.prepare<{ bulkId: string }, QueuedRow>((db, value) =>
    db
      .selectFrom('bulk_recipients')
      .select(['number', 'message_id', 'verification_id'])
      .where('bulk_id', '=', value('bulkId'))
      .where('status', '=', sql.lit('queued'))
      .orderBy('number'),
  );
  const leaveWaiting = database.prepareChange<
    Pick<RecipientRow, 'bulk_id' | 'number' | 'status' | 'reason' | 'message_id' | 'verification_id'>
  >((db, value) =>
    db
      .updateTable('bulk_recipients')
      .set({
        status: value('status'),
        reason: value('reason'),
        message_id: value('message_id'),
        verification_id: value('verification_id'),
        content: null,
      })
      .where('bulk_id', '=', value('bulk_id'))
      .where('number', '=', value('number'))
      .where('status', '=', sql.lit('waiting')),
  );
  const leaveQueued = database.prepareChange<
    Pick<RecipientRow, 'bulk_id' | 'number' | 'status' | 'reason' | 'message_id'>
  >((db, value) =>
    db
      .updateTable('bulk_recipients')
      .set({ status: value('status'), reason: value('reason'), message_id: value('message_id') })
      .where('bulk_id', '=', value('bulk_id'))
      .where('number', '=', value('number'))
      .where('status', '=', sql.lit('queued')),
  );

  return {
    async insert(trx: Transaction, row: BulkRow): Promise<void> {
      await trx.insertInto('bulks').values(row).execute();
    },

    async insertRecipients(
      trx: Transaction,
      rows: readonly Omit<RecipientRow, 'message_id' | 'verification_id'>[],
    ): Promise<void> {
      if (rows.length === 0) return;
      const inserted = rows.map((row) => ({ ...row, message_id: null, verification_id: null }));
      await trx.insertInto('bulk_recipients').values(inserted).execute();
    },

    /** A job of a project that has been accepted. */
    byId: (executor: Executor, projectId: number, id: string): Promise<BulkRow | undefined> =>
      executor
        .selectFrom('bulks')
        .selectAll()
        .where('id', '=', id)
        .where('project_id', '=', projectId)
        .where('status', '<>', 'accepting')
        .executeTakeFirst(),

    byIdInAnyProject: (executor: Executor, id: string): Promise<BulkRow | undefined> =>
      executor.selectFrom('bulks').selectAll().where('id', '=', id).executeTakeFirst(),

    /** A project's jobs that have been accepted, newest first, older than the one with the id `before`. */
    list: (
      executor: Executor,
      projectId: number,
      { before, limit }: { before: string | undefined; limit: number },
    ): Promise<BulkRow[]> =>
      executor
        .selectFrom('bulks')
        .selectAll()
        .where(ofProject(projectId))
        .where('status', '<>', 'accepting')
        .$if(before !== undefined, (query) => query.where('id', '<', before!))
        .orderBy('id', 'desc')
        .limit(limit)
        .execute(),

    /** The ids of the jobs that there is something to do for, oldest first. */
    async active(executor: Executor): Promise<string[]> {
      const rows = await executor
        .selectFrom('bulks')
        .select('id')
        .where('active', '=', sql.lit(1))
        .where('status', '<>', 'accepting')
        .orderBy('id')
        .execute();
      return rows.map(({ id }) => id);
    },

    /** Changes a job, whatever its state. */
    async update(trx: Transaction, id: string, change: Partial<BulkRow>): Promise<void> {
      await trx.updateTable('bulks').set(change).where('id', '=', id).execute();
    },

    /** Recipients from a number on, in order. */
    from: (executor: Executor, bulkId: string, number: number, limit: number): Promise<RecipientRow[]> =>
      from(executor, { bulkId, number, limit }),

    /** Recipients whose message is in the outbox, in order. */
    queued: (executor: Executor, bulkId: string): Promise<QueuedRow[]> => queued(executor, { bulkId }),

    /** A recipient's turn has come: there is a message for it, or there will be none. False when it had come before. */
    async leaveWaiting(
      trx: Transaction,
      row: Pick<RecipientRow, 'bulk_id' | 'number' | 'status' | 'reason' | 'message_id' | 'verification_id'>,
    ): Promise<boolean> {
      return (await leaveWaiting(trx, row)) === 1;
    },

    /** It is known what became of a recipient's message. False when it was known before. */
    async leaveQueued(
      trx: Transaction,
      row: Pick<RecipientRow, 'bulk_id' | 'number' | 'status' | 'reason' | 'message_id'>,
    ): Promise<boolean> {
      return (await leaveQueued(trx, row)) === 1;
    },

    /** Nothing is sent any more to those who wait, from one number to another; resolves to how many they are. */
    async cancelWaiting(trx: Transaction, bulkId: string, first: number, end: number): Promise<number> {
      const { numUpdatedRows } = await trx
        .updateTable('bulk_recipients')
        .set({ status: 'canceled', content: null })
        .where('bulk_id', '=', bulkId)
        .where('number', '>=', first)
        .where('number', '<', end)
        .where('status', '=', 'waiting')
        .executeTakeFirst();
      return Number(numUpdatedRows);
    },

    /** The job that ended first, before `time` (Unix ms). */
    endedBefore: (
      executor: Executor,
      projects: Projects,
      time: number,
    ): Promise<Pick<BulkRow, 'id'> | undefined> =>
      executor
        .selectFrom('bulks')
        .select('id')
        .where('completed_at', 'is not', null)
        .where('completed_at', '<', time)
        .where(inProjects(projects))
        .orderBy('completed_at')
        .limit(1)
        .executeTakeFirst(),

    /** A job whose recipients began to be stored before the one with the id `before` would have, and that was never accepted. */
    abandonedBefore: (executor: Executor, before: string): Promise<Pick<BulkRow, 'id'> | undefined> =>
      executor
        .selectFrom('bulks')
        .select('id')
        .where('active', '=', sql.lit(1))
        .where('status', '=', 'accepting')
        .where('id', '<', before)
        .limit(1)
        .executeTakeFirst(),

    /** Deletes up to `limit` recipients of a job, in order; resolves to what they were. */
    async removeRecipients(trx: Transaction, bulkId: string, limit: number): Promise<RecipientRow[]> {
      return trx
        .deleteFrom('bulk_recipients')
        .where('bulk_id', '=', bulkId)
        .where('number', 'in', (eb) =>
          eb
            .selectFrom('bulk_recipients')
            .select('number')
            .where('bulk_id', '=', bulkId)
            .orderBy('number')
            .limit(limit),
        )
        .returningAll()
        .execute();
    },

    async remove(trx: Transaction, id: string): Promise<void> {
      await trx.deleteFrom('bulks').where('id', '=', id).execute();
    },
  };
}
