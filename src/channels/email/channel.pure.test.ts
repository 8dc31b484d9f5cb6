import { describe, expect, test } from 'vitest';
import { emailChannels } from '../../../test/support/email-channel.ts';
import { MAIL_CERTIFICATE } from '../../../test/support/mail-server.ts';
import type { Receipt } from '../../messages/channel.ts';

const { mailServer, channelTo, channelOf, message, send, failureOf } = emailChannels();

describe('a mail server that takes mail', () => {
  test('gets one mail for one recipient, from the sender, over a connection that is kept', async () => {
    const server = await mailServer();
    const channel = channelOf(server);
    await send(channel);
    await send(channel, message('ana@example.net'));
    expect(server.mails.map(({ envelope }) => envelope)).toEqual([
      { from: 'no-reply@example.com', to: ['jo@example.net'] },
      { from: 'no-reply@example.com', to: ['ana@example.net'] },
    ]);
    expect(server.connected).toBe(1);
    expect(channel.readiness()).toEqual({ state: 'ready' });
  });

  test('gets mails that are sent together over as many connections as SMTP_URL says', async () => {
    const server = await mailServer();
    const channel = channelTo(`smtp://127.0.0.1:${server.port}?connections=3`);
    expect(channel.capabilities).toEqual({ receipts: 'none', concurrency: 3 });
    await Promise.all(Array.from({ length: 9 }, () => send(channel)));
    expect(server.mails).toHaveLength(9);
    expect(server.connected).toBe(3);
  });

  test('gets the next mail over a new connection when it has closed an idle one', async () => {
    const server = await mailServer();
    const channel = channelOf(server);
    await send(channel);
    server.cut();
    await send(channel);
    expect(server.mails).toHaveLength(2);
  });

  test('that has put its own Message-ID into the mail names the message by it in bounces', async () => {
    const server = await mailServer();
    server.onMessage = () => '250 2.0.0 OK <AM0PR01MB1@AM0PR01.prod.outlook.com> [Hostname=x]';
    expect(await send(channelOf(server))).toEqual({ providerId: 'AM0PR01MB1@AM0PR01.prod.outlook.com' });
  });
});

describe('an address', () => {
  test.each([
    'a@x.net\r\nRCPT TO:<x@y.zz>',
    'a@x.net, b@x.net',
    'a@x.net,b',
    'Jo <jo@example.net>',
    'jo(comment)@example.net',
    '"jo smith"@example.net',
    '"a@x.net, b"@x.net',
    '用户@example.net',
    `${'a'.repeat(65)}@example.net`,
    '+6281234500001',
  ])('%j is refused for good, before the server hears of it', async (to) => {
    const server = await mailServer();
    const channel = channelOf(server);
    expect(channel.refuses(to)).toBeDefined();
    expect(await failureOf(channel, message(to))).toMatchObject({
      failure: 'permanent',
      reason: channel.refuses(to),
    });
    expect(server.connected).toBe(0);
  });

  test.each([
    ['Jo.Smith+tag@Example.NET', 'Jo.Smith+tag@example.net'],
    ["o'neil=x/y@example.net", "o'neil=x/y@example.net"],
    ['safe@jõgeva.ee', 'safe@xn--jgeva-dua.ee'],
  ])('%j gets the mail, and nobody else', async (to, address) => {
    const server = await mailServer();
    const channel = channelOf(server);
    expect(channel.refuses(to)).toBeUndefined();
    await send(channel, message(to));
    expect(server.commands.filter((command) => command.startsWith('RCPT'))).toEqual([`RCPT TO:<${address}>`]);
    expect(server.mails[0]!.raw).toContain(`\r\nTo: ${address}\r\n`);
  });
});

describe('the password', () => {
  test('signs in, with characters that an address has to encode', async () => {
    const server = await mailServer({ password: 'p@ss:w/rd%' });
    await send(channelTo(`smtp://wotp:${encodeURIComponent('p@ss:w/rd%')}@127.0.0.1:${server.port}`));
    expect(server.mails.map(({ user }) => user)).toEqual(['wotp']);
  });
});

describe('TLS', () => {
  const withTls = { disabledCommands: ['AUTH'] };
  const ca = encodeURIComponent(MAIL_CERTIFICATE);

  test('is begun with STARTTLS before anything is said, where the certificate is trusted', async () => {
    const server = await mailServer(withTls);
    await send(channelTo(`smtp://localhost:${server.port}?tls=required&ca=${ca}`));
    expect(server.mails.map(({ isEncrypted }) => isEncrypted)).toEqual([true]);
  });

  test('is there from the first byte with smtps', async () => {
    const server = await mailServer({ ...withTls, secure: true });
    await send(channelTo(`smtps://localhost:${server.port}?ca=${ca}`));
    expect(server.mails.map(({ isEncrypted }) => isEncrypted)).toEqual([true]);
  });

  test.each([
    ['is not offered', {}, `&ca=${ca}`],
    ['has a certificate that nobody vouches for', withTls, ''],
  ])('is required: where it %s nothing is sent, and the operator is told', async (_, options, parameter) => {
    const server = await mailServer(options);
    const channel = channelTo(`smtp://localhost:${server.port}?tls=required${parameter}`);
    const refused = await failureOf(channel);
    expect(refused.failure).toBe('unavailable');
    expect(refused.reason).toContain('no trusted TLS connection');
    expect(channel.readiness().state).toBe('offline');
    expect(server.mails).toEqual([]);
  });

  test('is not asked for on this machine unless SMTP_URL says so', async () => {
    const server = await mailServer(withTls);
    await send(channelOf(server));
    expect(server.mails.map(({ isEncrypted }) => isEncrypted)).toEqual([false]);
  });
});

describe('a bounce', () => {
  test('is a failed receipt, and nothing where nobody listens', async () => {
    const server = await mailServer();
    const channel = channelOf(server);
    const receipts: Receipt[] = [];
    channel.bounced({ messageId: 'msg_1' }, 'before the start');
    await channel.start({ onReceipt: async (receipt) => void receipts.push(receipt) });
    channel.bounced({ messageId: 'msg_2' }, '5.1.1');
    await channel.stop();
    channel.bounced({ messageId: 'msg_3' }, 'after the stop');
    expect(receipts).toEqual([{ messageId: 'msg_2', status: 'failed', reason: '5.1.1' }]);
  });
});

describe('stopping', () => {
  test('ends every connection; twice and before the start it is safe', async () => {
    const server = await mailServer();
    const channel = channelOf(server);
    await channel.stop();
    const other = channelOf(server);
    await Promise.all([send(other), send(other)]);
    expect(server.open).toBe(2);
    await other.stop();
    await other.stop();
    await server.untilAllClosed();
    expect(await failureOf(other)).toMatchObject({ failure: 'unavailable' });
    expect(server.open).toBe(0);
  });
});
