import { type Kysely, sql } from 'kysely';

/**
 * What lets a list of verifications in one state or for one purpose find its rows without looking at all others. What
 * most rows have is in no index: it is found without one, and every send and check would pay for it.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createIndex('verifications_unverified_by_status')
    .on('verifications')
    .columns(['status', 'id', 'purpose'])
    .where(sql`status`, '<>', sql.lit('pending'))
    .where(sql`status`, '<>', sql.lit('verified'))
    .execute();
  await db.schema
    .createIndex('verifications_by_purpose')
    .on('verifications')
    .columns(['purpose', 'created_at'])
    .where(sql`purpose`, '<>', sql.lit('default'))
    .execute();
}
