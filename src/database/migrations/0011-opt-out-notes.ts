import type { Kysely } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** Why an operator put a number on the list of opt-outs. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text } = engineTypes(db);
  await db.schema.alterTable('suppressed_numbers').addColumn('note', text).execute();
}
