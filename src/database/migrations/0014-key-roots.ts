import { type Kysely, sql } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** The key at the head of a family of keys: the requests of all of them count against its limit. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text } = engineTypes(db);
  await db.schema.alterTable('api_keys').addColumn('root_id', text).execute();
  await sql`
    with recursive family (id, root_id) as (
      select id, parent_id from api_keys
        where parent_id in (select id from api_keys where parent_id is null)
      union all
      select child.id, family.root_id from api_keys child join family on child.parent_id = family.id
    )
    update api_keys set root_id = (select family.root_id from family where family.id = api_keys.id)
      where parent_id is not null`.execute(db);
}
