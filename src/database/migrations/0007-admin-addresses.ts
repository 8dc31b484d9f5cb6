import type { ColumnDataType, Kysely } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** Where the administrator signs in from: strangers' guesses at the password cannot lock these addresses out. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text } = engineTypes(db);
  const time: ColumnDataType = 'bigint';
  await db.schema
    .createTable('admin_addresses')
    .addColumn('address', text, (c) => c.primaryKey().notNull())
    .addColumn('signed_in_at', time, (c) => c.notNull())
    .execute();
}
