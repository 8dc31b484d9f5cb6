import type { Kysely } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** Numbers with a fixed code and no message, and verifications that know that they are of one. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, binary } = engineTypes(db);
  await db.schema
    .createTable('test_numbers')
    .addColumn('id', text, (c) => c.primaryKey())
    .addColumn('project_id', 'integer', (c) => c.notNull())
    .addColumn('address', text, (c) => c.notNull())
    .addColumn('identity', text, (c) => c.notNull())
    .addColumn('code', binary, (c) => c.notNull())
    .addColumn('key_version', 'integer', (c) => c.notNull())
    .addColumn('note', text)
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addUniqueConstraint('test_numbers_by_identity', ['project_id', 'identity'])
    .execute();
  await db.schema
    .alterTable('verifications')
    .addColumn('is_test', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
}
