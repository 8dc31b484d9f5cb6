import { type Kysely, sql } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** Sends that are made at a later time. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, binary } = engineTypes(db);

  await db.schema
    .createTable('schedules')
    .addColumn('id', text, (c) => c.primaryKey().notNull())
    .addColumn('project_id', 'integer', (c) => c.notNull())
    .addColumn('phone', text)
    .addColumn('email', text)
    .addColumn('purpose', text, (c) => c.notNull())
    .addColumn('scheduled_at', 'bigint', (c) => c.notNull())
    .addColumn('due_at', 'bigint', (c) => c.notNull())
    .addColumn('status', text, (c) => c.notNull())
    .addColumn('reason', text)
    .addColumn('attempts', 'integer', (c) => c.notNull())
    .addColumn('max_attempts', 'integer', (c) => c.notNull())
    .addColumn('sealed_request', binary)
    .addColumn('key_version', 'integer', (c) => c.notNull())
    .addColumn('verification_id', text)
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('ended_at', 'bigint')
    .execute();

  await db.schema
    .createIndex('schedules_due')
    .on('schedules')
    .column('due_at')
    .where(sql`status`, '=', sql.lit('pending'))
    .execute();
  await db.schema.createIndex('schedules_by_project').on('schedules').columns(['project_id', 'id']).execute();
  await db.schema
    .createIndex('schedules_by_status')
    .on('schedules')
    .columns(['project_id', 'status', 'id'])
    .execute();
  await db.schema
    .createIndex('schedules_ended')
    .on('schedules')
    .column('ended_at')
    .where(sql`ended_at`, 'is not', null)
    .execute();
}
