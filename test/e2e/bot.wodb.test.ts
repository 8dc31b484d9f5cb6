import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { useMultiFileAuthState } from 'baileys';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { endCommands, interrupted, lastLine, PASSWORD, serve, wotp } from '../support/command-line.ts';
import { bareBaileys } from '../support/fake-whatsapp/bare-baileys.ts';
import { quietLibsignal } from '../support/fake-whatsapp/quiet-libsignal.ts';
import { type FakeWhatsApp, startFakeWhatsApp } from '../support/fake-whatsapp/server.ts';
import { tempFolder } from '../support/temp-folder.ts';

vi.setConfig({ testTimeout: 180_000 });
quietLibsignal();

beforeAll(ensureBuilt, 120_000);
afterAll(endCommands);

const OWN = '+4915100000001';
const SECOND = '+4915100000002';

/** Waits for what another process does, which takes long where many run. */
const eventually = (condition: () => boolean | Promise<boolean>) =>
  vi.waitUntil(condition, { timeout: 60_000, interval: 20 });

interface ShownSession {
  id: string;
  state: string;
  phone: string;
}

async function start(): Promise<{ whatsapp: FakeWhatsApp; settings: Record<string, string>; cwd: string }> {
  const whatsapp = await startFakeWhatsApp();
  onTestFinished(() => whatsapp.stop());
  const settings = {
    BOT_MOCK_MODE: 'false',
    BOT_SOCKET_URL: whatsapp.url,
    MASTER_PASSWORD: PASSWORD,
  };
  return { whatsapp, settings, cwd: tempFolder() };
}

test('a number that Baileys has linked is imported without a server, connects with it, and is exported again', async () => {
  const { whatsapp, settings, cwd } = await start();
  const folder = join(cwd, 'auth_info_baileys');
  const { state, saveCreds } = await useMultiFileAuthState(folder);
  const v3 = bareBaileys(whatsapp.url, { auth: state });
  await v3.pair(whatsapp.phone(OWN));
  await whatsapp.until(() => whatsapp.linked(OWN).online);
  await saveCreds();
  v3.end();

  const imported = await wotp(cwd, ['bot', 'import', 'auth_info_baileys', '--json'], settings);
  expect(imported).toMatchObject({ code: 0, stderr: '' });
  const { id, phone } = lastLine<ShownSession>(imported.stdout);
  expect(phone).toBe(OWN);
  expect(whatsapp.linked(OWN).logins).toBe(1);

  const server = await serve(cwd, settings);
  await eventually(() => whatsapp.linked(OWN).logins === 2 && whatsapp.linked(OWN).online);
  const status = async () =>
    lastLine<{ sessions: ShownSession[] }>((await wotp(cwd, ['bot', 'status', '--json'], settings)).stdout);
  await eventually(async () => (await status()).sessions[0]?.state === 'open');
  const paused = await wotp(cwd, ['bot', 'pause', id, '--json'], settings);
  expect(lastLine(paused.stdout)).toMatchObject({ id, state: 'paused' });

  const exported = await wotp(cwd, ['bot', 'export', id, 'exported'], settings);
  expect(exported).toMatchObject({ code: 0, stderr: '' });
  // One-time keys that the phone has used meanwhile are gone, as they have to be.
  const lasting = readdirSync(folder).filter((name) => !name.startsWith('pre-key-'));
  expect(readdirSync(join(cwd, 'exported'))).toEqual(expect.arrayContaining(lasting));
  expect(statSync(join(cwd, 'exported', 'creds.json')).mode & 0o777).toBe(0o600);
  expect(await wotp(cwd, ['bot', 'export', id, 'exported'], settings)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('already exists'),
  });
  const table = await wotp(cwd, ['bot', 'status'], settings);
  expect(table.stdout).toMatch(new RegExp(`${id}.*paused`));
  expect(table.stdout).toContain('Paused by the operator.');
  // A terminal's colours would arrive as litter.
  for (const litter of ['\u001b', '\ufffd', '[90m']) expect(table.stdout).not.toContain(litter);
  expect(server.output()).not.toContain(OWN.slice(1));
  expect(await server.stop()).toMatchObject({ code: 0 });
});

test('pair shows QR codes until one is scanned, then send sends, and each says what went wrong where it did', async () => {
  const { whatsapp, settings, cwd } = await start();
  const server = await serve(cwd, settings);
  const pairing = wotp(cwd, ['bot', 'pair', '--name', 'Support'], settings);
  const headers = { 'x-master-key': PASSWORD };
  const read = async (path: string) =>
    (await (await fetch(`${server.address}/api/v1/bot/sessions${path}`, { headers })).json()) as {
      data: { id: string; qr: string }[] & { qr: string };
    };
  await eventually(async () => (await read('')).data.length === 1);
  const [{ id }] = (await read('')).data as unknown as [{ id: string }];
  await eventually(async () => (await read(`/${id}/qr`)).data !== undefined);
  await whatsapp.phone(SECOND).scanQr((await read(`/${id}/qr`)).data.qr);
  const { code, stdout, stderr } = await pairing;
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain(`${SECOND} is linked as ${id}.`);

  const recipient = whatsapp.phone(OWN);
  const sent = await wotp(cwd, ['bot', 'send', OWN, '--message', 'Try {{code}}', '--json'], settings);
  expect(sent).toMatchObject({ code: 0, stderr: '' });
  expect(lastLine(sent.stdout)).toMatchObject({ phone: OWN, channel: 'whatsapp', reason: null });
  await eventually(() => recipient.messages.some(({ text }) => /^Try \d{6}$/.test(text)));
  const again = await wotp(cwd, ['bot', 'send', OWN], settings);
  expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('RATE_LIMIT_EXCEEDED') });

  const loggedOut = await wotp(cwd, ['bot', 'logout', id], settings);
  expect(loggedOut.stdout).toContain('logged_out');
  expect(await wotp(cwd, ['bot', 'send', OWN], settings)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/Link one with `node .* bot pair`\. \(WHATSAPP_OFFLINE\)/),
  });
  await eventually(() => whatsapp.phone(SECOND).linked.length === 0);
  expect(await wotp(cwd, ['bot', 'resume', id], settings)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('not paused'),
  });
  expect(await wotp(cwd, ['bot', 'import', 'nowhere'], settings)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('nowhere cannot be read'),
  });
  await server.stop();
});

