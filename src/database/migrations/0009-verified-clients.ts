import type { Kysely } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** From which address a phone was verified: the last guesses of a phone are kept for those. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text } = engineTypes(db);
  await db.schema.alterTable('verifications').addColumn('verified_client_ip', text).execute();
}
