import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { programOf } from '../../src/cli/program.ts';
import { COMMANDS } from '../../src/commands.ts';
import { runHere } from '../support/command-in-process.ts';
import { ENGINE } from '../support/engine.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';
import { MASTER_KEY } from '../support/wodb.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
let settings: Record<string, string>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  const engine = { DATABASE_URL: 'postgres://unused@127.0.0.1/x', DB_MASTER_KEY: MASTER_KEY };
  settings = { DATA_DIR: server.dir, ...(ENGINE === 'postgres' && engine) };
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

/** Runs a command beside the running server. */
async function wotp(...args: string[]): Promise<string> {
  return runHere(await programOf(COMMANDS, args), args, { cwd: server.dir, settings });
}
const json = async (...args: string[]) => JSON.parse(await wotp('logs', ...args, '--json'));
const types = (logs: { type: string }[]) => logs.map(({ type }) => type);

describe('the logs command', () => {
  test('shows the newest entries, as a table or as JSON', async () => {
    await wotp('opt-outs', 'add', newPhone());
    const { logs } = await json('--limit', '3');
    expect(logs).toHaveLength(3);
    expect(logs[0]).toMatchObject({
      type: 'number.opted_out',
      actor: 'cli',
      data: { address: 'local', from: expect.stringMatching(/^\+\*+\d{4}$/) },
    });
    const text = await wotp('logs', '--limit', '3');
    expect(text).toMatch(/number\.opted_out .* cli .* address: local/);
    expect(text).toContain('There are older entries');
  });

  test('takes the filters of the API, and more than one page', async () => {
    const phone = newPhone();
    const { id } = await otp.sent({ phone });
    expect(types((await json('--type', 'otp.*', '--subject', id)).logs)).toEqual(['otp.created']);
    expect(types((await json('--phone', phone)).logs)).toEqual(['message.queued', 'otp.created']);
    expect((await json('--actor', 'cli', '--from', '2100-01-01T00:00:00Z')).logs).toEqual([]);
    expect(await wotp('logs', '--to', '1990-01-01T00:00:00Z')).toBe('No entry matches.\n');
    for (let i = 0; i < 70; i++) await otp.sent({ phone: newPhone() });
    expect(
      (await json('--type', 'otp.created,message.queued', '--limit', '250')).logs.length,
    ).toBeGreaterThan(140);
    await expect(json('--type', 'otp.unknown')).rejects.toThrow(/Unknown: `otp.unknown`/);
  });

  test('verifies the audit log, and fails with the first line that is not right', async () => {
    expect(await json('verify')).toMatchObject({ ok: true, checked: expect.any(Number) });
    const text = await wotp('logs', 'verify');
    expect(text).toMatch(/^The audit log is intact: \d+ lines since /);
    const head = /^Head: (\S+)$/m.exec(text)![1]!;
    expect(await json('verify', '--head', head)).toMatchObject({ ok: true });
    const { database } = server.app;
    await database.transaction((trx) => trx.deleteFrom('audit_log').where('position', '=', 2).execute());
    expect(await json('verify')).toMatchObject({ ok: false, checked: 1, firstBad: { position: 2 } });
    expect(await wotp('logs', 'verify')).toMatch(/^The audit log was changed: Line 2 is missing\./);
    expect(process.exitCode).toBe(1);
    process.exitCode = 0;
  });
});

describe('logs --follow', () => {
  test('shows the newest entries, then each new one as a line of JSON, and ends at Ctrl+C', async () => {
    const interrupts = process.listenerCount('SIGINT');
    let printed = '';
    const args = ['logs', '--follow', '--json', '--limit', '2', '--type', 'otp.*'];
    const program = await programOf(COMMANDS, args);
    const following = runHere(program, args, { cwd: server.dir, settings }, (text) => {
      printed += text;
    });
    const lines = () =>
      printed
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line));
    await vi.waitFor(() => expect(lines()).toHaveLength(2), 10_000);
    const { id } = await otp.sent({ phone: newPhone() });
    await vi.waitFor(() => expect(lines()).toHaveLength(3), 10_000);
    expect(lines()[2]).toMatchObject({ type: 'otp.created', subject: id });
    const [first, second] = lines();
    expect(first.at <= second.at).toBe(true);
    process.emit('SIGINT');
    await following;
    expect(process.listenerCount('SIGINT')).toBe(interrupts);
  });
});
