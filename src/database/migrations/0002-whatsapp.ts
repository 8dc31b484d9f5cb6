import type { Kysely } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** The linked WhatsApp numbers and what each needs to stay linked. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { binary } = engineTypes(db);

  await db.schema
    .createTable('whatsapp_sessions')
    .addColumn('id', 'text', (c) => c.primaryKey().notNull())
    .addColumn('project_id', 'text', (c) => c.notNull().references('projects.id'))
    .addColumn('name', 'text')
    .addColumn('sealed_proxy', binary)
    .addColumn('key_version', 'integer', (c) => c.notNull())
    .addColumn('phone', 'text')
    .addColumn('state', 'text', (c) => c.notNull())
    .addColumn('reason', 'text')
    .addColumn('next_attempt_at', 'bigint')
    .addColumn('linked_at', 'bigint')
    .addColumn('phone_seen_at', 'bigint')
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('lease_owner', 'text')
    .addColumn('lease_until', 'bigint', (c) => c.notNull())
    .addColumn('lease', 'integer', (c) => c.notNull())
    .execute();

  await db.schema
    .createTable('whatsapp_auth')
    .addColumn('session_id', 'text', (c) => c.notNull().references('whatsapp_sessions.id'))
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('key', 'text', (c) => c.notNull())
    .addColumn('sealed', binary, (c) => c.notNull())
    .addColumn('key_version', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('whatsapp_auth_key', ['session_id', 'kind', 'key'])
    .execute();
}
