import { type Kysely, sql } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** Texts that callers keep and name in a send. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text } = engineTypes(db);
  await db.schema
    .createTable('templates')
    .addColumn('id', text, (c) => c.primaryKey().notNull())
    .addColumn('project_id', 'integer', (c) => c.notNull())
    .addColumn('code', text, (c) => c.notNull())
    .addColumn('name', text, (c) => c.notNull())
    .addColumn('version', 'integer', (c) => c.notNull())
    .addColumn('is_active', 'integer', (c) => c.notNull())
    .addColumn('usage_count', 'bigint', (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('updated_at', 'bigint', (c) => c.notNull())
    .addColumn('deleted_at', 'bigint')
    .execute();
  await db.schema
    .createIndex('templates_by_code')
    .unique()
    .on('templates')
    .columns(['project_id', 'code'])
    .where(sql`deleted_at`, 'is', null)
    .execute();

  await db.schema
    .createIndex('templates_of_other_projects')
    .on('templates')
    .columns(['project_id', 'id'])
    .where(sql`project_id`, '<>', sql.lit(1))
    .execute();

  await db.schema
    .createTable('template_versions')
    .addColumn('template_id', text, (c) => c.notNull().references('templates.id'))
    .addColumn('version', 'integer', (c) => c.notNull())
    .addColumn('content', text, (c) => c.notNull())
    .addColumn('created_at', 'bigint', (c) => c.notNull())
    .addColumn('created_by', text, (c) => c.notNull())
    .addPrimaryKeyConstraint('template_versions_key', ['template_id', 'version'])
    .execute();

  const messages = () => db.schema.alterTable('messages');
  await messages().addColumn('template', text).execute();
  await messages().addColumn('locale', text).execute();
}
