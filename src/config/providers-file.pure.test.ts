// biome-ignore-all lint/suspicious/noTemplateCurlyInString: so the file refers to the environment
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError, type Environment, loadConfig } from './config.ts';
import { looseSettings } from './loose-settings.ts';

const ACME = {
  name: 'acme',
  channel: 'sms',
  url: 'https://sms.example/send',
  json: { to: '{{to}}', text: '{{text}}' },
  success: { where: [{ path: 'status', in: ['0'] }] },
};
const CALLBACK = {
  messageId: 'id',
  status: 'state',
  map: { DELIVRD: 'delivered' },
  token: 'a-token-of-the-tests',
};
const SIGNATURE = { header: 'X-Signature', algorithm: 'hmac-sha256', encoding: 'hex', secret: 's3cret' };

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'wotp-providers-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

function load(content: unknown, env: Environment = {}) {
  const text = typeof content === 'string' ? content : JSON.stringify(content);
  writeFileSync(join(dir, 'providers.json'), text);
  return loadConfig({ PROVIDERS_FILE: 'providers.json', ...env }, { cwd: dir });
}

function problemsOf(content: unknown, env: Environment = {}): string[] {
  try {
    load(content, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const one = (fields: object) => ({ providers: [{ ...ACME, ...fields }] });

describe('the file of providers', () => {
  test('is none where it is not named', () => {
    expect(loadConfig({}, { cwd: dir }).providers.definitions).toEqual([]);
  });

  test('gives what each provider is, with the texts of the environment in it', () => {
    const { providers } = load(
      one({
        url: 'https://${ACME_HOST}/send/{{toDigits}}',
        auth: { basic: { user: 'u', password: '${ACME_PASSWORD}' } },
        refused: [{ path: 'status', in: [6, true, 'x'], as: 'permanent' }],
        callback: { ...CALLBACK, token: undefined, signature: SIGNATURE },
      }),
      { ACME_HOST: 'sms.example', ACME_PASSWORD: 'p"w\\{d' },
    );
    expect(providers.file).toBe(join(dir, 'providers.json'));
    expect(providers.definitions).toEqual([
      {
        ...ACME,
        method: 'POST',
        url: 'https://sms.example/send/{{toDigits}}',
        auth: { basic: { user: 'u', password: 'p"w\\{d' } },
        headers: {},
        refused: [{ path: 'status', in: ['6', 'true', 'x'], as: 'permanent' }],
        callback: {
          messageId: 'id',
          status: 'state',
          map: { DELIVRD: 'delivered' },
          signature: { ...SIGNATURE, header: 'x-signature', over: ['body'], separator: '' },
        },
      },
    ]);
  });

  test('that is not there, is not JSON or is too large stops the start', () => {
    expect(() => loadConfig({ PROVIDERS_FILE: 'none.json' }, { cwd: dir })).toThrow(
      `PROVIDERS_FILE: Cannot open ${join(dir, 'none.json')}: there is no such file or folder (ENOENT). Check the path.`,
    );
    expect(problemsOf('{ "providers": [')).toEqual([
      `PROVIDERS_FILE: ${join(dir, 'providers.json')} is not valid JSON: look at its end. See docs/PROVIDERS.md.`,
    ]);
    expect(problemsOf(' '.repeat(256 * 1024 + 1))).toEqual([
      expect.stringMatching(
        /^PROVIDERS_FILE: .* is larger than 262144 bytes\. Allowed: a JSON file of at most 256 kB\.$/,
      ),
    ]);
  });

  test('has all its problems named at once, with those of other settings', () => {
    const problems = problemsOf(
      {
        providers: [
          { ...ACME, channel: 'pigeon', extra: 1 },
          { ...ACME, url: 'sms.example' },
        ],
      },
      { PORT: 'x', PROVIDERS_ALLOWED_ADDRESSES: '10.0.0.0/8,nowhere' },
    );
    expect(problems).toEqual([
      'PORT: given "x"; allowed: a whole number from 0 to 65535',
      expect.stringMatching(
        /^PROVIDERS_ALLOWED_ADDRESSES: given "10\.0\.0\.0\/8,nowhere"; allowed: IP addresses and CIDR/,
      ),
      'PROVIDERS_FILE: providers.0.channel: given "pigeon"; allowed: one of sms, http',
      expect.stringMatching(
        /^PROVIDERS_FILE: providers\.0\.extra: given 1; allowed: the fields name, channel, url, /,
      ),
      expect.stringMatching(
        /^PROVIDERS_FILE: providers\.1\.url: given "sms\.example"; allowed: an http or https address/,
      ),
    ]);
  });

  test('has at most 50 problems, however wrong it is', () => {
    expect(problemsOf({ providers: Array.from({ length: 20 }, () => ({ a: 1, b: 2, c: 3 })) })).toHaveLength(
      50,
    );
  });

  test.each<[string, object, string]>([
    [
      'name',
      { name: 'Acme!' },
      'given "Acme!"; allowed: a name of 1 to 32 small letters, digits and hyphens',
    ],
    ['name', { name: undefined }, 'given nothing; allowed: a name'],
    [
      'url',
      { url: 'https://user:pw@sms.example/?key=geheim' },
      'given "https://***@sms.example/"; allowed: an http',
    ],
    [
      'url',
      { url: 'https://{{to}}.example/' },
      'given "https://{{to}}.example/"; allowed: an http or https address',
    ],
    [
      'url',
      { url: 'https://sms.example/{{phone}}' },
      'given "https://sms.example/{{phone}}"; allowed: an http',
    ],
    ['url', { url: 'https://sms.example/#x' }, 'given'],
    [
      'url',
      { url: 'http://127.0.0.1/' },
      'given "http://127.0.0.1/"; allowed: a public address, or one that is listed',
    ],
    ['url', { url: 'http://0x7f.1/' }, 'given "http://0x7f.1/"; allowed: a public address'],
    [
      'url',
      { url: 'https://[::ffff:7f00:1]/' },
      'given "https://[::ffff:7f00:1]/"; allowed: a public address',
    ],
    ['method', { method: 'DELETE' }, 'given "DELETE"; allowed: one of POST, GET, PUT'],
    ['method', { method: 'GET' }, 'given "GET"; allowed: POST or PUT, or GET with `query`'],
    ['json', { json: undefined }, 'given nothing; allowed: exactly one of json, form, query'],
    ['form', { form: { a: 'b' } }, 'given ***; allowed: exactly one of json, form, query'],
    [
      'json.text',
      { json: { text: '{{message}} geheim' } },
      'given ***; allowed: a text of at most 4096 characters with no other placeholders than {{to}}',
    ],
    ['json.a.1', { json: { a: ['x', '{{to'] } }, 'given ***; allowed: a text'],
    ['json.to', { json: { to: { $number: '{{to}}' } } }, 'given ***; allowed: { "$number": "{{toDigits}}" }'],
    ['json.to', { json: { to: { $number: '{{toDigits}}', a: 1 } } }, 'given ***; allowed: { "$number"'],
    ['form.a', { json: undefined, form: { a: { b: 'c' } } }, 'given ***; allowed: a text'],
    ['headers.host', { headers: { host: 'x' } }, 'given ***; allowed: a header of its own'],
    ['headers.x-a', { headers: { 'x-a': 'a\r\nx-b: c' } }, 'given ***; allowed: a header of its own'],
    ['headers.x-a', { headers: { 'x-a': '{{text}}' } }, 'given ***; allowed: a header of its own'],
    ['auth', { auth: { digest: {} } }, 'given ***; allowed: one of { "basic"'],
    [
      'auth.basic.password',
      { auth: { basic: { user: 'u' } } },
      'given nothing; allowed: a text of at most 500',
    ],
    ['auth.bearer', { auth: { bearer: 'two words' } }, 'given ***; allowed: a text in ASCII without spaces'],
    [
      'success.status.0',
      { success: { status: [404] } },
      'given 404; allowed: a list of HTTP statuses from 200 to 299',
    ],
    [
      'success.where.0.path',
      { success: { where: [{ path: 'a..b', in: ['x'] }] } },
      'given "a..b"; allowed: a path of names',
    ],
    [
      'refused.0.as',
      { refused: [{ path: 'a', in: ['x'], as: 'fatal' }] },
      'given "fatal"; allowed: one of permanent, temporary, operator',
    ],
    [
      'refused.0.in',
      { refused: [{ path: 'a', in: [], as: 'operator' }] },
      'given a list; allowed: a list of 1 to 100',
    ],
    [
      'callback',
      { json: { text: '{{text}}', url: '{{callbackUrl}}' } },
      'given nothing; allowed: a callback, since {{callbackUrl}} is used',
    ],
    [
      'json',
      { json: { to: '{{to}}', text: 'hello' } },
      'given ***; allowed: a request that holds {{text}} or {{code}}',
    ],
    [
      'callback.signature',
      { callback: { ...CALLBACK, token: undefined } },
      'given nothing; allowed: a `signature`, a `token`',
    ],
    [
      'callback.token',
      { callback: { ...CALLBACK, token: 'short' } },
      'given ***; allowed: a text of 12 to 200 characters',
    ],
    [
      'callback.map.x',
      { callback: { ...CALLBACK, map: { x: 'gone' } } },
      'given "gone"; allowed: one of sent, delivered, read, failed',
    ],
    [
      'callback.map',
      { callback: { ...CALLBACK, map: {} } },
      'given an object; allowed: an object that leads 1 to 100',
    ],
    [
      'callback.signature.algorithm',
      { callback: { ...CALLBACK, signature: { ...SIGNATURE, algorithm: 'md5' } } },
      'given "md5"; allowed: one of hmac-sha1, hmac-sha256, hmac-sha512',
    ],
    [
      'callback.signature.over',
      { callback: { ...CALLBACK, signature: { ...SIGNATURE, over: ['url', 'url'] } } },
      'given a list; allowed: a list of body, url, timestamp, form, each at most once',
    ],
    [
      'callback.signature.timestampHeader',
      { callback: { ...CALLBACK, signature: { ...SIGNATURE, over: ['timestamp'] } } },
      'given nothing; allowed: the header with the timestamp',
    ],
    [
      'callback.signature.scheme',
      { callback: { ...CALLBACK, signature: { scheme: 'vonage', secret: 'x' } } },
      'given "vonage"; allowed: one of twilio, telegram',
    ],
  ])('%s of a provider is checked: %j', (path, fields, line) => {
    const problems = problemsOf(one(fields));
    expect(problems).toEqual([expect.stringContaining(`PROVIDERS_FILE: providers.0.${path}: ${line}`)]);
    expect(problems.join()).not.toMatch(/geheim|pw@/);
  });

  test('names no provider twice', () => {
    expect(problemsOf({ providers: [ACME, { ...ACME, channel: 'http' }] })).toEqual([
      expect.stringContaining('PROVIDERS_FILE: providers.1.name: given "acme"; allowed: a name of 1 to 32'),
    ]);
  });

  test('has to find what it takes from the environment there, and never shows it', () => {
    const auth = { basic: { user: '${ACME_USER}', password: '${ACME_PASSWORD}' } };
    expect(problemsOf(one({ auth }), { ACME_USER: '' })).toEqual([
      'PROVIDERS_FILE: providers.0.auth.basic.user: given "${ACME_USER}"; allowed: the name of a variable that is set',
      'PROVIDERS_FILE: providers.0.auth.basic.password: given "${ACME_PASSWORD}"; allowed: the name of a variable that is set',
    ]);
    expect(problemsOf(one({ url: '${ACME_KEY}' }), { ACME_KEY: 'geheim' })).toEqual([
      expect.stringContaining('PROVIDERS_FILE: providers.0.url: given "${ACME_KEY}"; allowed: an http'),
    ]);
    expect(problemsOf(one({ auth: { bearer: '${ACME_KEY}' } }), { ACME_KEY: 'geheim{{text}}' })).toEqual([
      'PROVIDERS_FILE: providers.0.auth.bearer: given "${ACME_KEY}"; allowed: the name of a variable without {{ in its text',
    ]);
    expect(problemsOf(one({ auth: { bearer: '${toString}' } }))).toHaveLength(1);
  });

  test('names internal targets only where they are listed, and plain http in production likewise', () => {
    const local = one({ url: 'http://127.0.0.1:8080/send' });
    expect(problemsOf(local, { PROVIDERS_ALLOWED_ADDRESSES: '127.0.0.1' })).toEqual([]);
    const production = {
      NODE_ENV: 'production',
      DB_MASTER_KEY: 'k3y-of-the-database-32-characters!',
      MASTER_PASSWORD: 'correct horse battery',
    };
    expect(problemsOf(one({ url: 'http://sms.example/' }))).toEqual([]);
    expect(problemsOf(one({ url: 'http://sms.example/' }), production)).toEqual([
      'PROVIDERS_FILE: providers.0.url: given "http://sms.example/"; allowed: an https address in production (PROVIDERS_ALLOWED_ADDRESSES lists exceptions)',
    ]);
    expect(problemsOf(local, { ...production, PROVIDERS_ALLOWED_ADDRESSES: '127.0.0.0/8' })).toEqual([]);
  });
});

test('a provider whose success is a status alone is named at the start', () => {
  const loose = (fields: object) =>
    looseSettings(load(one(fields)), {}).filter((line) => line.includes('acme'));
  expect(loose({ success: undefined })).toEqual([
    'The provider acme in PROVIDERS_FILE takes an HTTP status alone for success: many providers refuse with 200. Add `success.where`.',
  ]);
  expect(loose({})).toEqual([]);
});
