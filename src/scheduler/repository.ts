import { sql } from 'kysely';
import type { Database, Executor, Transaction } from '../database/database.ts';
import { inProjects, type Projects } from '../database/project.ts';
import type { Schema } from '../database/schema.ts';
import type { ScheduleEnding, ScheduleStatus } from './types.ts';

export type ScheduleRow = Schema['schedules'];

/** What a send at a later time consists of, as it is stored. */
type Content = Pick<
  ScheduleRow,
  'phone' | 'email' | 'purpose' | 'scheduled_at' | 'max_attempts' | 'sealed_request' | 'key_version'
>;

/** The schedules as they are stored; every query of a project's data carries the project. */
export type ScheduleRepository = ReturnType<typeof scheduleRepository>;

export function scheduleRepository(database: Database) {
  const insert = database.prepareChange<ScheduleRow>((db, value) =>
    db.insertInto('schedules').values({
      id: value('id'),
      project_id: value('project_id'),
      phone: value('phone'),
      email: value('email'),
      purpose: value('purpose'),
      scheduled_at: value('scheduled_at'),
      due_at: value('due_at'),
      status: value('status'),
      reason: value('reason'),
      attempts: value('attempts'),
      max_attempts: value('max_attempts'),
      sealed_request: value('sealed_request'),
      key_version: value('key_version'),
      verification_id: value('verification_id'),
      created_at: value('created_at'),
      ended_at: value('ended_at'),
    }),
  );
  const due = database.prepare<{ now: number; limit: number }, { id: string }>((db, value) =>
    db
      .selectFrom('schedules')
      .select('id')
      .where('status', '=', sql.lit('pending'))
      .where('due_at', '<=', value('now'))
      .orderBy('due_at')
      .limit(value('limit')),
  );
  const nextDue = database.prepare<object, { due_at: number }>((db) =>
    db
      .selectFrom('schedules')
      .select('due_at')
      .where('status', '=', sql.lit('pending'))
      .orderBy('due_at')
      .limit(sql.lit(1)),
  );
  const takeAlone = database.prepare<{ id: string; now: number }, ScheduleRow>((db, value) =>
    db
      .selectFrom('schedules')
      .selectAll()
      .where('id', '=', value('id'))
      .where('status', '=', sql.lit('pending'))
      .where('due_at', '<=', value('now')),
  );
  const take = (otherwise: 'skip' | 'wait') =>
    database.prepare<{ ids: readonly string[]; now: number }, ScheduleRow>((db, value) => {
      const pending = db
        .selectFrom('schedules')
        .selectAll()
        .where(sql<boolean>`id = any(${value('ids')})`)
        .where('status', '=', sql.lit('pending'))
        .where('due_at', '<=', value('now'))
        .forUpdate();
      return otherwise === 'skip' ? pending.skipLocked() : pending;
    });
  const takeOrSkip = take('skip');
  const takeOrWait = take('wait');
  const end = database.prepareChange<{
    id: string;
    status: ScheduleEnding;
    reason: string | null;
    attempts: number;
    verificationId: string | null;
    at: number;
  }>((db, value) =>
    db
      .updateTable('schedules')
      .set({
        status: value('status'),
        reason: value('reason'),
        attempts: value('attempts'),
        verification_id: value('verificationId'),
        ended_at: value('at'),
        sealed_request: null,
      })
      .where('id', '=', value('id'))
      .where('status', '=', sql.lit('pending')),
  );

  return {
    async insert(trx: Transaction, row: ScheduleRow): Promise<void> {
      await insert(trx, row);
    },

    /** The ids of pending schedules whose time has come, the earliest first. */
    async due(executor: Executor, now: number, limit: number): Promise<string[]> {
      return (await due(executor, { now, limit })).map(({ id }) => id);
    },

    /** When the next pending schedule is due (Unix ms); undefined when there is none. */
    async nextDue(executor: Executor): Promise<number | undefined> {
      return (await nextDue(executor, {}))[0]?.due_at;
    },

    /**
     * Those of these schedules that are pending and due; nobody else changes them until the transaction ends. What somebody
     * else has is left out with `skip`, and waited for with `wait`.
     */
    async take(
      trx: Transaction,
      ids: readonly string[],
      now: number,
      otherwise: 'skip' | 'wait',
    ): Promise<ScheduleRow[]> {
      if (!database.isExclusive) return (otherwise === 'skip' ? takeOrSkip : takeOrWait)(trx, { ids, now });
      // Where only one process writes, transactions come one after another.
      const rows: ScheduleRow[] = [];
      for (const id of ids) rows.push(...(await takeAlone(trx, { id, now })));
      return rows;
    },

    /** Leaves `pending`, and wipes the request; false when it had been left before. */
    async end(trx: Transaction, ending: Parameters<typeof end>[1]): Promise<boolean> {
      return (await end(trx, ending)) === 1;
    },

    /** Tries again later: `dueAt` is Unix ms. */
    async postpone(
      trx: Transaction,
      { id, attempts, dueAt, reason }: { id: string; attempts: number; dueAt: number; reason: string },
    ): Promise<void> {
      await trx
        .updateTable('schedules')
        .set({ attempts, due_at: dueAt, reason })
        .where('id', '=', id)
        .where('status', '=', 'pending')
        .execute();
    },

    /** Begins again with other content; false when it is no longer pending. */
    async change(trx: Transaction, id: string, content: Content): Promise<boolean> {
      const changed = await trx
        .updateTable('schedules')
        .set({ ...content, due_at: content.scheduled_at, attempts: 0, reason: null })
        .where('id', '=', id)
        .where('status', '=', 'pending')
        .returning('id')
        .execute();
      return changed.length === 1;
    },

    /** A schedule of a project; in a transaction that wants to change it, with `forChange`, alone. */
    byId(
      executor: Executor,
      projectId: number,
      id: string,
      { forChange = false } = {},
    ): Promise<ScheduleRow | undefined> {
      return executor
        .selectFrom('schedules')
        .selectAll()
        .where('id', '=', id)
        .where('project_id', '=', projectId)
        .$if(forChange && !database.isExclusive, (query) => query.forUpdate())
        .executeTakeFirst();
    },

    /** Up to `limit` of a project's schedules, newest first, after the id `before`. */
    page(
      projectId: number,
      { status, before, limit }: { status?: ScheduleStatus; before?: string; limit: number },
    ): Promise<ScheduleRow[]> {
      let query = database.reader.selectFrom('schedules').selectAll().where('project_id', '=', projectId);
      if (status !== undefined) query = query.where('status', '=', status);
      if (before !== undefined) query = query.where('id', '<', before);
      return query.orderBy('id', 'desc').limit(limit).execute();
    },

    /** Deletes up to `limit` that ended before `time` (Unix ms), the oldest first; resolves to how many went. */
    async removeEnded(trx: Transaction, projects: Projects, time: number, limit: number): Promise<number> {
      const removed = await trx
        .deleteFrom('schedules')
        .where('id', 'in', (eb) =>
          eb
            .selectFrom('schedules')
            .select('id')
            .where('ended_at', 'is not', null)
            .where('ended_at', '<', time)
            .where(inProjects(projects))
            .orderBy('ended_at')
            .limit(limit),
        )
        .returning('id')
        .execute();
      return removed.length;
    },
  };
}
