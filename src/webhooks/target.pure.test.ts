import type { LookupFunction } from 'node:net';
import { describe, expect, test } from 'vitest';
import { testClock } from '../../test/support/test-clock.ts';
import { ValidationError } from '../errors/errors.ts';
import { targetReader } from './target.ts';

/** What the names of these tests stand for. */
const NAMES: Record<string, string[]> = {
  'public.example': ['93.184.216.34', '2606:2800:220:1:248:1893:25c8:1946'],
  'private.example': ['10.1.2.3'],
  'mixed.example': ['93.184.216.34', '127.0.0.1'],
  'metadata.example': ['169.254.169.254'],
  'six.example': ['fd00::1'],
  localhost: ['127.0.0.1', '::1'],
};

const lookup: LookupFunction = (name, _options, callback) => {
  const addresses = NAMES[name];
  if (!addresses) callback(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }), []);
  else
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
};

const clock = testClock();
const read = (url: string, { allowed = [] as string[], isProduction = false } = {}) =>
  targetReader({ rules: { allowedAddresses: allowed, isProduction }, lookup, clock })(url);

const refusalOf = async (...given: Parameters<typeof read>) => {
  const error = await read(...given).then(
    (url) => `taken: ${url}`,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ValidationError);
  return (error as ValidationError).message;
};

describe('the URL of an endpoint', () => {
  test.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://0x7f.1/',
    'http://2130706433/',
    'http://0177.0.0.1/',
    'http://１２７.０.０.１/',
    'http://127.0.0.1./',
    'http://0.0.0.0/',
    'http://localhost:8080/',
    'http://localhost./',
    'http://app.localhost/',
    'http://[::1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::127.0.0.1]/',
    'http://[64:ff9b::127.0.0.1]/',
    'http://[2002:7f00:1::]/',
    'http://[fe80::1]/',
    'http://[fd00::1]/',
    'http://[4000::1]/',
    'http://169.254.169.254/latest/meta-data/',
    'http://metadata.google.internal/',
    'http://printer.local/',
    'http://intranet/',
    'http://10.0.0.1/',
    'http://172.16.0.1/',
    'http://192.168.1.1/',
    'http://100.64.0.1/',
    'http://224.0.0.1/',
    'http://private.example/',
    'http://mixed.example/',
    'http://metadata.example/',
    'http://six.example/',
    'file:///etc/passwd',
    'gopher://public.example/',
    'javascript:alert(1)',
    'https://user@public.example/',
    'https://user:password@public.example/',
    'https://public.example:22/',
    'https://public.example:25/',
    'https://public.example:6667/',
    'public.example',
    'https://',
    'nonsense',
  ])('is refused: %s', async (url) => {
    expect(await refusalOf(url)).toBe(await refusalOf('http://10.0.0.1/'));
  });

  test.each([
    'https://public.example/webhooks?a=b',
    'http://public.example:8080/',
    'https://93.184.216.34/',
    'https://[2606:2800:220:1:248:1893:25c8:1946]:8443/',
    'https://does-not-resolve-yet.example/',
  ])('is taken: %s', async (url) => {
    expect(await read(url)).toBe(url);
  });

  test('may be internal where the operator has listed the address, at any port', async () => {
    const allowed = ['127.0.0.1', '::1', '10.0.0.0/8'];
    for (const url of ['http://127.0.0.1:22/', 'http://localhost:99/', 'http://private.example/'])
      expect(await read(url, { allowed })).toBe(url);
    await refusalOf('http://192.168.1.1/', { allowed });
    await refusalOf('http://mixed.example:22/', { allowed });
  });

  test('is https in production, but for what is listed', async () => {
    await refusalOf('http://public.example/', { isProduction: true });
    await refusalOf('http://public.example/', { isProduction: true, allowed: ['10.0.0.0/8'] });
    expect(await read('https://public.example/', { isProduction: true })).toBe('https://public.example/');
    expect(await read('http://private.example/', { isProduction: true, allowed: ['10.0.0.0/8'] })).toBe(
      'http://private.example/',
    );
  });

  test('loses its fragment, and is taken when no resolver answers in time', async () => {
    expect(await read('https://public.example/a#b')).toBe('https://public.example/a');
    const silent = targetReader({
      rules: { allowedAddresses: [], isProduction: false },
      lookup: () => {},
      clock,
    })('https://slow.example/');
    await clock.advance(3_000);
    expect(await silent).toBe('https://slow.example/');
  });
});
