import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  headersOf,
  type MailServer,
  partOf,
  startMailServer,
  verifyDkim,
} from '../../../test/support/mail-server.ts';
import { silentTroubles } from '../../../test/support/silent-log.ts';
import { testClock } from '../../../test/support/test-clock.ts';
import type { Mailbox } from '../../config/email.ts';
import { newId } from '../../lib/id.ts';
import type { OutgoingMessage } from '../../messages/channel.ts';
import { EmailChannel } from './channel.ts';

const CODE = '482913';
const TEXT = `Your verification code is ${CODE}. It is valid for 5 minutes. Do not share it with anyone.`;
const clock = testClock();
let server: MailServer;
let channels: EmailChannel[];

beforeEach(async () => {
  server = await startMailServer();
  channels = [];
});

afterEach(async () => {
  for (const channel of channels) await channel.stop();
  await server.stop();
});

interface Setting {
  from?: Mailbox;
  brand?: string;
  privateKey?: string;
  machineName?: string;
}

function channelWith({ from, brand, privateKey, machineName }: Setting): EmailChannel {
  const channel = new EmailChannel({
    server: {
      host: '127.0.0.1',
      port: server.port,
      tls: 'off',
      user: undefined,
      password: undefined,
      caFile: undefined,
      connections: 5,
    },
    senderOf: () => ({ from: from ?? { name: undefined, address: 'no-reply@example.com' }, brand }),
    dkim: privateKey === undefined ? undefined : { domainName: 'example.com', keySelector: 's1', privateKey },
    machineName,
    clock,
    troubles: silentTroubles,
  });
  channels.push(channel);
  return channel;
}

/** Sends a message and returns it as the server got it. */
async function taken(message: Partial<OutgoingMessage> = {}, setting: Setting = {}): Promise<string> {
  const outgoing: OutgoingMessage = {
    id: newId('msg', clock.now()),
    projectId: 1,
    to: 'jo@example.net',
    text: TEXT,
    code: CODE,
    expiresAt: clock.now() + 300_000,
    ...message,
  };
  await channelWith(setting).send(outgoing, new AbortController().signal);
  return server.mails.at(-1)!.raw;
}

describe('the headers of a mail', () => {
  test('are these and no others', async () => {
    const id = newId('msg', clock.now());
    const from = { name: 'Example Bank', address: 'no-reply@mail.example.com' };
    const headers = headersOf(await taken({ id, locale: 'pt-br' }, { from, brand: 'Example' }));
    expect(Object.fromEntries(headers)).toEqual({
      from: ['Example Bank <no-reply@mail.example.com>'],
      to: ['jo@example.net'],
      subject: ['Your verification code for Example'],
      'message-id': [`<${id}@mail.example.com>`],
      date: ['Thu, 15 Jan 2026 12:00:00 +0000'],
      expires: ['Thu, 15 Jan 2026 12:05:00 +0000'],
      'auto-submitted': ['auto-generated'],
      'x-auto-response-suppress': ['All'],
      'content-language': ['pt-BR'],
      'mime-version': ['1.0'],
      'content-type': [expect.stringMatching(/^multipart\/alternative; boundary=/)],
    });
  });

  test('hold the code nowhere, whatever the language and the name of the product', async () => {
    for (const locale of [undefined, 'id', 'ar', 'zh-Hant-TW', 'not a locale\r\nBcc: x@y.zz']) {
      const raw = await taken({ ...(locale !== undefined && { locale }) }, { brand: 'Größe 銀行' });
      const [head = ''] = raw.split('\r\n\r\n', 1);
      expect(head).not.toContain(CODE);
      expect(head).not.toContain('Bcc');
      expect(raw.split(CODE).length - 1).toBe(2);
    }
  });

  test('have the same Message-ID at every try', async () => {
    const id = newId('msg', clock.now());
    const tries = [await taken({ id }), await taken({ id })].map((raw) => headersOf(raw).get('message-id'));
    expect(tries[0]).toEqual([`<${id}@example.com>`]);
    expect(tries[1]).toEqual(tries[0]);
  });

  test('name the product as the sender where SMTP_FROM has no name', async () => {
    expect(headersOf(await taken({}, { brand: 'Example' })).get('from')).toEqual([
      'Example <no-reply@example.com>',
    ]);
    expect(headersOf(await taken()).get('from')).toEqual(['no-reply@example.com']);
    expect(headersOf(await taken()).get('subject')).toEqual(['Your verification code']);
    const plain = { code: undefined, text: 'We are open.' };
    expect(headersOf(await taken(plain, { brand: 'Example' })).get('subject')).toEqual([
      'A message from Example',
    ]);
    expect(headersOf(await taken(plain)).get('subject')).toEqual(['A message for you']);
  });

  test('come from a machine that calls itself by the name in PUBLIC_URL', async () => {
    await taken({}, { machineName: 'otp.example.com' });
    expect(server.commands).toContain('EHLO otp.example.com');
  });
});

