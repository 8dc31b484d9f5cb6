import { type Kysely, sql } from 'kysely';
import { engineTypes } from '../engine-types.ts';

/** What a linked number has sent today is the number's, in whatever session it is linked. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const { text } = engineTypes(db);
  // Were one number linked in two sessions, it has sent what both have.
  const { rows } = await sql<{ phone: string; day: number; sent_today: number }>`
    select phone, day, sent_today, stopped_until, stops
    from (
      select s.phone as phone, r.day as day, sum(r.sent_today) as sent_today,
        max(r.stopped_until) as stopped_until, max(r.stops) as stops
      from whatsapp_senders r join whatsapp_sessions s on s.id = r.session_id
      where s.phone is not null
      group by s.phone, r.day
    ) by_day
    where day = (
      select max(r.day) from whatsapp_senders r join whatsapp_sessions s on s.id = r.session_id
      where s.phone = by_day.phone
    )`.execute(db);
  await db.schema.dropTable('whatsapp_senders').execute();
  await db.schema
    .createTable('whatsapp_senders')
    .addColumn('phone', text, (c) => c.primaryKey().notNull())
    .addColumn('day', 'integer', (c) => c.notNull())
    .addColumn('sent_today', 'integer', (c) => c.notNull())
    .addColumn('stopped_until', 'bigint')
    .addColumn('stops', 'integer', (c) => c.notNull())
    .execute();
  const senders = db as Kysely<{ whatsapp_senders: Record<string, unknown> }>;
  for (const row of rows) await senders.insertInto('whatsapp_senders').values(row).execute();
}
