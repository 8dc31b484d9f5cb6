import type { Kysely } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** Which key created a key: with the one the other ends. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text } = engineTypes(db);
  await db.schema.alterTable('api_keys').addColumn('parent_id', text).execute();
}
