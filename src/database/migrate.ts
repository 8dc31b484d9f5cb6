import { type Kysely, type Migration, Migrator } from 'kysely';
import { ExpectedError } from '../lib/expected-error.ts';
import { up as initial } from './migrations/0001-initial.ts';
import { up as whatsapp } from './migrations/0002-whatsapp.ts';
import { up as whatsappSending } from './migrations/0003-whatsapp-sending.ts';
import { up as whatsappRetention } from './migrations/0004-whatsapp-retention.ts';
import { up as whatsappNodes } from './migrations/0005-whatsapp-nodes.ts';
import { up as lists } from './migrations/0006-lists.ts';
import { up as adminAddresses } from './migrations/0007-admin-addresses.ts';
import { up as keyParents } from './migrations/0008-key-parents.ts';
import { up as verifiedClients } from './migrations/0009-verified-clients.ts';
import { up as recentSends } from './migrations/0010-recent-sends.ts';
import { up as optOutNotes } from './migrations/0011-opt-out-notes.ts';
import { up as messageMetadata } from './migrations/0012-message-metadata.ts';
import { up as sendersByNumber } from './migrations/0013-whatsapp-senders-by-number.ts';
import { up as keyRoots } from './migrations/0014-key-roots.ts';
import { up as projectNumbers } from './migrations/0015-project-numbers.ts';
import { up as routes } from './migrations/0016-routes.ts';
import { up as templates } from './migrations/0017-templates.ts';
import { up as schedules } from './migrations/0018-schedules.ts';
import { up as bulks } from './migrations/0019-bulks.ts';
import { up as webhooks } from './migrations/0020-webhooks.ts';
import { up as earlyReceipts } from './migrations/0021-early-receipts.ts';
import { up as testNumbers } from './migrations/0022-test-numbers.ts';
import { up as analytics } from './migrations/0023-analytics.ts';
import { up as auditLog } from './migrations/0024-audit-log.ts';
import { up as projects } from './migrations/0025-projects.ts';
import type { Schema } from './schema.ts';

/** Every migration in order. A released one is never edited; the next change gets the next number. */
export const MIGRATIONS: Record<string, Migration> = {
  '0001-initial': { up: initial },
  '0002-whatsapp': { up: whatsapp },
  '0003-whatsapp-sending': { up: whatsappSending },
  '0004-whatsapp-retention': { up: whatsappRetention },
  '0005-whatsapp-nodes': { up: whatsappNodes },
  '0006-lists': { up: lists },
  '0007-admin-addresses': { up: adminAddresses },
  '0008-key-parents': { up: keyParents },
  '0009-verified-clients': { up: verifiedClients },
  '0010-recent-sends': { up: recentSends },
  '0011-opt-out-notes': { up: optOutNotes },
  '0012-message-metadata': { up: messageMetadata },
  '0013-whatsapp-senders-by-number': { up: sendersByNumber },
  '0014-key-roots': { up: keyRoots },
  '0015-project-numbers': { up: projectNumbers },
  '0016-routes': { up: routes },
  '0017-templates': { up: templates },
  '0018-schedules': { up: schedules },
  '0019-bulks': { up: bulks },
  '0020-webhooks': { up: webhooks },
  '0021-early-receipts': { up: earlyReceipts },
  '0022-test-numbers': { up: testNumbers },
  '0023-analytics': { up: analytics },
  '0024-audit-log': { up: auditLog },
  '0025-projects': { up: projects },
};

/** The number of the newest migration, as `user_version` holds it. */
export const schemaVersion = (): number => Object.keys(MIGRATIONS).length;

/** The file was written by a newer version of WOTP. */
export class NewerSchemaError extends ExpectedError {
  constructor(unknown: string) {
    super(
      `The database was written by a newer WOTP (it holds the migration ${unknown}). Start that version, or a newer one.`,
    );
  }
}

/** One migration, and when this database got it. */
export interface MigrationState {
  number: number;
  name: string;
  /** ISO 8601; null while it is pending. */
  appliedAt: string | null;
}

/**
 * Every migration in order, as this database stands. Changes nothing.
 * @throws NewerSchemaError when the database holds a migration that this version does not know.
 */
export async function migrationStates(db: Kysely<Schema>): Promise<MigrationState[]> {
  const applied = new Map<string, string>();
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (tables.some((table) => table.name === 'kysely_migration')) {
    const rows = await (db as unknown as Kysely<{ kysely_migration: { name: string; timestamp: string } }>)
      .selectFrom('kysely_migration')
      .select(['name', 'timestamp'])
      .execute();
    for (const { name, timestamp } of rows) {
      if (!(name in MIGRATIONS)) throw new NewerSchemaError(name);
      applied.set(name, timestamp);
    }
  }
  return Object.keys(MIGRATIONS).map((name, i) => ({
    number: i + 1,
    name,
    appliedAt: applied.get(name) ?? null,
  }));
}

/**
 * Applies what is missing and returns the number of the newest migration.
 * @throws NewerSchemaError when the database holds a migration that this version does not know.
 */
export async function migrateToLatest(db: Kysely<Schema>): Promise<number> {
  await migrationStates(db);
  // Whoever calls has begun the one transaction in which all of it happens.
  const migrator = new Migrator({
    db,
    provider: { getMigrations: async () => MIGRATIONS },
    disableTransactions: true,
  });
  const { error } = await migrator.migrateToLatest();
  if (error) throw error;
  return schemaVersion();
}
