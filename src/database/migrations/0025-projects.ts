import type { Kysely } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** Settings that are set over the API, what was changed in them, projects that are erased, and messages by month. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, serial } = engineTypes(db);
  await db.schema.alterTable('projects').addColumn('deleted_at', 'bigint').execute();

  await db.schema
    .createTable('setting_values')
    .addColumn('project_id', 'integer', (c) => c.notNull())
    .addColumn('key', text, (c) => c.notNull())
    .addColumn('value', text, (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_by', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('setting_values_key', ['project_id', 'key'])
    .execute();
  await db.schema
    .createTable('setting_changes')
    .addColumn('seq', serial, (c) => c.primaryKey())
    .addColumn('project_id', 'integer', (c) => c.notNull())
    .addColumn('key', text, (c) => c.notNull())
    .addColumn('old_value', text)
    .addColumn('new_value', text)
    .addColumn('changed_at', 'bigint', (c) => c.notNull())
    .addColumn('changed_by', text, (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('setting_changes_by_project')
    .on('setting_changes')
    .columns(['project_id', 'seq'])
    .execute();

  await db.schema
    .createTable('monthly_messages')
    .addColumn('project_id', 'integer', (c) => c.notNull())
    .addColumn('month', 'integer', (c) => c.notNull())
    .addColumn('part', 'integer', (c) => c.notNull())
    .addColumn('count', 'bigint', (c) => c.notNull())
    .addColumn('reported', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('monthly_messages_key', ['project_id', 'month', 'part'])
    .execute();
}
