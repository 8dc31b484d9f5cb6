import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HttpProviders, openHttpProviders, PUBLIC_URL } from '../../../test/support/http-providers.ts';
import {
  type ProviderStandIn,
  type Received,
  startProvider,
} from '../../../test/support/provider-stand-in.ts';
import type { OutgoingMessage } from '../../messages/channel.ts';

const TEXT = 'Kode "481516"\n{{to}} \\ & = % + ümlaut 😀';

let provider: ProviderStandIn;
let open: HttpProviders | undefined;

beforeEach(async () => {
  provider = await startProvider();
});
afterEach(async () => {
  await open?.stop();
  await provider.stop();
});

/** The request that a provider described like this gets for a message. */
async function requestFor(
  { path = '/send', ...fields }: { path?: string; [field: string]: unknown },
  message: Partial<OutgoingMessage> = {},
): Promise<Received> {
  await open?.stop();
  open = await openHttpProviders({
    providers: [{ name: 'acme', channel: 'http', url: provider.origin + path, ...fields }],
  });
  await open.send(open.message({ id: 'msg_1', text: TEXT, ...message }));
  return provider.received.at(-1)!;
}

describe('the body of a request', () => {
  test('is JSON of the same form whatever the message holds, with numbers where they are asked for', async () => {
    const { method, headers, body } = await requestFor({
      json: {
        to: '{{to}}',
        digits: '{{ toDigits }}',
        number: { $number: '{{toDigits}}' },
        list: [{ text: '<{{text}}>', ttl: { $number: '{{ttlSeconds}}' } }, 5, true, null],
        __proto__x: '{{brand}}',
        id: '{{messageId}}/{{code}}/{{locale}}/{{ttlSeconds}}',
      },
    });
    expect([method, headers['content-type'], headers['content-length']]).toEqual([
      'POST',
      'application/json',
      String(Buffer.byteLength(body)),
    ]);
    expect(JSON.parse(body)).toEqual({
      to: '+6281234500001',
      digits: '6281234500001',
      number: 6281234500001,
      list: [{ text: `<${TEXT}>`, ttl: 300 }, 5, true, null],
      __proto__x: 'Acme',
      id: 'msg_1/481516/en/300',
    });
  });

  test('is a form', async () => {
    const { headers, body } = await requestFor({ form: { To: '{{to}}', Body: '{{text}}', n: 1, on: true } });
    expect(headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect([...new URLSearchParams(body)]).toEqual([
      ['To', '+6281234500001'],
      ['Body', TEXT],
      ['n', '1'],
      ['on', 'true'],
    ]);
  });

  test.each(['GET', 'POST'])('is none where all stands in the query: %s', async (method) => {
    const received = await requestFor({
      method,
      path: '/send?k=v',
      query: { to: '{{to}}', text: '{{text}}' },
    });
    expect(received).toMatchObject({ method, body: '' });
    expect(received.headers['content-type']).toBeUndefined();
    expect([...new URL(received.path, provider.origin).searchParams]).toEqual([
      ['k', 'v'],
      ['to', '+6281234500001'],
      ['text', TEXT],
    ]);
  });
});

test('the address holds what it is told to, escaped', async () => {
  const { path } = await requestFor(
    { path: '/to/{{to}}/x?t={{text}}', json: { text: '{{text}}' } },
    { text: '../a b?c#d&e' },
  );
  expect(path).toBe('/to/%2B6281234500001/x?t=..%2Fa%20b%3Fc%23d%26e');
});

test('headers are sent as they are given, with what they may hold of the message', async () => {
  const { headers } = await requestFor({
    json: { text: '{{text}}' },
    headers: { 'X-App': 'wotp', 'Idempotency-Key': '{{messageId}}' },
  });
  expect(headers).toMatchObject({
    'x-app': 'wotp',
    'idempotency-key': 'msg_1',
    accept: 'application/json',
    'content-type': 'application/json',
  });
  const own = await requestFor({
    json: { text: '{{text}}' },
    headers: { Accept: 'text/plain', 'Content-Type': 'application/vnd.acme+json' },
  });
  expect(own.headers).toMatchObject({ accept: 'text/plain', 'content-type': 'application/vnd.acme+json' });
});

test('a provider is signed in to by name and password, by a token, or not at all', async () => {
  const basic = await requestFor({
    json: { text: '{{text}}' },
    auth: { basic: { user: 'u', password: 'p:ä' } },
  });
  expect(basic.headers.authorization).toBe(`Basic ${Buffer.from('u:p:ä').toString('base64')}`);
  expect(
    (await requestFor({ json: { text: '{{text}}' }, auth: { bearer: 't' } })).headers.authorization,
  ).toBe('Bearer t');
  expect((await requestFor({ json: { text: '{{text}}' }, auth: 'none' })).headers).not.toHaveProperty(
    'authorization',
  );
});

test('the address of callbacks is public and has their token', async () => {
  const callback = {
    messageId: 'id',
    status: 's',
    map: { a: 'read' },
    token: 'a token&of=the test'.replaceAll(' ', '-'),
  };
  const { body } = await requestFor({ json: { text: '{{text}}', url: '{{callbackUrl}}' }, callback });
  expect(JSON.parse(body)).toMatchObject({
    url: `${PUBLIC_URL}/api/v1/channels/http/acme/callback?token=a-token%26of%3Dthe-test`,
  });
});

test('a life is counted in whole seconds, and is never none', async () => {
  const ttl = async (lifeMs: number) => {
    const now = open?.clock.now() ?? 0;
    const { body } = await requestFor(
      { json: { text: '{{text}}', ttl: '{{ttlSeconds}}' } },
      { expiresAt: now + lifeMs },
    );
    return JSON.parse(body).ttl;
  };
  await requestFor({ json: { text: '{{text}}' } });
  expect([await ttl(299_001), await ttl(1), await ttl(-5_000)]).toEqual(['300', '1', '1']);
});

test('a provider that takes only codes refuses a message without one', async () => {
  const sent = requestFor({ json: { code: '{{code}}' } }, { code: undefined });
  await expect(sent).rejects.toMatchObject({
    failure: 'permanent',
    reason: 'acme: takes only messages with a code',
  });
  expect(provider.received).toEqual([]);
});
