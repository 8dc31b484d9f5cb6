import { type ColumnDataType, type CreateTableBuilder, type Kysely, sql } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** Everything a code needs from being asked for to being checked. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, binary } = engineTypes(db);
  const time: ColumnDataType = 'bigint';

  const table = (name: string, key: string): CreateTableBuilder<string, string> =>
    db.schema.createTable(name).addColumn(key, text, (c) => c.primaryKey().notNull());

  await table('projects', 'id')
    .addColumn('name', text, (c) => c.notNull())
    .addColumn('created_at', time, (c) => c.notNull())
    .execute();

  await table('api_keys', 'id')
    .addColumn('project_id', text, (c) => c.notNull().references('projects.id'))
    .addColumn('name', text, (c) => c.notNull())
    .addColumn('hash', text, (c) => c.notNull().unique())
    .addColumn('preview', text, (c) => c.notNull())
    .addColumn('permissions', text, (c) => c.notNull())
    .addColumn('rate_limit', time)
    .addColumn('expires_at', time)
    .addColumn('revoked_at', time)
    .addColumn('created_at', time, (c) => c.notNull())
    .addColumn('usage_count', time, (c) => c.notNull().defaultTo(0))
    .addColumn('last_used_at', time)
    .execute();

  await table('settings', 'key')
    .addColumn('value', text, (c) => c.notNull())
    .execute();

  await db.schema
    .createTable('key_versions')
    .addColumn('version', 'integer', (c) => c.primaryKey().notNull())
    .addColumn('salt', text, (c) => c.notNull())
    .addColumn('check_value', text, (c) => c.notNull())
    .addColumn('sealed_secret', binary)
    .addColumn('created_at', time, (c) => c.notNull())
    .execute();

  await table('admin_sessions', 'hash')
    .addColumn('created_at', time, (c) => c.notNull())
    .addColumn('last_seen_at', time, (c) => c.notNull())
    .execute();

  await table('verifications', 'id')
    .addColumn('project_id', text, (c) => c.notNull())
    .addColumn('phone', text, (c) => c.notNull())
    .addColumn('destination', text, (c) => c.notNull())
    .addColumn('purpose', text, (c) => c.notNull())
    .addColumn('channel', text, (c) => c.notNull())
    .addColumn('status', text, (c) => c.notNull())
    .addColumn('reason', text)
    .addColumn('code_mac', binary, (c) => c.notNull())
    .addColumn('key_version', 'integer', (c) => c.notNull())
    .addColumn('code_length', 'integer', (c) => c.notNull())
    .addColumn('attempts', 'integer', (c) => c.notNull())
    .addColumn('sends', text, (c) => c.notNull())
    .addColumn('failed_checks', text, (c) => c.notNull())
    .addColumn('client_ip', text)
    .addColumn('metadata', text)
    .addColumn('created_at', time, (c) => c.notNull())
    .addColumn('expires_at', time, (c) => c.notNull())
    .addColumn('verified_at', time)
    .addColumn('limits_lifted_at', time)
    .execute();
  await db.schema
    .createIndex('verifications_by_destination')
    .on('verifications')
    .columns(['destination', 'created_at'])
    .execute();
  await db.schema
    .createIndex('verifications_pending_by_expiry')
    .on('verifications')
    .column('expires_at')
    .where(sql`status`, '=', sql.lit('pending'))
    .execute();

  await table('messages', 'id')
    .addColumn('project_id', text, (c) => c.notNull())
    .addColumn('verification_id', text, (c) => c.notNull())
    .addColumn('phone', text, (c) => c.notNull())
    .addColumn('channel', text, (c) => c.notNull())
    .addColumn('lane', 'integer', (c) => c.notNull())
    .addColumn('status', text, (c) => c.notNull())
    .addColumn('reason', text)
    .addColumn('body', text, (c) => c.notNull())
    .addColumn('sealed_code', binary)
    .addColumn('key_version', 'integer', (c) => c.notNull())
    .addColumn('timeline', text, (c) => c.notNull())
    .addColumn('attempts', 'integer', (c) => c.notNull())
    .addColumn('claim', 'integer', (c) => c.notNull())
    .addColumn('due_at', time, (c) => c.notNull())
    .addColumn('expires_at', time, (c) => c.notNull())
    .addColumn('created_at', time, (c) => c.notNull())
    .execute();
  // One index a state: an engine uses a partial index only for a query that repeats its very condition.
  for (const [status, columns] of [
    ['queued', ['channel', 'lane', 'due_at']],
    ['sending', ['due_at']],
  ] as const) {
    await db.schema
      .createIndex(`messages_${status}_by_due`)
      .on('messages')
      .columns([...columns])
      .where(sql`status`, '=', sql.lit(status))
      .execute();
  }

  await eventTables(db);
  await db.schema
    .createIndex('events_of_v3')
    .on('events')
    .columns(['project_id', 'at', 'data'])
    .unique()
    .where(sql`type`, 'in', sql`('v3.otp_sent', 'v3.logged')`)
    .execute();

  await table('rate_limits', 'key')
    .addColumn('window_started_at', time, (c) => c.notNull())
    .addColumn('count', time, (c) => c.notNull())
    .execute();

  await table('idempotency_keys', 'scope')
    .addColumn('fingerprint', binary, (c) => c.notNull())
    .addColumn('status', 'integer', (c) => c.notNull())
    .addColumn('answer', binary, (c) => c.notNull())
    .addColumn('key_version', 'integer', (c) => c.notNull())
    .addColumn('created_at', time, (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('idempotency_keys_by_age')
    .on('idempotency_keys')
    .column('created_at')
    .execute();

  await table('simulator_messages', 'message_id')
    .addColumn('project_id', text, (c) => c.notNull())
    .addColumn('phone', text, (c) => c.notNull())
    .addColumn('at', time, (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex('simulator_messages_by_phone')
    .on('simulator_messages')
    .columns(['phone', 'message_id'])
    .execute();
}

/** Events in the order of their commits, which on PostgreSQL is not the order in which they were numbered. */
async function eventTables(db: Kysely<unknown>): Promise<void> {
  const { text, serial, isPostgres } = engineTypes(db);
  if (isPostgres) {
    // Only a function may look into a table for a column's default.
    await sql`create function wotp_event_epoch() returns integer language sql stable as
      $$ select coalesce((select value::integer from settings where key = 'event_epoch'), 1) $$`.execute(db);
  }
  await db.schema
    .createTable('events')
    .addColumn('seq', serial, (c) => c.primaryKey().notNull())
    .addColumn('epoch', 'integer', (c) =>
      c.notNull().defaultTo(isPostgres ? sql`wotp_event_epoch()` : sql`0`),
    )
    .addColumn('tx', 'bigint', (c) =>
      c.notNull().defaultTo(isPostgres ? sql`pg_current_xact_id()::text::bigint` : sql`0`),
    )
    .addColumn('project_id', text)
    .addColumn('type', text, (c) => c.notNull())
    .addColumn('at', 'bigint', (c) => c.notNull())
    .addColumn('subject', text)
    .addColumn('message_id', text)
    .addColumn('data', text)
    .execute();
  if (isPostgres) {
    await db.schema.createIndex('events_by_commit').on('events').columns(['epoch', 'tx', 'seq']).execute();
  }
  await db.schema
    .createTable('event_consumers')
    .addColumn('name', text, (c) => c.primaryKey().notNull())
    .addColumn('cursor', text, (c) => c.notNull())
    .execute();
}
