import type { ColumnDataType, Kysely } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** What sending over WhatsApp has to remember. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text } = engineTypes(db);

  const time: ColumnDataType = 'bigint';

  await db.schema
    .createTable('suppressed_numbers')
    .addColumn('project_id', text, (c) => c.notNull())
    .addColumn('identity', text, (c) => c.notNull())
    .addColumn('phone', text, (c) => c.notNull())
    .addColumn('created_at', time, (c) => c.notNull())
    .addPrimaryKeyConstraint('suppressed_numbers_key', ['project_id', 'identity'])
    .execute();

  await db.schema
    .createTable('whatsapp_numbers')
    .addColumn('phone', text, (c) => c.primaryKey().notNull())
    .addColumn('jid', text)
    .addColumn('checked_at', time, (c) => c.notNull())
    .execute();

  await db.schema
    .createTable('whatsapp_chats')
    .addColumn('phone', text, (c) => c.notNull())
    .addColumn('session_id', text, (c) => c.notNull())
    .addColumn('last_wrote_at', time, (c) => c.notNull())
    .addPrimaryKeyConstraint('whatsapp_chats_key', ['phone', 'session_id'])
    .execute();

  await db.schema
    .createTable('whatsapp_senders')
    .addColumn('session_id', text, (c) => c.primaryKey().notNull())
    .addColumn('day', 'integer', (c) => c.notNull())
    .addColumn('sent_today', 'integer', (c) => c.notNull())
    .addColumn('stopped_until', time)
    .addColumn('stops', 'integer', (c) => c.notNull())
    .execute();
}
