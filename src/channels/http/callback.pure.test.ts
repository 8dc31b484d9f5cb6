import { createHash, createHmac } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { type HttpProviders, openHttpProviders, PUBLIC_URL } from '../../../test/support/http-providers.ts';
import { newId } from '../../lib/id.ts';

const PATH = '/api/v1/channels/http/acme/callback';
const SECRET = 'the-secret-of-acme';
const JSON_TYPE = { 'content-type': 'application/json' };
const FORM_TYPE = { 'content-type': 'application/x-www-form-urlencoded' };
const MAP = { DELIVRD: 'delivered', SEEN: 'read', UNDELIV: 'failed', SENT: 'sent', true: 'delivered' };
const SIGNATURE = { header: 'X-Signature', algorithm: 'hmac-sha256', encoding: 'hex', secret: SECRET };

let open: HttpProviders | undefined;
afterEach(async () => {
  await open?.stop();
  open = undefined;
});

async function withCallback(callback: object): Promise<HttpProviders> {
  await open?.stop();
  open = await openHttpProviders({
    providers: [
      {
        name: 'acme',
        channel: 'sms',
        url: 'https://sms.example/',
        json: { text: '{{text}}' },
        callback: { messageId: 'id', status: 'state', map: MAP, ...callback },
      },
    ],
  });
  return open;
}

const hmac = (secret: string | Buffer, text: string, hash = 'sha256', encoding: 'hex' | 'base64' = 'hex') =>
  createHmac(hash, secret).update(text).digest(encoding);

describe('a status', () => {
  const body = (value: unknown) => JSON.stringify(value);
  async function reported(value: unknown, callback: object = {}) {
    const { receipts, ...opened } = await withCallback({ ...callback, signature: SIGNATURE });
    const headers = { ...JSON_TYPE, 'x-signature': hmac(SECRET, body(value)) };
    expect(await opened.callback(PATH, headers, body(value))).toBe(200);
    return receipts;
  }

  test('is reported by the id that the provider gave, with the name of the provider', async () => {
    expect(await reported({ id: 'abc', state: 'DELIVRD' })).toEqual([
      { providerId: 'acme:abc', status: 'delivered' },
    ]);
    expect(await reported({ id: 12345, state: 'SEEN' })).toEqual([
      { providerId: 'acme:12345', status: 'read' },
    ]);
    expect(await reported({ id: 'abc', state: true })).toEqual([
      { providerId: 'acme:abc', status: 'delivered' },
    ]);
  });

  test('is reported by our own id where the provider uses that', async () => {
    const messageId = newId('msg', 1);
    expect(await reported({ id: messageId, state: 'SEEN' })).toEqual([{ messageId, status: 'read' }]);
  });

  test('of a failure says which', async () => {
    expect(await reported({ id: 'abc', state: 'UNDELIV' })).toEqual([
      { providerId: 'acme:abc', status: 'failed', reason: 'acme: UNDELIV' },
    ]);
  });

  test.each<[unknown, string]>([
    [{ id: 'abc', state: 'SENT' }, 'that the provider has taken it'],
    [{ id: 'abc', state: 'NEW' }, 'that nobody has mapped'],
    [{ id: 'abc', state: 'toString' }, 'that objects have'],
    [{ id: 'abc' }, 'that is missing'],
    [{ state: 'SEEN' }, 'of no message'],
    [{ id: { $ne: 1 }, state: ['SEEN'] }, 'that is no text'],
    [[], 'of a list'],
    [null, 'of nothing'],
  ])('%j, %s, changes nothing', async (value) => {
    expect(await reported(value)).toEqual([]);
  });

  test('may come with others in one callback', async () => {
    const results = [
      { id: '1', s: { n: 'DELIVRD' } },
      { id: '2', s: { n: 'NEW' } },
      'x',
      { id: '3', s: { n: 'UNDELIV' } },
    ];
    expect(await reported({ r: { results } }, { items: 'r.results', status: 's.n' })).toEqual([
      { providerId: 'acme:1', status: 'delivered' },
      { providerId: 'acme:3', status: 'failed', reason: 'acme: UNDELIV' },
    ]);
    expect(await reported({ r: 5 }, { items: 'r.results' })).toEqual([]);
    const many = Array.from({ length: 1_001 }, (_, index) => ({ id: index, state: 'SEEN' }));
    expect(await reported({ results: many }, { items: 'results' })).toHaveLength(1_000);
  });

  test('that is repeated, or comes in another order, is reported as it comes: the outbox knows what it changes', async () => {
    const { receipts, callback } = await withCallback({ signature: SIGNATURE });
    for (const state of ['SEEN', 'DELIVRD', 'SEEN']) {
      const text = body({ id: 'abc', state });
      expect(await callback(PATH, { ...JSON_TYPE, 'x-signature': hmac(SECRET, text) }, text)).toBe(200);
    }
    expect(receipts.map(({ status }) => status)).toEqual(['read', 'delivered', 'read']);
  });

  test('may be a field of a form', async () => {
    const { receipts, callback } = await withCallback({ signature: SIGNATURE });
    const text = 'id=a%20b&state=DELIVRD';
    expect(await callback(PATH, { ...FORM_TYPE, 'x-signature': hmac(SECRET, text) }, text)).toBe(200);
    expect(receipts).toEqual([{ providerId: 'acme:a b', status: 'delivered' }]);
  });
});

