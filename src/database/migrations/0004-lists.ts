import { type Kysely, sql } from 'kysely';

/** What lets a list of verifications in one state or for one purpose find its rows without looking at all others. */
export async function up(db: Kysely<unknown>): Promise<void> {
  // Pending rows are not in it: it would cost each check a page more, and would draw the sweep of expired ones to it. The
  // purpose is, so that a list of both is found without the rows.
  await db.schema
    .createIndex('verifications_ended_by_status')
    .on('verifications')
    .columns(['status', 'id', 'purpose'])
    .where(sql`status`, '<>', sql.lit('pending'))
    .execute();
  await db.schema
    .createIndex('verifications_by_purpose')
    .on('verifications')
    .columns(['purpose', 'created_at'])
    .execute();
}
