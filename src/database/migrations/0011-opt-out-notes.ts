import type { Kysely } from 'kysely';

/** Why a number is on the list of opt-outs, in the operator's words. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('suppressed_numbers').addColumn('note', 'text').execute();
}