describe('a signature', () => {
  const TEXT = '{"id":"abc","state":"DELIVRD"}';

  test.each([
    ['hmac-sha1', 'hex'],
    ['hmac-sha256', 'hex'],
    ['hmac-sha512', 'hex'],
    ['hmac-sha1', 'base64'],
    ['hmac-sha256', 'base64'],
    ['hmac-sha512', 'base64'],
  ] as const)('is taken as %s in %s', async (algorithm, encoding) => {
    const { receipts, callback } = await withCallback({ signature: { ...SIGNATURE, algorithm, encoding } });
    const good = hmac(SECRET, TEXT, algorithm.slice(5), encoding);
    expect(await callback(PATH, { ...JSON_TYPE, 'x-signature': good }, TEXT)).toBe(200);
    expect(await callback(PATH, { ...JSON_TYPE, 'x-signature': `${algorithm.slice(5)}=${good}` }, TEXT)).toBe(
      200,
    );
    expect(receipts).toHaveLength(2);
  });

  test('is over the bytes as they came, whatever they are', async () => {
    const { receipts, callback } = await withCallback({ signature: SIGNATURE });
    const odd = ' {"state":\t"DELIVRD", "id":"\\u0061bc", "x":1.0}\n';
    for (const type of ['application/json', 'application/vnd.acme+json; charset=utf-8', 'text/plain']) {
      const headers = { 'content-type': type, 'x-signature': hmac(SECRET, odd) };
      expect(await callback(PATH, headers, odd), type).toBe(200);
    }
    expect(receipts).toHaveLength(3);
  });

  test('is over what is named, in that order', async () => {
    const over = ['timestamp', 'url', 'body'];
    const signature = { ...SIGNATURE, over, timestampHeader: 'X-Time', separator: '.' };
    const { receipts, callback } = await withCallback({ signature });
    const url = `${PUBLIC_URL}${PATH}?a=b`;
    const signed = {
      ...JSON_TYPE,
      'x-time': '1796031652',
      'x-signature': hmac(SECRET, `1796031652.${url}.${TEXT}`),
    };
    expect(await callback(url, signed, TEXT)).toBe(200);
    expect(await callback(url, { ...signed, 'x-time': '1796031653' }, TEXT)).toBe(401);
    expect(await callback(`${PATH}?a=c`, signed, TEXT)).toBe(401);
    expect(await callback(url, signed, `${TEXT} `)).toBe(401);
    const { 'x-time': _time, ...untimed } = signed;
    expect(await callback(url, untimed, TEXT)).toBe(401);
    expect(receipts).toHaveLength(1);
  });

  test('may be over the sorted fields of a form, and over the address with its port', async () => {
    const { callback } = await withCallback({ signature: { ...SIGNATURE, over: ['url', 'form'] } });
    const text = 'state=SEEN&id=a+b&z=2&z=1&z=2';
    for (const origin of [PUBLIC_URL, `${PUBLIC_URL}:443`]) {
      const good = hmac(SECRET, `${origin}${PATH}ida bstateSEENz1z2`);
      expect(await callback(PATH, { ...FORM_TYPE, 'x-signature': good }, text)).toBe(200);
    }
  });

  test.each<[string, Record<string, string>]>([
    ['is missing', {}],
    ['is empty', { 'x-signature': '' }],
    ['is of another secret', { 'x-signature': hmac('another-secret', TEXT) }],
    ['is of another body', { 'x-signature': hmac(SECRET, '{"id":"abc","state":"SEEN"}') }],
    ['is cut short', { 'x-signature': hmac(SECRET, TEXT).slice(0, 62) }],
    ['is longer', { 'x-signature': `${hmac(SECRET, TEXT)}00` }],
    ['has another algorithm', { 'x-signature': hmac(SECRET, TEXT, 'sha512') }],
    ['has another encoding', { 'x-signature': hmac(SECRET, TEXT, 'sha256', 'base64') }],
    ['stands in another header', { 'x-other': hmac(SECRET, TEXT) }],
  ])('that %s is refused, and the status changes nothing', async (_what, headers) => {
    const { receipts, callback } = await withCallback({ signature: SIGNATURE });
    expect(await callback(PATH, { ...JSON_TYPE, ...headers }, TEXT)).toBe(401);
    expect(receipts).toEqual([]);
  });

  test('of Twilio is over the address and the sorted form, or the hash of another body in the address', async () => {
    const { receipts, callback } = await withCallback({ signature: { scheme: 'twilio', secret: SECRET } });
    const form = 'state=DELIVRD&id=SM1&Body=a%20b';
    const header = (text: string) => ({ 'x-twilio-signature': hmac(SECRET, text, 'sha1', 'base64') });
    const signed = `${PUBLIC_URL}${PATH}Bodya bidSM1stateDELIVRD`;
    expect(await callback(PATH, { ...FORM_TYPE, ...header(signed) }, form)).toBe(200);
    expect(await callback(PATH, { ...FORM_TYPE, ...header(signed) }, form.replace('SM1', 'SM2'))).toBe(401);
    expect(await callback(`${PATH}?x`, { ...FORM_TYPE, ...header(signed) }, form)).toBe(401);
    expect(await callback(PATH, FORM_TYPE, form)).toBe(401);
    const bodyHash = createHash('sha256').update(TEXT).digest('hex');
    const url = `${PUBLIC_URL}${PATH}?bodySHA256=${bodyHash}`;
    expect(await callback(url, { ...JSON_TYPE, ...header(url) }, TEXT)).toBe(200);
    expect(await callback(url, { ...JSON_TYPE, ...header(url) }, TEXT.replace('abc', 'abd'))).toBe(401);
    // Without the hash nothing would vouch for the body.
    expect(await callback(PATH, { ...JSON_TYPE, ...header(`${PUBLIC_URL}${PATH}`) }, TEXT)).toBe(401);
    expect(receipts).toHaveLength(2);
  });

  test('of Telegram is under the hash of the token, over the timestamp and the body', async () => {
    const { receipts, callback } = await withCallback({ signature: { scheme: 'telegram', secret: SECRET } });
    const key = createHash('sha256').update(SECRET).digest();
    const signed = {
      ...JSON_TYPE,
      'x-request-timestamp': '1',
      'x-request-signature': hmac(key, `1\n${TEXT}`),
    };
    expect(await callback(PATH, signed, TEXT)).toBe(200);
    expect(await callback(PATH, { ...signed, 'x-request-timestamp': '2' }, TEXT)).toBe(401);
    expect(await callback(PATH, { ...signed, 'x-request-signature': hmac(SECRET, `1\n${TEXT}`) }, TEXT)).toBe(
      401,
    );
    expect(receipts).toHaveLength(1);
  });
});

