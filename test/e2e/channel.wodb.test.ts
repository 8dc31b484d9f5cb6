import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { endCommands, lastLine, PASSWORD, serve, wotp } from '../support/command-line.ts';
import { startMailServer } from '../support/mail-server.ts';
import { tempFolder } from '../support/temp-folder.ts';

vi.setConfig({ testTimeout: 180_000 });

beforeAll(ensureBuilt, 120_000);
afterAll(endCommands);

test('channels are listed and tested over the running server, with what became of the message', async () => {
  const mail = await startMailServer();
  onTestFinished(() => mail.stop());
  const cwd = tempFolder();
  const settings = {
    BOT_MOCK_MODE: 'false',
    MASTER_PASSWORD: PASSWORD,
    // Nobody listens there.
    BOT_SOCKET_URL: 'wss://127.0.0.1:9/',
    SMTP_URL: `smtp://127.0.0.1:${mail.port}`,
    SMTP_FROM: 'no-reply@example.com',
  };
  expect(await wotp(cwd, ['channel', 'list'], settings)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('No server is running here'),
  });
  const server = await serve(cwd, settings);
  expect(server.output()).toMatch(/Channels +email\n/);

  const list = await wotp(cwd, ['channel', 'list'], settings);
  expect(list.code).toBe(0);
  expect(list.stdout).toMatch(/email +│ ready/);
  expect(list.stdout).toMatch(/whatsapp +│ off .*No WhatsApp number is linked/);
  const { channels } = lastLine<{ channels: { name: string; state: string }[] }>(
    (await wotp(cwd, ['channel', 'list', '--json'], settings)).stdout,
  );
  expect(channels).toHaveLength(5);

  const sent = await wotp(cwd, ['channel', 'test', 'email', 'jo@example.net'], settings);
  expect(sent).toMatchObject({ code: 0, stderr: '' });
  expect(sent.stdout).toContain('The message to jo@example.net by email is sent.');
  expect(sent.stdout).toMatch(/\d\d:\d\d:\d\d\.\d{3} {2}sent/);
  expect(mail.mails.map(({ envelope }) => envelope.to)).toEqual([['jo@example.net']]);

  mail.onRecipient = () => '550 5.1.1 no such user';
  const refused = await wotp(cwd, ['channel', 'test', 'email', 'gone@example.net', '--json'], settings);
  expect(refused.code).toBe(1);
  expect(lastLine(refused.stdout)).toMatchObject({
    name: 'email',
    to: 'gone@example.net',
    messageStatus: 'failed',
    reason: expect.stringContaining('there is no such mailbox'),
  });

  expect(await wotp(cwd, ['channel', 'test', 'sms', '+6283834946034'], settings)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('The channel sms is not set up on this server.'),
  });
  expect((await wotp(cwd, ['channel', 'test', 'pigeon', '+6283834946034'], settings)).code).toBe(2);
  expect((await wotp(cwd, ['channel', 'test', '--help'], settings)).stdout).toContain(
    'channel test whatsapp',
  );
  await server.stop();
});

test('in mock mode a test message is delivered on the virtual phone', async () => {
  const cwd = tempFolder();
  const settings = { MASTER_PASSWORD: PASSWORD };
  const server = await serve(cwd, settings);
  const sent = await wotp(cwd, ['channel', 'test', 'sms', '+6283834946034'], settings);
  expect(sent.code).toBe(0);
  expect(sent.stdout).toMatch(/by sms, played by the virtual phone \(mock mode\), is (delivered|read)/);
  await server.stop();
});
