import type { Kysely } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** What a client address, or a block of numbers, was lately sent: the limits over many phones. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text } = engineTypes(db);
  await db.schema
    .createTable('recent_sends')
    .addColumn('key', text, (c) => c.primaryKey().notNull())
    .addColumn('verifications', text, (c) => c.notNull())
    .addColumn('used_hour', 'integer', (c) => c.notNull())
    .execute();
  await db.schema.createIndex('recent_sends_by_age').on('recent_sends').column('used_hour').execute();
}