describe('a token', () => {
  const TEXT = '{"id":"abc","state":"DELIVRD"}';

  test('stands in the query in place of a signature', async () => {
    const { receipts, callback } = await withCallback({ token: SECRET });
    expect(await callback(`${PATH}?token=${SECRET}`, JSON_TYPE, TEXT)).toBe(200);
    for (const query of [
      '',
      '?token=',
      `?token=${SECRET}x`,
      `?token=${SECRET.slice(1)}`,
      `?Token=${SECRET}`,
    ]) {
      expect(await callback(PATH + query, JSON_TYPE, TEXT), query).toBe(401);
    }
    expect(receipts).toHaveLength(1);
  });

  test('and a signature are both needed where both are set', async () => {
    const { callback } = await withCallback({ token: SECRET, signature: SIGNATURE });
    const signed = { ...JSON_TYPE, 'x-signature': hmac(SECRET, TEXT) };
    expect(await callback(`${PATH}?token=${SECRET}`, signed, TEXT)).toBe(200);
    expect(await callback(`${PATH}?token=${SECRET}`, JSON_TYPE, TEXT)).toBe(401);
    expect(await callback(PATH, signed, TEXT)).toBe(401);
  });
});

test('a body that cannot be read is named only to who may send it, and one that is too large is refused', async () => {
  const { callback, receipts } = await withCallback({ token: SECRET });
  expect(await callback(PATH, JSON_TYPE, 'not JSON')).toBe(401);
  expect(await callback(`${PATH}?token=${SECRET}`, JSON_TYPE, 'not JSON')).toBe(400);
  expect(await callback(`${PATH}?token=${SECRET}`, JSON_TYPE, ' '.repeat(256 * 1024 + 1))).toBe(413);
  expect(receipts).toEqual([]);
});

test('nobody is a provider that is unknown or has no callbacks', async () => {
  open = await openHttpProviders({
    providers: [{ name: 'mute', channel: 'sms', url: 'https://sms.example/', json: { text: '{{text}}' } }],
  });
  expect(await open.callback(PATH, JSON_TYPE, '{}')).toBe(401);
  expect(await open.callback(PATH.replace('acme', 'mute'), JSON_TYPE, '{}')).toBe(401);
});
