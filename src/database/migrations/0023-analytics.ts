import type { Kysely } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** Counts of what was sent and verified, kept longer than the rows they are counted from. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text } = engineTypes(db);
  await db.schema
    .createTable('analytics_messages')
    .addColumn('project_id', 'integer', (c) => c.notNull())
    .addColumn('minutes', 'integer', (c) => c.notNull())
    .addColumn('start', 'bigint', (c) => c.notNull())
    .addColumn('messages', 'integer', (c) => c.notNull())
    .addColumn('successful', 'integer', (c) => c.notNull())
    .addColumn('failed', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('analytics_messages_key', ['project_id', 'minutes', 'start'])
    .execute();
  await db.schema
    .createTable('analytics_conversion')
    .addColumn('project_id', 'integer', (c) => c.notNull())
    .addColumn('dimension', text, (c) => c.notNull())
    .addColumn('minutes', 'integer', (c) => c.notNull())
    .addColumn('start', 'bigint', (c) => c.notNull())
    .addColumn('key', text, (c) => c.notNull())
    .addColumn('sent', 'integer', (c) => c.notNull())
    .addColumn('delivered', 'integer', (c) => c.notNull())
    .addColumn('verified', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('analytics_conversion_key', [
      'project_id',
      'dimension',
      'minutes',
      'start',
      'key',
    ])
    .execute();
  await db.schema
    .createTable('analytics_delivery')
    .addColumn('project_id', 'integer', (c) => c.notNull())
    .addColumn('dimension', text, (c) => c.notNull())
    .addColumn('minutes', 'integer', (c) => c.notNull())
    .addColumn('start', 'bigint', (c) => c.notNull())
    .addColumn('key', text, (c) => c.notNull())
    .addColumn('bin', 'integer', (c) => c.notNull())
    .addColumn('messages', 'integer', (c) => c.notNull())
    .addColumn('total_ms', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('analytics_delivery_key', [
      'project_id',
      'dimension',
      'minutes',
      'start',
      'key',
      'bin',
    ])
    .execute();
  await db.schema
    .createTable('analytics_phones')
    .addColumn('project_id', 'integer', (c) => c.notNull())
    .addColumn('start', 'bigint', (c) => c.notNull())
    .addColumn('part', 'integer', (c) => c.notNull())
    .addColumn('phones', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('analytics_phones_key', ['project_id', 'start', 'part'])
    .execute();
}
