import { sql } from 'kysely';
import type { Database, Executor, Transaction } from '../database/database.ts';
import { RateLimitError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { firstIdAt } from '../lib/id.ts';
import type { Settings } from '../settings/settings.ts';

/** Where several processes count, a count has so many parts: a send locks one of them until its commit. */
const SHARED_PARTS = 8;
/** Percents of the quota that are reported, each once a month. */
const REPORTED = [80, 100] as const;

/** A calendar month, UTC. */
interface Month {
  /** The year and the month: 202612. */
  number: number;
  /** Unix ms; the end is the beginning of the next. */
  begin: number;
  end: number;
}

function monthAt(time: number): Month {
  const date = new Date(time);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return { number: year * 100 + month + 1, begin: Date.UTC(year, month), end: Date.UTC(year, month + 1) };
}

const labelOf = ({ number }: Month) => `${Math.floor(number / 100)}-${String(number % 100).padStart(2, '0')}`;

/** Messages by project and month, where a project has a MONTHLY_QUOTA; where it has none, nothing is read or written. */
export type MonthlyQuota = ReturnType<typeof monthlyQuota>;

export function monthlyQuota(deps: {
  database: Database;
  clock: Clock;
  events: EventRecorder;
  settings: Settings;
}) {
  const { database, clock, events, settings } = deps;
  const parts = database.isExclusive ? 1 : SHARED_PARTS;
  /** The quota, and the month, for which this process knows that the parts are level. */
  const level = new Map<number, { month: number; quota: number }>();
  /** Projects that a message was counted for since it was last looked whether that is to be reported. */
  const touched = new Set<number>();

  // A part takes its share of the quota, so all together never take more. A part that another send holds is passed over.
  const addOne = database.prepareChange<{ projectId: number; month: number; quota: number }>((db, value) => ({
    compile: () =>
      (database.isExclusive
        ? sql`update monthly_messages set count = count + 1
            where project_id = ${value('projectId')} and month = ${value('month')} and part = 0
              and count < ${value('quota')}`
        : sql`update monthly_messages set count = count + 1
            where project_id = ${value('projectId')} and month = ${value('month')} and part = (
              select part from monthly_messages
              where project_id = ${value('projectId')} and month = ${value('month')}
                and count < (${value('quota')}::bigint + ${sql.lit(SHARED_PARTS - 1)} - part) / ${sql.lit(SHARED_PARTS)}
              order by random() limit 1 for update skip locked)`
      ).compile(db),
  }));

  const countsOf = (executor: Executor, projectId: number, month: number) =>
    executor
      .selectFrom('monthly_messages')
      .select(['part', 'count', 'reported'])
      .where('project_id', '=', projectId)
      .where('month', '=', month)
      .orderBy('part');
  const sum = (rows: readonly { count: number }[]) => rows.reduce((total, { count }) => total + count, 0);

  /** The messages that were put into the outbox in a month before they were counted, as far as they are kept. */
  async function storedSince(trx: Transaction, projectId: number, begin: number): Promise<number> {
    const { count } = await trx
      .selectFrom('messages')
      .select((eb) => eb.fn.countAll<number | string>().as('count'))
      .where('id', '>=', firstIdAt('msg', begin))
      .where('project_id', '=', projectId)
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  function exceeded(quota: number, { begin, end }: Month): RateLimitError {
    const seconds = Math.max(1, Math.ceil((end - clock.now()) / 1000));
    return new RateLimitError(
      `This project has sent the ${quota} messages that its MONTHLY_QUOTA allows. The next month begins in ${seconds} s.`,
      seconds,
      { name: 'monthly-quota', quota, windowMs: end - begin, resetAt: end },
      'QUOTA_EXCEEDED',
    );
  }

  /** Counts one message alone with all parts, and makes them level: at first, after a change of the quota, and near its end. */
  async function addAlone(trx: Transaction, projectId: number, quota: number, month: Month): Promise<void> {
    const seen = await countsOf(trx, projectId, month.number).execute();
    if (seen.length === parts && sum(seen) >= quota) throw exceeded(quota, month);
    await database.serialize(trx, `quota of ${projectId}`);
    const query = countsOf(trx, projectId, month.number);
    const rows = await (database.isExclusive ? query : query.forUpdate()).execute();
    const used = rows.length > 0 ? sum(rows) : await storedSince(trx, projectId, month.begin);
    if (used >= quota) throw exceeded(quota, month);
    await write(trx, projectId, month, used + 1);
  }

  async function write(trx: Transaction, projectId: number, month: Month, total: number): Promise<void> {
    for (let part = 0; part < parts; part++) {
      const count = Math.floor((total + parts - 1 - part) / parts);
      const key = { project_id: projectId, month: month.number, part };
      await trx
        .insertInto('monthly_messages')
        .values({ ...key, count, reported: 0 })
        .onConflict((conflict) => conflict.columns(['project_id', 'month', 'part']).doUpdateSet({ count }))
        .execute();
    }
  }

  /** A count that is missing is kept, so that refusals need not read all messages of the month. */
  async function begin(projectId: number, month: Month): Promise<void> {
    await database.transaction(async (trx) => {
      await database.serialize(trx, `quota of ${projectId}`);
      if ((await countsOf(trx, projectId, month.number).execute()).length > 0) return;
      await write(trx, projectId, month, await storedSince(trx, projectId, month.begin));
    });
  }

  async function count(trx: Transaction, projectId: number, quota: number): Promise<void> {
    const month = monthAt(clock.now());
    touched.add(projectId);
    const known = level.get(projectId);
    const isLevel = known?.month === month.number && known.quota === quota;
    if (isLevel && (await addOne(trx, { projectId, month: month.number, quota })) > 0) return;
    await addAlone(trx, projectId, quota, month);
    database.afterCommit(trx, () => level.set(projectId, { month: month.number, quota }));
  }

  /** Reports what a project has reached and was not reported in this month. */
  async function reportOf(projectId: number, quota: number, month: Month): Promise<void> {
    const known = await countsOf(database.reader, projectId, month.number).execute();
    if (known.length === 0) await begin(projectId, month);
    const rows =
      known.length > 0 ? known : await countsOf(database.reader, projectId, month.number).execute();
    const used = sum(rows);
    const reached = (reported: number) =>
      REPORTED.filter((percent) => percent > reported && used >= (quota * percent) / 100);
    if (reached(rows[0]?.reported ?? 100).length === 0) return;
    await database.transaction(async (trx) => {
      await database.serialize(trx, `report of ${projectId}`);
      const [first] = await countsOf(trx, projectId, month.number).execute();
      for (const percent of reached(first?.reported ?? 100)) {
        await trx
          .updateTable('monthly_messages')
          .set({ reported: percent })
          .where('project_id', '=', projectId)
          .where('month', '=', month.number)
          .where('part', '=', 0)
          .execute();
        const data = { percent, quota, used, month: labelOf(month) };
        await events.record(trx, { type: 'project.quota_reached', projectId, data });
      }
    });
  }

  return {
    /**
     * Counts one message of a project, in the transaction that puts it into the outbox; undefined where it has no quota.
     * @throws RateLimitError QUOTA_EXCEEDED, before anything was written
     */
    take(trx: Transaction, projectId: number): Promise<void> | undefined {
      const quota = settings.of(projectId).monthlyQuota;
      return quota === undefined ? undefined : count(trx, projectId, quota);
    },

    /** Takes up what was counted and not reported before the last stop. */
    async resume(): Promise<void> {
      const { number } = monthAt(clock.now());
      const rows = await database.reader
        .selectFrom('monthly_messages')
        .select('project_id')
        .where('month', '=', number)
        .where('part', '=', 0)
        .execute();
      for (const { project_id } of rows) touched.add(project_id);
    },

    /** Records `project.quota_reached` where a project has used 80 or 100 percent; once each in a month, on however many nodes. */
    async report(): Promise<void> {
      const projects = [...touched];
      touched.clear();
      const month = monthAt(clock.now());
      for (const projectId of projects) {
        const quota = settings.of(projectId).monthlyQuota;
        if (quota !== undefined) await reportOf(projectId, quota, month);
      }
    },

    /** Deletes counts of earlier months, and of projects that have no quota any more. */
    async forget(trx: Transaction): Promise<void> {
      const rows = await trx.selectFrom('monthly_messages').select('project_id').distinct().execute();
      const without = rows
        .map(({ project_id }) => project_id)
        .filter((projectId) => settings.of(projectId).monthlyQuota === undefined);
      const { number } = monthAt(clock.now());
      await trx.deleteFrom('monthly_messages').where('month', '<', number).execute();
      if (without.length > 0) {
        await trx.deleteFrom('monthly_messages').where('project_id', 'in', without).execute();
      }
    },
  };
}
