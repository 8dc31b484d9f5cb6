import { expect, onTestFinished, test } from 'vitest';
import { restoreCommand } from '../../src/maintenance/cli/restore.ts';
import { runHere } from '../support/command-in-process.ts';
import { openStream } from '../support/event-stream.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

const send = async (server: TestApp): Promise<string> =>
  (await verificationsOf(server).sent({ phone: newPhone() })).id;

/** Stops the server, restores a backup over its database and starts it again. */
async function restored({ dir, key, clock, stop }: TestApp, file: string): Promise<TestApp> {
  await stop({ keepFiles: true });
  await runHere(restoreCommand(), [file, '--yes'], { cwd: dir, settings: { DATA_DIR: dir } });
  const server = await startTestApp({ env: QUICK_ADMIN, dir, key, clock });
  onTestFinished(() => server.stop());
  return server;
}

const query = { types: 'otp.*' };

test('after a restore a client gets `reset`: also one whose events are in the backup, or whose cursor another event has now', async () => {
  const server = await startTestApp({ env: QUICK_ADMIN });
  const stream = await openStream(server, { query });
  await send(server);
  await stream.types(1);
  const idInBackup = stream.lastId!;
  const backup = await server.call('POST', 'database/backups', { body: {}, asAdmin: true });
  expect(backup.status).toBe(201);
  for (let i = 0; i < 5; i++) await send(server);
  await stream.types(6);
  const idOfLostEvent = stream.lastId!;
  stream.destroy();

  const after = await restored(server, backup.body.data.file);
  const earlier = await openStream(after, { query, headers: { 'last-event-id': idInBackup } });
  const later = await openStream(after, { query, headers: { 'last-event-id': idOfLostEvent } });
  await later.types(1);
  // So many that every number of before is in use again.
  const ids: string[] = [];
  for (let i = 0; i < 10; i++) ids.push(await send(after));
  for (const client of [earlier, later]) {
    await client.until(() => client.events.at(-1)?.data.data.id === ids.at(-1));
    expect(client.events.filter(({ event }) => event === 'reset')).toHaveLength(1);
    const since = client.events.slice(client.events.findIndex(({ event }) => event === 'reset') + 1);
    // The restore has canceled what was pending.
    const created = since.filter(({ event }) => event === 'otp.created');
    expect(created.map(({ data }) => data.data.id)).toEqual(ids);
  }
  const again = await openStream(after, { query, headers: { 'last-event-id': idOfLostEvent } });
  expect(await again.types(1)).toEqual(['reset']);
});
