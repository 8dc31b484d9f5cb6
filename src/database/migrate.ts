import { type Kysely, type Migration, Migrator } from 'kysely';
import { up as initial } from './migrations/0001-initial.ts';
import { up as whatsapp } from './migrations/0002-whatsapp.ts';
import { up as whatsappSending } from './migrations/0003-whatsapp-sending.ts';
import type { Schema } from './schema.ts';

/** Every migration in order. A released one is never edited; the next change gets the next number. */
export const MIGRATIONS: Record<string, Migration> = {
  '0001-initial': { up: initial },
  '0002-whatsapp': { up: whatsapp },
  '0003-whatsapp-sending': { up: whatsappSending },
};

/** The file was written by a newer version of WOTP. */
export class NewerSchemaError extends Error {
  constructor(unknown: string) {
    super(
      `The database was written by a newer WOTP (it holds the migration ${unknown}). Start that version, or a newer one.`,
    );
    this.name = 'NewerSchemaError';
  }
}

/**
 * Applies what is missing and returns the number of the newest migration.
 * @throws NewerSchemaError when the database holds a migration that this version does not know.
 */
export async function migrateToLatest(db: Kysely<Schema>): Promise<number> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } });
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (tables.some((table) => table.name === 'kysely_migration')) {
    const applied = await (db as unknown as Kysely<{ kysely_migration: { name: string } }>)
      .selectFrom('kysely_migration')
      .select('name')
      .execute();
    const unknown = applied.find((row) => !(row.name in MIGRATIONS));
    if (unknown) throw new NewerSchemaError(unknown.name);
  }
  const { error } = await migrator.migrateToLatest();
  if (error) throw error;
  return Object.keys(MIGRATIONS).length;
}
