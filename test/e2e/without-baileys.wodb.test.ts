import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { call, endCommands, lastLine, PASSWORD, serve, wotp } from '../support/command-line.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { newPhone } from '../support/verifications.ts';

vi.setConfig({ testTimeout: 60_000 });

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const REAL = {
  NODE_ENV: 'production',
  BOT_MOCK_MODE: 'false',
  DB_MASTER_KEY: '3f9b1c77e2d84a06b5c1908e7d42fa6615c8e0b97a3d4f21',
  MASTER_PASSWORD: PASSWORD,
};

/** The command of a WOTP that lies as `npm install --omit=optional` installs it. */
let program: string;
let folder: string;

beforeAll(async () => {
  await ensureBuilt();
  folder = mkdtempSync(join(tmpdir(), 'wotp-test-'));
  program = join(folder, 'bin/wotp.js');
  for (const name of ['bin', 'dist', 'package.json'])
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { optional?: boolean; dev?: boolean }>;
  };
  for (const [place, { optional, dev }] of Object.entries(lock.packages)) {
    const isAtTop = /^node_modules\/(@[^/]+\/)?[^/]+$/.test(place);
    if (!isAtTop || optional || dev || !existsSync(join(ROOT, place))) continue;
    mkdirSync(dirname(join(folder, place)), { recursive: true });
    symlinkSync(join(ROOT, place), join(folder, place));
  }
}, 120_000);

afterAll(async () => {
  await endCommands();
  rmSync(folder, { recursive: true });
});

const MISSING = expect.stringMatching(/^Baileys, .* is not installed .*npm install --no-save baileys@\d/);

test('without Baileys the first code is sent, arrives on the virtual phone, and verifies', async () => {
  const server = await serve(tempFolder(), { MASTER_PASSWORD: PASSWORD }, [], program);
  const ask = async (method: string, path: string, body?: object) => {
    const answer = await call(server.address, method, path, { body });
    return { status: answer.status, ...((await answer.json()) as { data: Record<string, string>[] }) };
  };
  const phone = newPhone();
  expect(await ask('POST', 'otp/send', { phone })).toMatchObject({ status: 201 });
  let text: string | undefined;
  await expect
    .poll(async () => {
      text = (await ask('GET', `simulator/messages?to=${encodeURIComponent(phone)}`)).data[0]?.text;
      return text;
    })
    .toMatch(/\d{6}/);
  const [code] = /\d{6}/.exec(text!)!;
  expect(await ask('POST', 'otp/verify', { phone, code })).toMatchObject({
    status: 200,
    data: { valid: true },
  });
  expect((await server.stop()).code).toBe(0);
  expect(server.output()).not.toContain('Baileys');
});

test('without Baileys the server starts for real, and whatever needs WhatsApp says what to do', async () => {
  const cwd = tempFolder();
  const server = await serve(cwd, REAL, [], program);
  const ask = async (method: string, path: string, body?: object) => {
    const answer = await call(server.address, method, path, { body });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };
  expect(await ask('GET', 'health')).toMatchObject({
    status: 200,
    body: { status: 'degraded', checks: { whatsapp: { status: 'degraded', detail: MISSING } } },
  });
  expect(await ask('POST', 'otp/send', { phone: newPhone() })).toMatchObject({
    status: 503,
    body: { code: 'WHATSAPP_OFFLINE', detail: MISSING },
  });
  const refused = { status: 409, body: { code: 'CONFLICT', detail: MISSING } };
  expect(await ask('POST', 'bot/sessions', {})).toMatchObject(refused);
  const made = await ask('POST', 'bot/sessions', { link: false });
  expect(made.status).toBe(201);
  const { id } = made.body.data as { id: string };
  expect(await ask('GET', `bot/sessions/${id}`)).toMatchObject({ status: 200 });
  for (const [method, path, body] of [
    ['POST', '/pairing-code', { phone: newPhone() }],
    ['POST', '/restart'],
    ['POST', '/pause'],
    ['POST', '/logout'],
    ['POST', '/export'],
    ['POST', '/import', { files: { 'creds.json': '{}' } }],
    ['DELETE', ''],
  ] as const) {
    expect(await ask(method, `bot/sessions/${id}${path}`, body), path).toMatchObject(refused);
  }
  const pair = await wotp(cwd, ['bot', 'pair', '--json'], REAL, '', program);
  expect(pair.code).toBe(1);
  expect(lastLine(pair.stdout)).toEqual({ error: { code: 'CONFLICT', message: MISSING } });
  expect((await server.stop()).code).toBe(0);
  expect(server.output()).toMatch(/"level":40,.*"msg":"Baileys, /);
});
