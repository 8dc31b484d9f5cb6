import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { seedCommand } from '../../src/demo/cli.ts';
import { backupCommand } from '../../src/maintenance/cli/backup.ts';
import { compactCommand } from '../../src/maintenance/cli/compact.ts';
import { masterKeyCommand } from '../../src/maintenance/cli/master-key.ts';
import { migrateCommand } from '../../src/maintenance/cli/migrate.ts';
import { resetCommand } from '../../src/maintenance/cli/reset.ts';
import { restoreCommand } from '../../src/maintenance/cli/restore.ts';
import { verifyCommand } from '../../src/maintenance/cli/verify.ts';
import { runHere } from '../support/command-in-process.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { startTestApp } from '../support/test-app.ts';
import { QUICK_ADMIN } from '../support/verifications.ts';

const OLD = 'the master key of the first years, long enough';
const NEW = 'the master key that comes after it, long enough';
const KEEP_A_DAY = { RETENTION_DAYS_VERIFICATIONS: '1', RETENTION_DAYS_EVENTS: '1' };

test('the commands that work on the whole database, one after another over one folder', async () => {
  const cwd = tempFolder();
  const data = join(cwd, 'data');
  const file = join(data, 'wotp.wodb');

  const fresh = JSON.parse(await runHere(migrateCommand(), ['--status', '--json'], { cwd }));
  expect(fresh.engine).toBe('wodb');
  expect(fresh.migrations[0]).toEqual({ number: 1, name: '0001-initial', appliedAt: null });
  expect(await runHere(migrateCommand(), [], { cwd })).toMatch(/^Applied 0001-initial/);
  expect(await runHere(migrateCommand(), [], { cwd })).toBe('The schema is up to date.\n');
  expect(await runHere(migrateCommand(), ['--status'], { cwd })).toMatch(/0001-initial.*\d{4}-\d\d-\d\dT/);

  expect(await runHere(seedCommand(), ['--count', '600'], { cwd })).toMatch(/^Created 600 verifications /);
  await expect(runHere(seedCommand(), [], { cwd })).rejects.toThrow(/already contains verifications/);
  const production = { NODE_ENV: 'production', DB_MASTER_KEY: OLD, MASTER_PASSWORD: 'quite a long password' };
  await expect(runHere(seedCommand(), ['--yes'], { cwd, settings: production })).rejects.toThrow(
    /production/,
  );

  const before = statSync(file).size;
  const compacted = await runHere(compactCommand(), ['--json'], { cwd, settings: KEEP_A_DAY });
  expect(JSON.parse(compacted)).toMatchObject({ bytesBefore: before, bytes: statSync(file).size });
  expect(statSync(file).size).toBeLessThan(before / 2);
  expect(await runHere(compactCommand(), [], { cwd, settings: KEEP_A_DAY })).toMatch(
    /^No expired data was found\.\nThe database is/,
  );

  const kept = readFileSync(join(data, 'master.key'), 'utf8');
  const backup = JSON.parse(await runHere(backupCommand(), ['--json'], { cwd })).file as string;
  const rotated = await runHere(masterKeyCommand(), ['rotate', '--yes', '--json'], { cwd });
  const { oldKeyIn, ...told } = JSON.parse(rotated);
  expect(told).toEqual({ version: 2, keptIn: join(data, 'master.key') });
  expect(readFileSync(join(data, 'master.key'), 'utf8')).not.toBe(kept);
  await expect(runHere(masterKeyCommand(), ['rotate'], { cwd })).rejects.toThrow(/add --yes/);
  expect(await runHere(verifyCommand(), [], { cwd })).not.toBe('');

  // The backup belongs to the key from before.
  expect(readFileSync(oldKeyIn, 'utf8')).toBe(kept);
  await expect(runHere(restoreCommand(), [backup, '--yes'], { cwd })).rejects.toThrow(
    /from before a rotation/,
  );
  await runHere(restoreCommand(), [backup, '--yes', '--key-file', oldKeyIn, '--json'], { cwd });
  expect(await runHere(verifyCommand(), ['--json'], { cwd })).toContain('[]');

  expect(await runHere(masterKeyCommand(), ['create'], { cwd })).toMatch(/^[0-9a-f]{64}\n$/);
  await expect(runHere(resetCommand(), [], { cwd })).rejects.toThrow(/add --yes/);
  expect(await runHere(resetCommand(), ['--yes'], { cwd })).toMatch(/^Deleted:\n {2}.*wotp\.wodb\n/);
  expect(existsSync(file)).toBe(false);
  expect(existsSync(backup)).toBe(true);
  expect(await runHere(resetCommand(), ['--yes'], { cwd })).toMatch(/^There was nothing to delete/);
}, 60_000);

