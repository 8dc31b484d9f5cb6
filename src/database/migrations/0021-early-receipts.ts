import type { Kysely } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** What providers reported under a name that no message had yet. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, binary, serial } = engineTypes(db);
  await db.schema
    .createTable('early_receipts')
    .addColumn('seq', serial, (c) => c.primaryKey())
    .addColumn('channel', text, (c) => c.notNull())
    .addColumn('provider_id', text, (c) => c.notNull())
    .addColumn('status', text, (c) => c.notNull())
    .addColumn('reason', binary)
    .addColumn('key_version', 'integer', (c) => c.notNull())
    .addColumn('expires_at', 'bigint', (c) => c.notNull())
    .execute();
}