test('a pairing that cannot begin leaves no session behind, and one that was there before stays', async () => {
  const { whatsapp, settings, cwd } = await start();
  const sessions = async () =>
    lastLine<{ sessions: ShownSession[] }>((await wotp(cwd, ['bot', 'status', '--json'], settings)).stdout)
      .sessions;
  const pair = (more: string[], changes: Record<string, string> = {}) =>
    wotp(cwd, ['bot', 'pair', ...more], { ...settings, ...changes });

  expect((await pair(['--phone', 'abc'])).stderr).toContain('PHONE_INVALID');
  expect((await pair(['--phone', OWN], { BOT_MOCK_MODE: 'true' })).stderr).toContain('BOT_MOCK_MODE=false');
  await whatsapp.goAway();
  const unreached = await interrupted(cwd, ['bot', 'pair', '--phone', OWN], settings, {
    after: /Trying again/,
    signal: 'SIGINT',
  });
  expect(unreached).toMatchObject({ code: 1, stderr: expect.stringContaining('Interrupted') });
  expect(await sessions()).toEqual([]);

  await whatsapp.comeBack();
  const server = await serve(cwd, settings);
  const headers = { 'x-master-key': PASSWORD, 'content-type': 'application/json' };
  const body = JSON.stringify({ link: false });
  await fetch(`${server.address}/api/v1/bot/sessions`, { method: 'POST', headers, body });
  const [own] = await sessions();
  expect((await pair(['--session', own!.id, '--phone', 'abc'])).stderr).toContain('PHONE_INVALID');
  expect(await sessions()).toMatchObject([{ id: own!.id }]);
  await server.stop();
});

test('Ctrl+C in a pairing, or the end of its terminal, leaves no session behind, with a server and without', async () => {
  const { settings, cwd } = await start();
  const sessions = async () =>
    lastLine<{ sessions: ShownSession[] }>((await wotp(cwd, ['bot', 'status', '--json'], settings)).stdout)
      .sessions;
  const pair = ['bot', 'pair', '--json'];
  const alone = await interrupted(cwd, pair, settings, { after: /"qr":/, signal: 'SIGINT' });
  expect(alone).toMatchObject({ code: 1, stderr: expect.stringContaining('Interrupted') });
  expect(await sessions()).toEqual([]);

  const server = await serve(cwd, settings);
  const beside = await interrupted(cwd, pair, settings, { after: /"qr":/, signal: 'SIGHUP' });
  expect(beside).toMatchObject({ code: 1, stderr: expect.stringContaining('Interrupted') });
  expect(await sessions()).toEqual([]);
  await server.stop();
});

test('after a kill -9 the status says what is so and not what was, and a session can be removed', async () => {
  const { whatsapp, settings, cwd } = await start();
  const { state, saveCreds } = await useMultiFileAuthState(join(cwd, 'auth'));
  const v3 = bareBaileys(whatsapp.url, { auth: state });
  await v3.pair(whatsapp.phone(OWN));
  await saveCreds();
  v3.end();
  await wotp(cwd, ['bot', 'import', 'auth', '--name', 'Support'], settings);
  const sessions = async () =>
    lastLine<{ sessions: (ShownSession & { reason: string })[] }>(
      (await wotp(cwd, ['bot', 'status', '--json'], settings)).stdout,
    ).sessions;
  const server = await serve(cwd, settings);
  await eventually(async () => (await sessions())[0]?.state === 'open');
  const id = (await sessions())[0]!.id;
  const shown = (await wotp(cwd, ['bot', 'status'], settings)).stdout;
  expect(shown).toMatch(/name.*number.*state.*health.*left today/);
  expect(shown).not.toContain('pairing code');
  await server.stop('SIGKILL');

  expect(await sessions()).toMatchObject([
    { id, state: 'reconnecting', reason: expect.stringContaining('No server is running') },
  ]);
  const table = (await wotp(cwd, ['bot', 'status'], settings)).stdout;
  expect(table).toContain('No server is running');
  expect(table).not.toContain('left today');
  expect(await wotp(cwd, ['bot', 'remove', id], settings)).toMatchObject({ code: 0 });
  expect(await sessions()).toEqual([]);
});

test('pair needs no server, unlike send, and refuses in mock mode', async () => {
  const { whatsapp, settings, cwd } = await start();
  expect(await wotp(cwd, ['bot', 'send', SECOND], settings)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('No server is running'),
  });
  const refused = await wotp(cwd, ['bot', 'pair'], { ...settings, BOT_MOCK_MODE: 'true' });
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('BOT_MOCK_MODE=false') });
  const pairing = wotp(cwd, ['bot', 'pair', '--phone', OWN, '--json'], settings);
  await eventually(() => whatsapp.phone(OWN).codeRequested);
  // The code is on the terminal only; a wrong one is noticed by the phone, and the link times out.
  await expect(whatsapp.phone(OWN).enterCode('AAAA2222')).rejects.toThrow('the code is wrong');
  await endCommands();
  expect((await pairing).stdout).toMatch(/"code":"[0-9A-Z]{8}"/);
});
