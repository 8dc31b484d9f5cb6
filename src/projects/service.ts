import type { Database } from '../database/database.ts';
import { DEFAULT_PROJECT } from '../database/project.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';

/** Projects: the tenants to which keys and verifications belong. */
export function projectService({ database, clock }: { database: Database; clock: Clock }) {
  return {
    /** The id (`prj_…`) of the default project, which is made when there is none. */
    ensureDefault(): Promise<string> {
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
        const row = { id, number: DEFAULT_PROJECT, name: 'Default', created_at: now };
        await trx.insertInto('projects').values(row).execute();
        return id;
      });
    },

    /** The number of the project that the API calls `id`; undefined when there is none. */
    async numberOf(id: string): Promise<number | undefined> {
      const query = database.reader.selectFrom('projects').select('number').where('id', '=', id);
      return (await query.executeTakeFirst())?.number;
    },
  };
}
