import type { Database } from '../database/database.ts';
import type { Clock } from '../lib/clock.ts';
import { newId } from '../lib/id.ts';

const DEFAULT_PROJECT_SETTING = 'default_project_id';

/** Projects: the tenants to which keys and verifications belong. */
export function projectService({ database, clock }: { database: Database; clock: Clock }) {
  return {
    /** The id of the default project, which is made when there is none. */
    ensureDefault(): Promise<string> {
      return database.transaction(async (trx) => {
        await database.serialize(trx, DEFAULT_PROJECT_SETTING);
        const known = await trx
          .selectFrom('settings')
          .select('value')
          .where('key', '=', DEFAULT_PROJECT_SETTING)
          .executeTakeFirst();
        if (known) return known.value;
        const now = clock.now();
        const id = newId('prj', now);
        await trx.insertInto('projects').values({ id, name: 'Default', created_at: now }).execute();
        await trx.insertInto('settings').values({ key: DEFAULT_PROJECT_SETTING, value: id }).execute();
        return id;
      });
    },

    async exists(id: string): Promise<boolean> {
      const found = await database.reader.selectFrom('projects').select('id').where('id', '=', id).execute();
      return found.length > 0;
    },
  };
}
