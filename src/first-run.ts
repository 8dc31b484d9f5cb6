import { generatePassword, hashPassword } from './admin/password.ts';
import type { AdminService } from './admin/service.ts';
import type { Database } from './database/database.ts';
import { DEFAULT_PROJECT } from './database/project.ts';
import type { KeyService } from './keys/service.ts';
import type { Clock } from './lib/clock.ts';
import { starterTemplates, textsOf } from './templates/file.ts';
import type { TemplateService } from './templates/service.ts';

const FIRST_RUN_SETTING = 'first_run_at';
/** Who has made the first key and templates, in the audit log. */
const FIRST_RUN = { name: 'first run', address: 'local' };

/** What the first run made; shown once. */
export interface FirstRun {
  /** Undefined when the configuration gives it. */
  adminPassword: string | undefined;
  apiKey: string;
}

/** Makes what the first run makes: the admin password, unless one is configured, a key and templates to begin with; undefined on every later one. */
export async function makeFirstRun(parts: {
  database: Database;
  admin: AdminService;
  keys: KeyService;
  templates: TemplateService;
  clock: Clock;
  passwordIsConfigured: boolean;
}): Promise<FirstRun | undefined> {
  const { database, admin, keys, templates, clock, passwordIsConfigured } = parts;
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
    const wanted = { projectId: DEFAULT_PROJECT, name: 'First key', permissions: ['*'] as const };
    const { key } = await keys.create(trx, wanted, { by: FIRST_RUN, grants: ['*'] });
    for (const [code, file] of starterTemplates()) {
      const { name = code } = file;
      await templates.create(trx, DEFAULT_PROJECT, { code, name, ...textsOf(file) }, FIRST_RUN);
    }
    return { adminPassword, apiKey: key };
  });
}
