import type { Database } from './database/database.ts';
import type { AdminService } from './keys/admin.ts';
import { generatePassword, hashPassword } from './keys/password.ts';
import type { KeyService } from './keys/service.ts';
import type { Clock } from './lib/clock.ts';

const FIRST_RUN_SETTING = 'first_run_at';

/** What the first run made; shown once. */
export interface FirstRun {
  /** Undefined when the configuration gives it. */
  adminPassword: string | undefined;
  apiKey: string;
}

/** Makes what the first run makes: the admin password, unless one is configured, and a key; undefined on every later one. */
export async function makeFirstRun(parts: {
  database: Database;
  admin: AdminService;
  keys: KeyService;
  clock: Clock;
  projectId: string;
  passwordIsConfigured: boolean;
}): Promise<FirstRun | undefined> {
  const { database, admin, keys, clock, projectId, passwordIsConfigured } = parts;
  const done = await database.reader
    .selectFrom('settings')
    .select('key')
    .where('key', '=', FIRST_RUN_SETTING)
    .execute();
  if (done.length > 0) return undefined;
  const adminPassword = passwordIsConfigured ? undefined : generatePassword();
  const passwordHash = adminPassword && (await hashPassword(adminPassword));
  return database.transaction(async (trx) => {
    // Of several processes that start together on an empty database one makes all of it.
    const [isFirst] = await trx
      .insertInto('settings')
      .values({ key: FIRST_RUN_SETTING, value: String(clock.now()) })
      .onConflict((conflict) => conflict.column('key').doNothing())
      .returning('key')
      .execute();
    if (!isFirst) return undefined;
    if (passwordHash) await admin.keepPassword(trx, passwordHash);
    const wanted = { projectId, name: 'First key', permissions: ['*'] as const };
    const { key } = await keys.create(trx, wanted, { name: 'first run', grants: ['*'] });
    return { adminPassword, apiKey: key };
  });
}
