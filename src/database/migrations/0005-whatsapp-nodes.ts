import type { Kysely } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** What lets an operator reach a session through any node: its codes in its row, and a letter box for its commands. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, binary } = engineTypes(db);

  const add = (column: string, type: typeof binary | 'integer') =>
    db.schema.alterTable('whatsapp_sessions').addColumn(column, type).execute();
  await add('sealed_codes', binary);
  await add('codes_key_version', 'integer');

  await db.schema
    .createTable('whatsapp_commands')
    .addColumn('id', text, (c) => c.primaryKey().notNull())
    .addColumn('session_id', text, (c) => c.notNull())
    .addColumn('sealed_command', binary, (c) => c.notNull())
    .addColumn('key_version', 'integer', (c) => c.notNull())
    .addColumn('asked_at', 'bigint', (c) => c.notNull())
    .addColumn('taken_at', 'bigint')
    .addColumn('sealed_answer', binary)
    .addColumn('answer_key_version', 'integer')
    .execute();
}
