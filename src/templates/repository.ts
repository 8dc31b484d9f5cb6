import type { Database, Executor, Transaction } from '../database/database.ts';
import { inProjects, ofProject, type Projects } from '../database/project.ts';
import type { Schema } from '../database/schema.ts';

type TemplateRow = Schema['templates'];
/** A template with the texts of its present version. */
export type FoundTemplate = TemplateRow & { content: string };
export type VersionRow = Schema['template_versions'];

/** Templates as they are stored; every query but those by an id that was stored carries the project. */
export interface TemplateRepository {
  insert(trx: Transaction, row: TemplateRow): Promise<void>;
  addVersion(trx: Transaction, row: VersionRow): Promise<void>;
  update(
    trx: Transaction,
    id: string,
    change: Pick<TemplateRow, 'name' | 'version' | 'is_active' | 'updated_at'>,
  ): Promise<void>;
  /** Hides a template; what was made from it can still be read. */
  markDeleted(trx: Transaction, id: string, at: number): Promise<void>;
  byId(executor: Executor, projectId: number, id: string): Promise<FoundTemplate | undefined>;
  byCode(executor: Executor, projectId: number, code: string): Promise<FoundTemplate | undefined>;
  version(executor: Executor, id: string, version: number): Promise<VersionRow | undefined>;
  /** Newest first; `before` is the version after which to go on. */
  versions(
    executor: Executor,
    id: string,
    page: { before: number | undefined; limit: number },
  ): Promise<VersionRow[]>;
  /** The ids of a project's templates, newest first; `before` is the id after which to go on. */
  ids(
    executor: Executor,
    projectId: number,
    page: { before: string | undefined; limit: number; code: string | undefined },
  ): Promise<string[]>;
  /** Templates by ids that `ids` has given, newest first. */
  byIds(executor: Executor, ids: readonly string[]): Promise<FoundTemplate[]>;
  /** How many templates a project has. */
  count(trx: Transaction, projectId: number): Promise<number>;
  /** How many versions of a template are kept. */
  countVersions(trx: Transaction, id: string): Promise<number>;
  /** Deletes versions up to a number whose successor came before a time (Unix ms). */
  forgetVersions(
    trx: Transaction,
    id: string,
    which: { upTo: number; replacedBefore: number },
  ): Promise<void>;
  addUsage(trx: Transaction, id: string, count: number): Promise<void>;
  /** Deletes those of some projects that were deleted before a time (Unix ms), up to `limit`; resolves to how many there were. */
  forget(trx: Transaction, projects: Projects, before: number, limit: number): Promise<number>;
}

export function templateRepository(database: Database): TemplateRepository {
  const withContent = (db: Executor) => withAnyContent(db).where('deleted_at', 'is', null);
  const withAnyContent = (db: Executor) =>
    db
      .selectFrom('templates')
      .innerJoin('template_versions', (join) =>
        join
          .onRef('template_versions.template_id', '=', 'templates.id')
          .onRef('template_versions.version', '=', 'templates.version'),
      )
      .selectAll('templates')
      .select('template_versions.content');

  const byCode = database.prepare<{ projectId: number; code: string }, FoundTemplate>((db, value) =>
    withContent(db).where('project_id', '=', value('projectId')).where('code', '=', value('code')),
  );
  const version = database.prepare<{ id: string; version: number }, VersionRow>((db, value) =>
    db
      .selectFrom('template_versions')
      .selectAll()
      .where('template_id', '=', value('id'))
      .where('version', '=', value('version')),
  );
  const addUsage = database.prepareChange<{ id: string; count: number }>((db, value) =>
    db
      .updateTable('templates')
      .set((eb) => ({ usage_count: eb('usage_count', '+', value('count')) }))
      .where('id', '=', value('id')),
  );

  return {
    async insert(trx, row) {
      await trx.insertInto('templates').values(row).execute();
    },
    async addVersion(trx, row) {
      await trx.insertInto('template_versions').values(row).execute();
    },
    async update(trx, id, change) {
      await trx.updateTable('templates').set(change).where('id', '=', id).execute();
    },
    async markDeleted(trx, id, at) {
      await trx.updateTable('templates').set({ deleted_at: at }).where('id', '=', id).execute();
    },
    byId: (executor, projectId, id) =>
      withContent(executor).where('id', '=', id).where('project_id', '=', projectId).executeTakeFirst(),
    async byCode(executor, projectId, code) {
      const [row] = await byCode(executor, { projectId, code });
      return row;
    },
    async version(executor, id, number) {
      const [row] = await version(executor, { id, version: number });
      return row;
    },
    versions(executor, id, { before, limit }) {
      let query = executor.selectFrom('template_versions').selectAll().where('template_id', '=', id);
      if (before !== undefined) query = query.where('version', '<', before);
      return query.orderBy('version', 'desc').limit(limit).execute();
    },
    async ids(executor, projectId, { before, limit, code }) {
      let query = executor
        .selectFrom('templates')
        .select('id')
        .where(ofProject(projectId))
        .where('deleted_at', 'is', null);
      if (before !== undefined) query = query.where('id', '<', before);
      if (code !== undefined) query = query.where('code', '=', code);
      const rows = await query.orderBy('id', 'desc').limit(limit).execute();
      return rows.map(({ id }) => id);
    },
    byIds: async (executor, ids) =>
      ids.length === 0 ? [] : withAnyContent(executor).where('id', 'in', ids).orderBy('id', 'desc').execute(),
    async count(trx, projectId) {
      const { count } = await trx
        .selectFrom('templates')
        .select((eb) => eb.fn.countAll().as('count'))
        .where('project_id', '=', projectId)
        .where('deleted_at', 'is', null)
        .executeTakeFirstOrThrow();
      return Number(count);
    },
    async countVersions(trx, id) {
      const { count } = await trx
        .selectFrom('template_versions')
        .select((eb) => eb.fn.countAll().as('count'))
        .where('template_id', '=', id)
        .executeTakeFirstOrThrow();
      return Number(count);
    },
    async forgetVersions(trx, id, { upTo, replacedBefore }) {
      await trx
        .deleteFrom('template_versions')
        .where('template_id', '=', id)
        .where('version', '<=', upTo)
        .where('version', '<', (eb) =>
          eb
            .selectFrom('template_versions as newer')
            .select((of) => of.fn.max('newer.version').as('version'))
            .where('newer.template_id', '=', id)
            .where('newer.created_at', '<', replacedBefore),
        )
        .execute();
    },
    async addUsage(trx, id, count) {
      await addUsage(trx, { id, count });
    },
    async forget(trx, projects, before, limit) {
      const rows = await trx
        .selectFrom('templates')
        .select('id')
        .where('deleted_at', '<', before)
        .where(inProjects(projects))
        .limit(limit)
        .execute();
      const ids = rows.map(({ id }) => id);
      if (ids.length === 0) return 0;
      await trx.deleteFrom('template_versions').where('template_id', 'in', ids).execute();
      await trx.deleteFrom('templates').where('id', 'in', ids).execute();
      return ids.length;
    },
  };
}
