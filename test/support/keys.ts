import type { Grant } from '../../src/keys/permissions.ts';
import { newId } from '../../src/lib/id.ts';
import type { TestApp } from './test-app.ts';

/** A key of the default project with just these permissions. */
export async function makeKey(
  server: TestApp,
  permissions: readonly Grant[],
  settings: { rateLimit?: number; expiresAt?: number; projectId?: string } = {},
): Promise<{ id: string; key: string }> {
  const wanted = { projectId: server.app.defaultProjectId, name: 'test', permissions, ...settings };
  return server.app.database.transaction((trx) =>
    server.app.keys.create(trx, wanted, { name: 'test', grants: ['*'] }),
  );
}

/** Another project beside the default one, with a key that may do everything in it. */
export async function makeProject(
  server: TestApp,
): Promise<{ projectId: string; key: string; keyId: string }> {
  const { clock, database } = server.app;
  const projectId = newId('prj', clock.now());
  await database.transaction(async (trx) => {
    await trx
      .insertInto('projects')
      .values({ id: projectId, name: 'Another', created_at: clock.now() })
      .execute();
  });
  const { id: keyId, key } = await makeKey(server, ['*'], { projectId });
  return { projectId, key, keyId };
}
