import { type Kysely, sql } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** Endpoints of projects, and what is delivered to them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, binary, serial } = engineTypes(db);
  await db.schema
    .createTable('webhook_endpoints')
    .addColumn('id', text, (c) => c.primaryKey().notNull())
    .addColumn('project_id', 'integer', (c) => c.notNull())
    .addColumn('url', text, (c) => c.notNull())
    .addColumn('events', text, (c) => c.notNull())
    .addColumn('description', text)
    .addColumn('origin', text, (c) => c.notNull())
    .addColumn('enabled', 'integer', (c) => c.notNull())
    .addColumn('disabled_reason', text)
    .addColumn('deleted', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('sealed', binary, (c) => c.notNull())
    .addColumn('key_version', 'integer', (c) => c.notNull())
    .addColumn('failing_since', 'bigint')
    .addColumn('recover_since', 'bigint')
    .addColumn('recover_cursor', text)
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .execute();
  await db.schema
    .createTable('webhook_deliveries')
    .addColumn('seq', serial, (c) => c.primaryKey())
    .addColumn('id', text, (c) => c.notNull().unique())
    .addColumn('endpoint_id', text, (c) => c.notNull())
    .addColumn('event_id', text, (c) => c.notNull())
    .addColumn('type', text, (c) => c.notNull())
    .addColumn('subject', text, (c) => c.notNull())
    .addColumn('body', text, (c) => c.notNull())
    .addColumn('status', text, (c) => c.notNull())
    .addColumn('due_at', 'bigint')
    .addColumn('sending', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('claim', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('tries', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('attempts', text, (c) => c.notNull().defaultTo('[]'))
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('webhook_deliveries_by_event')
    .on('webhook_deliveries')
    .columns(['endpoint_id', 'event_id'])
    .unique()
    .execute();
  await db.schema
    .createIndex('webhook_deliveries_due')
    .on('webhook_deliveries')
    .columns(['endpoint_id', 'due_at'])
    .where(sql`status`, '=', sql.lit('pending'))
    .where(sql`due_at`, 'is not', null)
    .execute();
  await db.schema
    .createIndex('webhook_deliveries_in_order')
    .on('webhook_deliveries')
    .columns(['endpoint_id', 'subject', 'seq'])
    .where(sql`status`, '=', sql.lit('pending'))
    .execute();
  await db.schema
    .createIndex('webhook_deliveries_failed')
    .on('webhook_deliveries')
    .columns(['endpoint_id', 'event_id'])
    .where(sql`status`, '=', sql.lit('failed'))
    .execute();
}