test('a new master key is taken from a file or the environment, and is refused when it is none', async () => {
  const cwd = tempFolder();
  await runHere(migrateCommand(), [], { cwd, settings: { DB_MASTER_KEY: OLD } });
  writeFileSync(join(cwd, 'new.key'), `${NEW}\n`);
  const rotate = (args: string[], settings: Record<string, string>) =>
    runHere(masterKeyCommand(), ['rotate', '--yes', ...args], { cwd, settings });
  const byFile = await rotate(['--new-key-file', 'new.key'], { DB_MASTER_KEY: OLD });
  expect(byFile).toMatch(/under the new master key.*\nSet DB_MASTER_KEY to it/);
  const present = { DB_MASTER_KEY: NEW };
  await expect(rotate([], present)).rejects.toThrow(/you have to give the new one/);
  await expect(rotate([], { ...present, WOTP_NEW_MASTER_KEY: 'short' })).rejects.toThrow(/32 characters/);
  await expect(rotate([], { ...present, WOTP_NEW_MASTER_KEY: NEW })).rejects.toThrow(/is the current one/);
  await expect(rotate(['--new-key-file', 'nowhere'], present)).rejects.toThrow(/cannot be read \(ENOENT\)/);
  await expect(
    runHere(masterKeyCommand(), ['rotate', '--yes'], { cwd: tempFolder(), settings: present }),
  ).rejects.toThrow(/There is no database/);
});

test('another key in DB_MASTER_KEY than the one that WOTP keeps is refused with the way on', async () => {
  const cwd = tempFolder();
  await runHere(migrateCommand(), [], { cwd });
  const settings = { DB_MASTER_KEY: NEW, WOTP_NEW_MASTER_KEY: NEW };
  const wayOn =
    /^DB_MASTER_KEY is not the key of this database\. The key in .*master\.key is\. .*remove DB_MASTER_KEY and run `.* master-key rotate .*reset --yes/;
  for (const [command, args] of [
    [verifyCommand(), []],
    [compactCommand(), []],
    [masterKeyCommand(), ['rotate', '--yes']],
  ] as const) {
    await expect(runHere(command, args, { cwd, settings })).rejects.toThrow(wayOn);
  }
  const { WOTP_NEW_MASTER_KEY } = settings;
  await runHere(masterKeyCommand(), ['rotate', '--yes'], { cwd, settings: { WOTP_NEW_MASTER_KEY } });
  expect(await runHere(verifyCommand(), [], { cwd, settings })).toMatch(/is intact/);
  writeFileSync(join(cwd, 'data', 'master.key'), OLD);
  await expect(runHere(verifyCommand(), [], { cwd })).rejects.toThrow(
    /^The master key in .*master\.key is not the key of this database\./,
  );
});

test('beside a running server they work through it, or are refused', async () => {
  const cwd = tempFolder();
  const server = await startTestApp({ dir: cwd, env: QUICK_ADMIN });
  const here = { cwd, settings: { DATA_DIR: cwd, ...QUICK_ADMIN } };
  try {
    expect(await runHere(seedCommand(), ['--count', '5', '--json'], here)).toContain('"verifications":5');
    expect(await runHere(compactCommand(), ['--json'], here)).toContain('"purged"');
    const status = JSON.parse(await runHere(migrateCommand(), ['--status', '--json'], here));
    expect(status.migrations[0].appliedAt).toMatch(/Z$/);
    expect(await runHere(migrateCommand(), [], here)).toBe('The schema is up to date.\n');
    await expect(runHere(resetCommand(), ['--yes'], here)).rejects.toThrow(
      /Stop it first; nothing was deleted/,
    );
    const rotate = runHere(masterKeyCommand(), ['rotate', '--yes'], here);
    await expect(rotate).rejects.toThrow(/Stop it, rotate the key/);
    expect((await server.call('GET', 'health/ready', { key: null })).status).toBe(200);
  } finally {
    await server.stop({ keepFiles: true });
  }
});
