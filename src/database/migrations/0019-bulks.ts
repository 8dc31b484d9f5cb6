import { type ColumnDataType, type Kysely, sql } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** Bulk jobs and their recipients, which are put into the outbox a few at a time. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, binary } = engineTypes(db);
  const time: ColumnDataType = 'bigint';
  const number: ColumnDataType = 'integer';

  await db.schema
    .createTable('bulks')
    .addColumn('id', text, (c) => c.primaryKey().notNull())
    .addColumn('project_id', number, (c) => c.notNull())
    .addColumn('status', text, (c) => c.notNull())
    .addColumn('content', binary, (c) => c.notNull())
    .addColumn('key_version', number, (c) => c.notNull())
    .addColumn('metadata', text)
    .addColumn('total', number, (c) => c.notNull())
    .addColumn('duplicates', number, (c) => c.notNull())
    .addColumn('rejected', number, (c) => c.notNull())
    .addColumn('successful', number, (c) => c.notNull())
    .addColumn('failed', number, (c) => c.notNull())
    .addColumn('canceled', number, (c) => c.notNull())
    .addColumn('next_number', number, (c) => c.notNull())
    .addColumn('active', number, (c) => c.notNull())
    .addColumn('reason', text)
    .addColumn('running_since', time, (c) => c.notNull())
    .addColumn('done_before', number, (c) => c.notNull())
    .addColumn('created_at', time, (c) => c.notNull())
    .addColumn('completed_at', time)
    .execute();
  await db.schema
    .createIndex('bulks_active')
    .on('bulks')
    .column('id')
    .where(sql`active`, '=', sql.lit(1))
    .execute();
  await db.schema
    .createIndex('bulks_ended')
    .on('bulks')
    .column('completed_at')
    .where(sql`completed_at`, 'is not', null)
    .execute();
  await db.schema
    .createIndex('bulks_of_other_projects')
    .on('bulks')
    .columns(['project_id', 'id'])
    .where(sql<boolean>`project_id <> 1`)
    .execute();

  await db.schema
    .createTable('bulk_recipients')
    .addColumn('bulk_id', text, (c) => c.notNull())
    .addColumn('number', number, (c) => c.notNull())
    .addColumn('line', number, (c) => c.notNull())
    .addColumn('phone', text)
    .addColumn('email', text)
    .addColumn('status', text, (c) => c.notNull())
    .addColumn('reason', text)
    .addColumn('content', binary)
    .addColumn('key_version', number, (c) => c.notNull())
    .addColumn('message_id', text)
    .addColumn('verification_id', text)
    .addPrimaryKeyConstraint('bulk_recipients_pkey', ['bulk_id', 'number'])
    .execute();
  await db.schema
    .createIndex('bulk_recipients_queued')
    .on('bulk_recipients')
    .columns(['bulk_id', 'number'])
    .where(sql`status`, '=', sql.lit('queued'))
    .execute();
}
