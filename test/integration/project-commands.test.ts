import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { programOf } from '../../src/cli/program.ts';
import { COMMANDS } from '../../src/commands.ts';
import { runHere } from '../support/command-in-process.ts';
import { ENGINE } from '../support/engine.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { QUICK_ADMIN } from '../support/verifications.ts';
import { MASTER_KEY } from '../support/wodb.ts';

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
});
afterAll(() => server.stop());

/** Runs a command beside the running server. */
async function wotp(...args: string[]): Promise<string> {
  return runHere(await programOf(COMMANDS, args), args, {
    cwd: server.dir,
    settings: {
      DATA_DIR: server.dir,
      ...(ENGINE === 'postgres' && {
        DATABASE_URL: 'postgres://unused@127.0.0.1/x',
        DB_MASTER_KEY: MASTER_KEY,
      }),
    },
  });
}
const json = async (...args: string[]) => JSON.parse(await wotp(...args, '--json'));

describe('the project command', () => {
  test('creates projects and lists them, and a key is created for one', async () => {
    const { id } = await json('project', 'create', 'Checkout');
    expect(await wotp('project', 'create', 'Another')).toMatch(/^prj_[0-9a-z]{26}\n\n.*token create/);
    const { projects } = await json('project', 'list');
    expect(projects).toMatchObject([{ name: 'Default', isDefault: true }, { id, name: 'Checkout' }, {}]);
    expect(await wotp('project', 'list')).toContain(id);

    const key = await json('token', 'create', '--name', 'shop', '--project', id);
    expect((await json('token', 'list', '--project', id)).keys).toMatchObject([{ id: key.id, name: 'shop' }]);
    expect((await json('token', 'list')).keys).not.toContainEqual(expect.objectContaining({ id: key.id }));
    await wotp('token', 'revoke', key.id, '--project', id);
    expect((await json('token', 'list', '--project', id)).keys).toEqual([]);
  });
});

describe('the settings command', () => {
  test('shows what is set, or one setting with all about it', async () => {
    const { settings } = await json('settings', 'show');
    expect(settings).toContainEqual(
      expect.objectContaining({ key: 'OTP_LENGTH', value: 6, setBy: 'default' }),
    );
    expect(settings).not.toContainEqual(expect.objectContaining({ key: 'KEEP_ALIVE_SECONDS' }));
    expect(await wotp('settings', 'show', '--all')).toContain('KEEP_ALIVE_SECONDS');
    expect(await wotp('settings', 'show', 'OTP_LENGTH')).toContain('allowed: a whole number from 6 to 10');
    await expect(wotp('settings', 'show', 'OTP_LENGHT')).rejects.toThrow('There is no setting OTP_LENGHT.');
  });

  test('sets for the installation or a project, unsets, and says who', async () => {
    const { id } = await json('project', 'create', 'Settings');
    await wotp('settings', 'set', 'OTP_LENGTH=7');
    const set = ['settings', 'set', 'OTP_LENGTH=8', 'BRAND_NAME=Acme = Co', '--project', id];
    expect((await json(...set)).settings).toMatchObject([
      { key: 'OTP_LENGTH', value: 8, setBy: 'project', updatedBy: 'cli' },
      { key: 'BRAND_NAME', value: 'Acme = Co' },
    ]);
    const shown = await json('settings', 'show', 'OTP_LENGTH');
    expect(shown.settings).toMatchObject([{ value: 7, setBy: 'installation', updatedBy: 'cli' }]);
    await wotp('settings', 'set', 'OTP_LENGTH=', '--project', id);
    await wotp('settings', 'set', '--unset', 'OTP_LENGTH');
    const after = await json('settings', 'show', 'OTP_LENGTH', '--project', id);
    expect(after.settings).toMatchObject([{ value: 6, setBy: 'default', updatedBy: null }]);
  });

  test('says what is wrong with a value', async () => {
    await expect(wotp('settings', 'set', 'OTP_LENGTH=3')).rejects.toThrow(
      'OTP_LENGTH: given "3"; allowed: a whole number from 6 to 10.',
    );
  });
});
