import type { Kysely } from 'kysely';
import { engineTypes } from '../../../src/database/engine-types.ts';

/** Toys, by project and name. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text } = engineTypes(db);
  await db.schema
    .createTable('toys')
    .addColumn('name', text, (column) => column.notNull())
    .addColumn('project_id', 'integer', (column) => column.notNull())
    .addColumn('made_at', 'bigint', (column) => column.notNull())
    .addColumn('windings', 'integer', (column) => column.notNull().defaultTo(0))
    .addPrimaryKeyConstraint('toys_key', ['project_id', 'name'])
    .execute();
}
