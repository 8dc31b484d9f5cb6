import { type Kysely, sql } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/**
 * A message belongs to an owner, of which a verification is one kind, and goes to an address, of which a phone is one kind.
 * The code is stored once, with its verification, which moves along a route of channels.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text, binary } = engineTypes(db);

  const verifications = () => db.schema.alterTable('verifications');
  // One that proves an e-mail address has no phone. SQLite cannot change a column, so another takes its place.
  await verifications().renameColumn('phone', 'phone_before').execute();
  await verifications().addColumn('phone', text).execute();
  await sql`update verifications set phone = phone_before`.execute(db);
  await verifications().dropColumn('phone_before').execute();
  await verifications().addColumn('email', text).execute();
  await verifications().addColumn('sealed_code', binary).execute();
  await verifications()
    .addColumn('route', text, (c) => c.notNull().defaultTo('[]'))
    .execute();
  await verifications()
    .addColumn('step', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
  await verifications().addColumn('move_at', 'bigint').execute();
  await sql`update verifications
    set route = '["' || case channel when 'simulator' then 'whatsapp' else channel end || '"]'`.execute(db);
  await db.schema
    .createIndex('verifications_to_move')
    .on('verifications')
    .column('move_at')
    .where(sql`status`, '=', sql.lit('pending'))
    .where(sql`move_at`, 'is not', null)
    .execute();

  const messages = () => db.schema.alterTable('messages');
  await messages().renameColumn('verification_id', 'owner_id').execute();
  await messages().renameColumn('phone', 'address').execute();
  await messages().dropColumn('body').execute();
  await messages().dropColumn('sealed_code').execute();
  await messages().addColumn('content', binary).execute();
  await messages().addColumn('identity', text).execute();
  await messages().addColumn('provider_id', text).execute();
  await messages().addColumn('plays', text).execute();
  const arrivals = () => db.schema.alterTable('simulator_messages');
  await arrivals().renameColumn('phone', 'address').execute();
  await arrivals()
    .addColumn('channel', text, (c) => c.notNull().defaultTo('whatsapp'))
    .execute();

  // What had not gone out yet has lost its code with that column.
  await sql`update messages set status = 'failed', reason = 'interrupted by an update'
    where status in ('queued', 'sending')`.execute(db);
  await db.schema
    .createIndex('messages_by_provider_id')
    .on('messages')
    .column('provider_id')
    .where(sql`provider_id`, 'is not', null)
    .execute();
  await db.schema
    .createIndex('messages_by_identity')
    .on('messages')
    .columns(['identity', 'created_at'])
    .where(sql`identity`, 'is not', null)
    .execute();
}
