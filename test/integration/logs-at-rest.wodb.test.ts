import { expect, test } from 'vitest';
import { programOf } from '../../src/cli/program.ts';
import { COMMANDS } from '../../src/commands.ts';
import { runHere } from '../support/command-in-process.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { startTestApp } from '../support/test-app.ts';
import { QUICK_ADMIN } from '../support/verifications.ts';

test('the audit log holds through commands without a server, a rotation, a backup and a restore, and a change is found', async () => {
  const cwd = tempFolder();
  const wotp = async (...args: string[]) =>
    runHere(await programOf(COMMANDS, args), args, { cwd, settings: { DATA_DIR: cwd, ...QUICK_ADMIN } });
  const json = async (...args: string[]) => JSON.parse(await wotp(...args, '--json'));
  const intact = async () => {
    expect(await json('logs', 'verify')).toMatchObject({ ok: true, waiting: 0 });
    expect(await json('verify')).toMatchObject({ ok: true, findings: [] });
  };

  await wotp('migrate');
  await json('token', 'create', '--name', 'first', '--permissions', 'otp:send');
  await json('token', 'create', '--name', 'second', '--permissions', 'otp:send');
  const { logs } = await json('logs', '--type', 'key.*');
  expect(logs).toMatchObject([
    { type: 'key.created', actor: 'cli', data: { after: { name: 'second' }, address: 'local' } },
    { type: 'key.created', actor: 'cli', data: { after: { name: 'first' }, address: 'local' } },
  ]);
  await intact();

  const { file } = await json('backup');
  await wotp('master-key', 'rotate', '--yes');
  const [rotated] = (await json('logs', '--type', 'master_key.*')).logs;
  expect(rotated).toMatchObject({ actor: 'cli', data: { version: 2, address: 'local' } });
  await intact();

  await expect(wotp('logs', '--follow')).rejects.toThrow(/No server is running here/);

  const server = await startTestApp({ dir: cwd, env: QUICK_ADMIN });
  await server.app.database.transaction((trx) =>
    trx.updateTable('audit_log').set({ actor: 'nobody' }).where('position', '=', 2).execute(),
  );
  const bad = /^The audit log was changed: Line 2 \(key\.created, .*\) was changed after it was recorded\.$/;
  const { body } = await server.call('POST', 'database/verify', { asAdmin: true });
  expect(body.data.findings).toEqual([expect.stringMatching(bad)]);
  await server.stop({ keepFiles: true });
  expect(await json('verify')).toMatchObject({ ok: false, findings: [expect.stringMatching(bad)] });
  expect(await json('logs', 'verify')).toMatchObject({ ok: false, firstBad: { position: 2 } });
  process.exitCode = 0;

  const old = (await import('node:fs')).readdirSync(cwd).find((name) => /^master\.key\..*/.test(name))!;
  await wotp('restore', file, '--yes', '--key-file', old);
  const [restored] = (await json('logs', '--type', 'database.restored')).logs;
  expect(restored).toMatchObject({ actor: 'cli', data: { file: expect.stringMatching(/\.wodb$/) } });
  await intact();
}, 60_000);
