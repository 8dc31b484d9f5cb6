import type { Kysely } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** What the caller wants to be kept with a retry: each message of a verification can have its own. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text } = engineTypes(db);
  await db.schema.alterTable('messages').addColumn('metadata', text).execute();
}