describe('the text of a mail', () => {
  test('is what the message says, with the code as one run', async () => {
    const raw = await taken();
    expect(partOf(raw, 'text/plain').trimEnd()).toBe(TEXT);
    expect(raw.indexOf('text/plain')).toBeLessThan(raw.indexOf('text/html'));
  });

  test('survives the way in every script, with long lines and lines that begin with a dot', async () => {
    const lines = [
      '.',
      '..dots',
      `رمز التحقق الخاص بك هو ${CODE}`,
      'ü'.repeat(300),
      '您的验证码',
      'x'.repeat(2_000),
    ];
    const text = lines.join('\n');
    const raw = await taken({ text });
    expect(partOf(raw, 'text/plain').trimEnd()).toBe(text);
    expect(Math.max(...raw.split('\r\n').map((line) => Buffer.byteLength(line)))).toBeLessThanOrEqual(998);
  });

  test('without a code is a mail without a code', async () => {
    const raw = await taken({ text: 'Your order has left <the> house & is on its way.', code: undefined });
    expect(partOf(raw, 'text/html')).toContain('Your order has left &lt;the&gt; house &amp; is on its way.');
    expect(partOf(raw, 'text/html')).not.toContain('class="code"');
  });
});

describe('the HTML of a mail', () => {
  const codeElement = /<p class="code" dir="ltr" style="[^"]*"\n>482913<\/p>/;

  test('has the code once, alone in one element, and nothing else that looks like a code', async () => {
    const html = partOf(await taken({}, { brand: 'Example' }), 'text/html');
    expect(html).toMatch(codeElement);
    const shown = html.replace(/<style>[\s\S]*?<\/style>/, '').replace(/<[^>]+>/g, ' ');
    expect(shown.match(/\d{4,10}/g)).toEqual([CODE]);
    expect(shown.replace(/\s+/g, ' ')).toContain(
      `Your verification code is ${CODE} It is valid for 5 minutes. Do not share it with anyone.`,
    );
  });

  test('fetches nothing, and links to nothing', async () => {
    const html = partOf(await taken(), 'text/html');
    expect(html).not.toMatch(/<img|<a |<script|<link|<form|url\(|https?:/i);
    expect(Buffer.byteLength(html)).toBeLessThan(20_000);
  });

  test.each([
    ['ar', 'rtl'],
    ['he-IL', 'rtl'],
    ['ur', 'rtl'],
    ['az-Arab', 'rtl'],
    ['uz', 'ltr'],
    ['id', 'ltr'],
  ])('in %s is written %s, and the code from left to right', async (locale, direction) => {
    const html = partOf(await taken({ locale, text: `رمزك ${CODE}، لا تشاركه` }), 'text/html');
    expect(html).toContain(`<html lang="${locale}" dir="${direction}">`);
    expect(html).toMatch(codeElement);
    expect(html).toContain(`dir="${direction}" style="margin:0 0 16px;overflow-wrap`);
    expect(html).toContain('لا تشاركه');
  });

  test('of unknown language finds the direction of each paragraph by its text', async () => {
    const html = partOf(await taken(), 'text/html');
    expect(html).toContain('<html dir="auto">');
  });

  test('shows marks of HTML in the text and in the name of the product as what they are', async () => {
    const text = `<b onclick="x">${CODE}</b> & "more"`;
    const html = partOf(await taken({ text }, { brand: '<i>Ex</i>' }), 'text/html');
    expect(html).toContain('&lt;b onclick=&quot;x&quot;&gt;');
    expect(html).toContain('&lt;i&gt;Ex&lt;/i&gt;');
    expect(html).not.toMatch(/<b |<i>/);
  });

  test('keeps paragraphs and line breaks', async () => {
    const html = partOf(await taken({ text: `Hello\nJo\r\n\r\n${CODE}\n\nGoodbye` }), 'text/html');
    expect(html).toContain('Hello<br>\nJo</p>');
    expect(html).toContain('>Goodbye</p>');
  });
});

describe('DKIM', () => {
  const pem = (key: KeyObject) =>
    key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }).toString();
  const rsaKeys = () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    return { privateKey: pem(privateKey), publicKey: pem(publicKey) };
  };
  const { privateKey, publicKey } = rsaKeys();

  test('signs what receivers see, and they can verify it', async () => {
    const raw = await taken({ text: `${TEXT}\nü  two  spaces \n` }, { privateKey, brand: 'Größe' });
    const { d, s, h = '' } = verifyDkim(raw, publicKey);
    expect({ d, s }).toEqual({ d: 'example.com', s: 's1' });
    expect(h.toLowerCase().split(':')).toEqual(
      expect.arrayContaining(['from', 'to', 'subject', 'date', 'message-id', 'content-type']),
    );
    expect(() => verifyDkim(raw.replace('5 minutes', '9 minutes'), publicKey)).toThrow('The body differs.');
    expect(() => verifyDkim(raw.replace('To: jo@', 'To: bo@'), publicKey)).toThrow('The signature is wrong.');
    expect(() => verifyDkim(raw, rsaKeys().publicKey)).toThrow('The signature is wrong.');
  });

  test('is tried at the start', async () => {
    const nobody = { async onReceipt() {} };
    await channelWith({ privateKey }).start(nobody);
    await channelWith({}).start(nobody);
    for (const unusable of [pem(generateKeyPairSync('ed25519').privateKey), 'no key']) {
      await expect(channelWith({ privateKey: unusable }).start(nobody)).rejects.toThrow(
        'Mail cannot be signed with the key in SMTP_DKIM_KEY_FILE.',
      );
    }
    expect(server.connected).toBe(0);
  });

  test('does not make a cut connection look as if the whole mail had been sent', async () => {
    server.onRecipient = () => 'cut';
    await expect(taken({}, { privateKey })).rejects.toMatchObject({ failure: 'temporary' });
    server.onRecipient = () => 'go on';
    server.onMessage = () => 'cut';
    await expect(taken({}, { privateKey })).rejects.toMatchObject({ failure: 'uncertain' });
  });
});
