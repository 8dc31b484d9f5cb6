import { type Kysely, sql } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** The audit log and the head of its chain. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, binary } = engineTypes(db);
  await db.schema
    .createTable('audit_log')
    .addColumn('seq', 'bigint', (c) => c.primaryKey().notNull())
    .addColumn('id', text, (c) => c.notNull())
    .addColumn('project_id', 'integer')
    .addColumn('type', text, (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('actor', text, (c) => c.notNull())
    .addColumn('address', text, (c) => c.notNull())
    .addColumn('subject', text)
    .addColumn('phone', text)
    .addColumn('data', text, (c) => c.notNull())
    .addColumn('key_version', 'integer', (c) => c.notNull())
    .addColumn('mac', binary, (c) => c.notNull())
    .addColumn('position', 'bigint')
    .addColumn('hash', binary)
    .execute();
  const index = (name: string, columns: string[]) =>
    db.schema.createIndex(`audit_log_${name}`).on('audit_log').columns(columns);
  await index('by_position', ['position']).unique().execute();
  await index('waiting', ['seq']).where(sql`position`, 'is', null).execute();
  await index('by_actor', ['actor', 'seq']).execute();
  await index('by_subject', ['subject', 'seq']).where(sql`subject`, 'is not', null).execute();
  await index('by_phone', ['phone', 'seq']).where(sql`phone`, 'is not', null).execute();
  await db.schema
    .createIndex('events_from_recipients')
    .on('events')
    .columns(['project_id', 'seq'])
    .where(sql`type`, 'in', sql`('message.received', 'number.opted_out', 'number.opted_in')`)
    .execute();
  await db.schema
    .createTable('audit_head')
    .addColumn('id', 'integer', (c) => c.primaryKey().notNull())
    .addColumn('position', 'bigint', (c) => c.notNull())
    .addColumn('hash', binary, (c) => c.notNull())
    .addColumn('anchor_position', 'bigint', (c) => c.notNull())
    .addColumn('anchor_hash', binary, (c) => c.notNull())
    .addColumn('since', 'bigint', (c) => c.notNull())
    .addColumn('key_version', 'integer', (c) => c.notNull())
    .addColumn('mac', binary, (c) => c.notNull())
    .execute();
}
