import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { VERSION } from '../../src/lib/version.ts';
import {
  call,
  endCommands,
  lastLine,
  PASSWORD,
  type ServeProcess,
  serve,
  wotp,
} from '../support/command-line.ts';
import { openRaw } from '../support/raw-http.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { startTestApp } from '../support/test-app.ts';
import { newPhone } from '../support/verifications.ts';

vi.setConfig({ testTimeout: 60_000 });

beforeAll(ensureBuilt, 120_000);
afterAll(endCommands);

describe('serve', () => {
  test('prints the password and the first key on the first run only; a kill later, commands still find all', async () => {
    const cwd = tempFolder();
    const first = await serve(cwd);
    const [, password = ''] = /Admin password {2}(\S+)/.exec(first.output()) ?? [];
    const [, key = ''] = /API key {9}(\S+)/.exec(first.output()) ?? [];
    for (const name of ['API ', 'Dashboard', 'Docs', 'Local', 'Sign in']) {
      expect(first.output()).toMatch(new RegExp(`^ {2}${name} +${first.address}`, 'm'));
    }
    expect((await call(first.address, 'GET', 'otp', { key })).status).toBe(200);
    const asAdmin = await fetch(`${first.address}/api/v1/simulator/messages`, {
      headers: { 'x-master-key': password },
    });
    expect(asAdmin.status).toBe(200);
    const [, link] = /Sign in +(\S+)/.exec(first.output()) ?? [];
    expect((await first.stop('SIGINT')).code).toBe(0);

    const second = await serve(cwd);
    expect(second.output()).not.toContain('First run');
    expect(second.output()).not.toContain(password);
    expect(second.output()).not.toMatch(/wotp_[0-9a-f]{64}/);
    expect(second.output()).toContain('Sign in');
    expect(second.output()).not.toContain(link);
    expect((await call(second.address, 'GET', 'otp', { key })).status).toBe(200);

    await second.stop('SIGKILL');
    expect(existsSync(join(cwd, 'data/wotp.sock'))).toBe(true);
    const { keys } = lastLine((await wotp(cwd, ['token', 'list', '--json'])).stdout) as { keys: object[] };
    expect(keys).toHaveLength(1);
  });

  test('with --json prints the same as one line, and what the first run made once', async () => {
    const cwd = tempFolder();
    const said = ({ output }: ServeProcess) =>
      JSON.parse(
        output()
          .split('\n')
          .find((line) => line.includes('"signIn"')) ?? '',
      );
    const first = await serve(cwd, {}, ['--json']);
    const { address } = first;
    expect(said(first)).toEqual({
      version: VERSION,
      local: address,
      public: null,
      api: `${address}/api/v1`,
      dashboard: `${address}/`,
      docs: `${address}/docs`,
      signIn: expect.stringMatching(/#sign-in=.{20,}$/),
      channels: [],
      dataDir: join(cwd, 'data'),
      backups: null,
      warnings: [],
      firstRun: { adminPassword: expect.any(String), apiKey: expect.stringMatching(/^wotp_/) },
    });
    const { apiKey } = said(first).firstRun;
    expect((await call(address, 'GET', 'otp', { key: apiKey })).status).toBe(200);
    await first.stop();
    const second = await serve(cwd, {}, ['--json']);
    expect(said(second).firstRun).toBeNull();
    await second.stop();
  });

  test('names where it is reached, what reaches a person, where data is, and whether it is backed up', async () => {
    const cwd = tempFolder();
    const tried = await serve(cwd);
    expect(tried.output()).toMatch(/^ {2}Public +not set \(PUBLIC_URL /m);
    expect(tried.output()).toMatch(
      /^ {2}Channels +none reaches a real phone: messages go to the virtual phone/m,
    );
    expect(tried.output()).toContain(`\n  Data       ${join(cwd, 'data')}\n`);
    expect(tried.output()).toMatch(/^ {2}Backups +off \(set BACKUP_CRON, or run /m);
    await tried.stop();
    const real = await serve(cwd, {
      BOT_MOCK_MODE: 'false',
      PUBLIC_URL: 'https://otp.example.com',
      BACKUP_CRON: '0 3 * * *',
    });
    await real.stop();
    expect(real.output()).toMatch(/^ {2}API +https:\/\/otp\.example\.com\/api\/v1$/m);
    expect(real.output()).toMatch(/^ {2}Local +http:\/\/127\.0\.0\.1:\d+ \(what your proxy forwards to\)$/m);
    expect(real.output()).toMatch(/^ {2}Public +https:\/\/otp\.example\.com$/m);
    expect(real.output()).toMatch(
      /^ {2}Channels +none reaches a real phone: no WhatsApp number is linked\. Link one with `node \S+ bot pair`$/m,
    );
    expect(real.output()).toMatch(/^ {2}Backups +on: 0 3 \* \* \*.*, 7 kept in .*backups$/m);
  });

  test('names settings that are less strict than recommended, in the banner and in the log', async () => {
    const settings = {
      NODE_ENV: 'production',
      DB_MASTER_KEY: '3f9b1c77e2d84a06b5c1908e7d42fa6615c8e0b97a3d4f21',
      MASTER_PASSWORD: 'plum-orbit-cradle-57',
      PUBLIC_URL: 'http://otp.example.com',
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    };
    const cwd = tempFolder();
    const server = await serve(cwd, { ...settings, LOG_DIR: './logs' });
    await server.stop();
    const [banner = ''] = server.output().split(/^\{/m);
    const log = readFileSync(join(cwd, 'logs/wotp.log'), 'utf8');
    for (const name of ['PUBLIC_URL is http://otp.example.com: ', 'NODE_TLS_REJECT_UNAUTHORIZED is 0: ']) {
      expect(banner).toContain(`  - ${name}`);
      expect(log).toContain(`"msg":"${name}`);
    }
  });

  test('prints no password that the configuration gives, and lets nobody but the owner read its files', async () => {
    const cwd = tempFolder();
    const settings = { MASTER_PASSWORD: PASSWORD, LOG_DIR: './logs', LOG_LEVEL: 'debug' };
    const server = await serve(cwd, settings);
    expect(server.output()).toContain('API key');
    expect(server.output()).not.toContain('Admin password');
    await call(server.address, 'GET', 'otp');
    expect((await server.stop()).code).toBe(0);
    expect(server.output()).not.toContain(PASSWORD);
    const [, afterBanner = ''] = server.output().split(/API key.*\n\n/);
    for (const line of afterBanner.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('msg');

    const lines = readFileSync(join(cwd, 'logs/wotp.log'), 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).msg)).toContain('request');
    const mode = (path: string) => (statSync(join(cwd, path)).mode & 0o777).toString(8);
    const files = readdirSync(join(cwd, 'data')).map((file) => `data/${file}`);
    expect(files).toContain('data/master.key');
    expect(['data', 'logs'].map(mode)).toEqual(['700', '700']);
    expect([...files, 'logs/wotp.log'].map(mode)).toEqual([...files, ''].map(() => '600'));
  });

  test('loses no first run to a port that is taken: the next start prints what the first made', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const cwd = tempFolder();
    const refused = await wotp(cwd, ['serve'], { PORT: String(port) });
    taken.close();
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(new RegExp(`^wotp: 127\\.0\\.0\\.1:${port} is in use\\.`));
    const server = await serve(cwd);
    const printed = refused.stdout + server.output();
    expect((await server.stop()).code).toBe(0);
    expect(printed).toMatch(/Admin password {2}\S+/);
    expect(printed).toMatch(/API key {9}wotp_[0-9a-f]{64}/);
  });

  test('ends with 0 within 10 seconds of SIGTERM under load, though some say nothing, and keeps what it answered', async () => {
    const cwd = tempFolder();
    const settings = { MASTER_PASSWORD: PASSWORD, SIMULATOR_DELIVERED_MS: '0', SIMULATOR_READ_MS: '0' };
    const server = await serve(cwd, settings);
    const accepted: string[] = [];
    const refused: unknown[] = [];
    let underLoad = () => {};
    const loaded = new Promise<void>((resolve) => {
      underLoad = resolve;
    });
    const load = Array.from({ length: 16 }, async () => {
      for (;;) {
        const body = { phone: newPhone() };
        const answer = await call(server.address, 'POST', 'otp/send', { body })
          .then(async (given) => ({
            status: given.status,
            body: (await given.json()) as { data?: { id: string } },
          }))
          .catch(() => undefined);
        // The server is gone.
        if (!answer) return;
        if (answer.body.data) accepted.push(answer.body.data.id);
        else refused.push({ status: answer.status, ...answer.body });
        if (accepted.length === 200) underLoad();
      }
    });
    await loaded;
    const silent = await openRaw(server.address);
    const half = await openRaw(server.address);
    half.write('POST /api/v1/otp/send HTTP/1.1\r\nHost: localhost\r\n');
    const { code, tookMs } = await server.stop();
    await Promise.all([silent.closed(), half.closed()]);
    await Promise.all(load);
    for (const answer of refused) expect(answer).toMatchObject({ status: 503, code: 'SERVICE_UNAVAILABLE' });
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(10_000);
    expect(readdirSync(join(cwd, 'data')).filter((file) => /-(wal|shm)$/.test(file))).toEqual([]);

    const after = await startTestApp({ dir: join(cwd, 'data'), env: { MASTER_PASSWORD: PASSWORD } });
    try {
      const { reader } = after.app.database;
      const rows = await reader.selectFrom('verifications').select('id').execute();
      const stored = new Set(rows.map(({ id }) => id));
      expect(accepted.length).toBeGreaterThanOrEqual(200);
      expect(accepted.filter((id) => !stored.has(id))).toEqual([]);
      const messages = await reader.selectFrom('messages').select('status').execute();
      expect(messages.filter(({ status }) => status === 'sending')).toEqual([]);
    } finally {
      await after.stop({ keepFiles: true });
    }
  });
});
