import { DEFAULT_PROJECT } from '../../src/database/project.ts';
import type { Grant } from '../../src/http/permissions.ts';
import { newId } from '../../src/lib/id.ts';
import type { TestApp } from './test-app.ts';

/** A key of the default project with just these permissions. */
export async function makeKey(
  server: TestApp,
  permissions: readonly Grant[],
  settings: { rateLimit?: number; expiresAt?: number; projectId?: number } = {},
): Promise<{ id: string; key: string }> {
  const wanted = { projectId: DEFAULT_PROJECT, name: 'test', permissions, ...settings };
  return server.app.database.transaction((trx) =>
    server.app.keys.create(trx, wanted, { by: { name: 'test', address: 'local' }, grants: ['*'] }),
  );
}

/** Another project beside the default one, its id in the API and its number, with a key that may do everything in it. */
export async function makeProject(
  server: TestApp,
): Promise<{ projectId: string; number: number; key: string; keyId: string }> {
  const { clock, database } = server.app;
  const projectId = newId('prj', clock.now());
  const number = await database.transaction(async (trx) => {
    const { newest } = await trx
      .selectFrom('projects')
      .select((eb) => eb.fn.max('number').as('newest'))
      .executeTakeFirstOrThrow();
    const row = { id: projectId, number: newest + 1, name: 'Another', created_at: clock.now() };
    await trx.insertInto('projects').values(row).execute();
    return row.number;
  });
  const { id: keyId, key } = await makeKey(server, ['*'], { projectId: number });
  return { projectId, number, key, keyId };
}
