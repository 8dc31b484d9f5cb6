import type { Kysely } from 'kysely';

const DAY_MS = 24 * 60 * 60_000;

/** What it takes to find, among what is kept of the people written to, that which nobody uses any more. */
export async function up(db: Kysely<{ whatsapp_auth: { used_day: number } }>): Promise<void> {
  await db.schema
    .alterTable('whatsapp_auth')
    .addColumn('used_day', 'integer', (c) => c.notNull().defaultTo(0))
    .execute();
  // When the keys of before were used last is not known: they count as used today.
  await db
    .updateTable('whatsapp_auth')
    .set({ used_day: Math.floor(Date.now() / DAY_MS) })
    .execute();

  const index = (table: string, column: string) =>
    db.schema.createIndex(`${table}_by_age`).on(table).column(column).execute();
  await index('whatsapp_auth', 'used_day');
  await index('whatsapp_chats', 'last_wrote_at');
  await index('whatsapp_numbers', 'checked_at');
}
