import type { Actor } from '../database/acts.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import { DEFAULT_PROJECT } from '../database/project.ts';
import type { Schema } from '../database/schema.ts';
import { ConflictError, NotFoundError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';
import { kindsIn } from './contents.ts';

type ProjectRow = Schema['projects'];

/** A tenant as administrators see it. Times are Unix ms. */
export interface Project {
  /** `prj_…` */
  id: string;
  name: string;
  /** Whether everything belongs to it that names no project. */
  isDefault: boolean;
  createdAt: number;
}

/** The row of `settings` with the highest number that was ever given: a deleted project's is not given again. */
const LAST_NUMBER = 'last_project_number';

const toProject = ({ id, number, name, created_at }: ProjectRow): Project => ({
  id,
  name,
  isDefault: number === DEFAULT_PROJECT,
  createdAt: created_at,
});

/** Projects: the tenants to which keys and verifications belong. */
export type ProjectService = ReturnType<typeof projectService>;

export function projectService(deps: {
  database: Database;
  clock: Clock;
  events: EventRecorder;
  /** Ends all keys of a project with the transaction. */
  revokeKeys: (trx: Transaction, projectId: number) => Promise<void>;
}) {
  const { database, clock, events, revokeKeys } = deps;
  const numberOf = database.prepare<{ id: string }, { number: number }>((db, value) =>
    db.selectFrom('projects').select('number').where('id', '=', value('id')).where('deleted_at', 'is', null),
  );

  async function find(executor: Executor, id: string): Promise<ProjectRow> {
    const row = await executor
      .selectFrom('projects')
      .selectAll()
      .where('id', '=', id)
      .where('deleted_at', 'is', null)
      .executeTakeFirst();
    if (!row) throw new NotFoundError('There is no project with this id.');
    return row;
  }

  async function nextNumber(trx: Transaction): Promise<number> {
    const last = await trx
      .selectFrom('settings')
      .select('value')
      .where('key', '=', LAST_NUMBER)
      .executeTakeFirst();
    const highest = await trx
      .selectFrom('projects')
      .select((eb) => eb.fn.max('number').as('number'))
      .executeTakeFirstOrThrow();
    const number = Math.max(Number(last?.value ?? 0), Number(highest.number)) + 1;
    const row = { key: LAST_NUMBER, value: String(number) };
    await trx
      .insertInto('settings')
      .values(row)
      .onConflict((conflict) => conflict.column('key').doUpdateSet(row))
      .execute();
    return number;
  }

  return {
    /** The number of the project that the API calls `id`; undefined when there is none. */
    async numberOf(id: string): Promise<number | undefined> {
      const [row] = await numberOf(database.reader, { id });
      return row?.number;
    },

    /** A page of the projects, oldest first. */
    async list({ cursor, limit }: { cursor?: string | undefined; limit: number }) {
      let query = database.reader.selectFrom('projects').selectAll().where('deleted_at', 'is', null);
      if (cursor !== undefined) query = query.where('id', '>', cursor);
      const rows = await query
        .orderBy('id')
        .limit(limit + 1)
        .execute();
      const shown = rows.slice(0, limit);
      return { projects: shown.map(toProject), next: rows.length > limit ? shown.at(-1)!.id : null };
    },

    /** Throws NotFoundError. */
    async get(id: string): Promise<Project> {
      return toProject(await find(database.reader, id));
    },

    async create(trx: Transaction, name: string, by: Actor): Promise<Project> {
      await database.serialize(trx, 'projects');
      const now = clock.now();
      const id = newId('prj', now);
      const row = { id, number: await nextNumber(trx), name, created_at: now, deleted_at: null };
      await trx.insertInto('projects').values(row).execute();
      const data = { project: id, name };
      await events.record(trx, { type: 'project.created', projectId: row.number, data, by });
      return toProject(row);
    },

    /** Throws NotFoundError. */
    async rename(trx: Transaction, id: string, name: string, by: Actor): Promise<Project> {
      await database.serialize(trx, 'projects');
      const row = await find(trx, id);
      if (row.name !== name) {
        await trx.updateTable('projects').set({ name }).where('id', '=', id).execute();
        const data = { project: id, name };
        await events.record(trx, { type: 'project.renamed', projectId: row.number, data, by });
      }
      return toProject({ ...row, name });
    },

    /**
     * Deletes a project: its keys end with the transaction, it is unknown from then on, and its data are erased afterwards.
     * @throws NotFoundError; ConflictError for the default project, and for one that is not empty unless `erase` is set
     */
    async remove(trx: Transaction, id: string, { erase, by }: { erase: boolean; by: Actor }): Promise<void> {
      await database.serialize(trx, 'projects');
      const { number, name } = await find(trx, id);
      if (number === DEFAULT_PROJECT) {
        throw new ConflictError(
          'The default project cannot be deleted: calls without `projectId` act on it.',
        );
      }
      const kinds = erase ? [] : await kindsIn(trx, number);
      if (kinds.length > 0) {
        throw new ConflictError(
          `The project is not empty. It has ${kinds.join(', ')}. Add \`?erase=true\` to delete them with it.`,
        );
      }
      await revokeKeys(trx, number);
      await trx
        .updateTable('webhook_endpoints')
        .set({ enabled: 0 })
        .where('project_id', '=', number)
        .execute();
      await trx.updateTable('projects').set({ deleted_at: clock.now() }).where('id', '=', id).execute();
      const data = { project: id, name };
      await events.record(trx, { type: 'project.deleted', projectId: number, data, by });
    },
  };
}

/** The id (`prj_…`) of the default project, which is created when there is none. */
export function ensureDefaultProject({
  database,
  clock,
}: {
  database: Database;
  clock: Clock;
}): Promise<string> {
  return database.transaction(async (trx) => {
    await database.serialize(trx, 'default project');
    const known = await trx
      .selectFrom('projects')
      .select('id')
      .where('number', '=', DEFAULT_PROJECT)
      .executeTakeFirst();
    if (known) return known.id;
    const now = clock.now();
    const id = newId('prj', now);
    const row = { id, number: DEFAULT_PROJECT, name: 'Default', created_at: now, deleted_at: null };
    await trx.insertInto('projects').values(row).execute();
    return id;
  });
}
