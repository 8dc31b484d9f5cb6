import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAIL_CERTIFICATE } from '../../test/support/mail-server.ts';
import { ConfigError, loadConfig } from './config.ts';
import { looseSettings } from './loose-settings.ts';
import { checkPlaces } from './places.ts';

const URL = 'smtp://user:p%40ss@mail.example.com';
const FROM = 'no-reply@example.com';

const emailOf = (env: Record<string, string>) =>
  loadConfig({ SMTP_URL: URL, SMTP_FROM: FROM, ...env }, { cwd: '/srv/wotp' }).email;

function problemsOf(load: () => unknown): string[] {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe('SMTP_URL', () => {
  test.each([
    [URL, { host: 'mail.example.com', port: 587, tls: 'starttls', user: 'user', password: 'p@ss' }],
    ['smtps://u:p@mail.example.com', { port: 465, tls: 'implicit' }],
    [
      'smtp://mail.example.com:2525?tls=off',
      { port: 2525, tls: 'off', user: undefined, password: undefined },
    ],
    ['smtp://mail.example.com?tls=required', { tls: 'starttls' }],
    ['smtp://localhost:25', { host: 'localhost', port: 25, tls: 'off' }],
    ['smtp://[::1]:25', { host: '::1', tls: 'off' }],
    ['smtp://127.0.0.1?tls=required', { tls: 'starttls' }],
    ['smtps://mail.example.com?ca=ca.pem&connections=20', { caFile: '/srv/wotp/ca.pem', connections: 20 }],
    ['smtps://mail.example.com?ca=%2Fetc%2Fca.pem', { caFile: '/etc/ca.pem', connections: 5 }],
    ['smtp://token@mail.example.com', { user: 'token', password: undefined }],
  ])('%s is read', (given, expected) => {
    expect(emailOf({ SMTP_URL: given }).server).toMatchObject(expected);
  });

  test.each([
    'mail.example.com',
    'https://mail.example.com',
    'smtp://',
    'smtp://mail.example.com:0',
    'smtp://mail.example.com/path',
    'smtp://mail.example.com#x',
    'smtp://:secret@mail.example.com',
    'smtp://mail.example.com?tls=none',
    'smtps://mail.example.com?tls=off',
    'smtp://mail.example.com?tls=off&tls=off',
    'smtp://mail.example.com?debug=true',
    'smtp://mail.example.com?tls.rejectUnauthorized=false',
    'smtp://mail.example.com?connections=0',
    'smtp://mail.example.com?connections=51',
    'smtp://mail.example.com?ca=',
    'smtp://us%0d%0aer:secret@mail.example.com',
    'smtp://us%er:secret@mail.example.com',
  ])('%s is refused, and not repeated', (given) => {
    const [line = '', ...others] = problemsOf(() => emailOf({ SMTP_URL: given }));
    expect(line).toMatch(/^SMTP_URL: given \*\*\*; allowed: smtp:.*STARTTLS required.*tls=off/);
    expect(others).toEqual([]);
  });

  test('without TLS to another machine is named at every start, and to this one is not', () => {
    const said = (url: string) => looseSettings(loadConfig({ SMTP_URL: url, SMTP_FROM: FROM }), {});
    expect(said('smtp://user:secret@mail.example.com?tls=off')).toEqual([
      'SMTP_URL reaches mail.example.com without TLS (tls=off): the password, addresses and codes cross the network unencrypted. Take tls=off out.',
    ]);
    expect(said('smtp://mail.example.com?tls=off')[0]).toContain('(tls=off): addresses and codes');
    expect(said('smtp://mail.example.com')).toEqual([]);
    expect(said('smtp://localhost')).toEqual([]);
  });
});

describe('SMTP_FROM', () => {
  test.each([
    ['no-reply@Example.com', { address: 'no-reply@example.com', name: undefined }],
    ['Example Bank <no-reply@example.com>', { address: FROM, name: 'Example Bank' }],
    ['"Bank, Example" <no-reply@example.com>', { address: FROM, name: 'Bank, Example' }],
    ['銀行 <no-reply@jõgeva.ee>', { address: 'no-reply@xn--jgeva-dua.ee', name: '銀行' }],
    ['<no-reply@example.com>', { address: FROM, name: undefined }],
  ])('%s is read', (given, from) => {
    expect(emailOf({ SMTP_FROM: given }).from).toEqual(from);
  });

  test.each([
    'Example',
    'a@example.com, b@example.com',
    'Example\r\nBcc: x@y.zz <no-reply@example.com>',
    'Exa\u202emple <no-reply@example.com>',
    `${'x'.repeat(65)} <no-reply@example.com>`,
    'A <B> <no-reply@example.com>',
  ])('%j is refused', (given) => {
    const [line = ''] = problemsOf(() => emailOf({ SMTP_FROM: given }));
    expect(line).toContain('allowed: an e-mail address such as no-reply@example.com');
  });
});

describe('settings that need each other', () => {
  const problems = (env: Record<string, string>) =>
    problemsOf(() => loadConfig(env)).map((line) => line.replace(/: given.*; /, ': '));

  test.each([
    [{ SMTP_URL: URL }, ['SMTP_FROM: SMTP_URL needs it']],
    [{ SMTP_FROM: FROM }, ['SMTP_URL: SMTP_FROM needs it']],
    [
      { SMTP_URL: URL, SMTP_FROM: FROM, SMTP_DKIM_SELECTOR: 's1' },
      ['SMTP_DKIM_DOMAIN: SMTP_DKIM_SELECTOR needs it', 'SMTP_DKIM_KEY_FILE: SMTP_DKIM_SELECTOR needs it'],
    ],
    [
      { SMTP_DKIM_DOMAIN: 'example.com', SMTP_DKIM_SELECTOR: 's1', SMTP_DKIM_KEY_FILE: 'k.pem' },
      ['SMTP_URL: SMTP_DKIM_DOMAIN needs it'],
    ],
    [{ SMTP_BOUNCE_TOKEN: 'x'.repeat(24) }, []],
    [{ SMTP_URL: 'nonsense', SMTP_FROM: FROM }, ['SMTP_URL: connections=1 to 50']],
  ])('%j', (env, expected) => {
    const found = problems(env as Record<string, string>);
    expect(found).toHaveLength(expected.length);
    for (const [at, line] of expected.entries()) {
      const [name = '', end = ''] = line.split(': ');
      expect(found[at]).toMatch(new RegExp(`^${name}: .*${end}$`));
    }
  });

  test.each(['short', 'x'.repeat(23), `${'x'.repeat(24)}&admin=1`, `${'x'.repeat(24)} y`])(
    'the bounce token %j is refused',
    (token) => {
      expect(problems({ SMTP_BOUNCE_TOKEN: token })[0]).toContain('24 characters or more');
    },
  );
});

describe('the files', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'wotp-mail-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  function file(name: string, content: string): string {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  }

  const checked = (env: Record<string, string>) =>
    problemsOf(() => checkPlaces(loadConfig({ SMTP_URL: URL, SMTP_FROM: FROM, DATA_DIR: folder, ...env })));
  const signing = (path: string) =>
    checked({ SMTP_DKIM_DOMAIN: 'example.com', SMTP_DKIM_SELECTOR: 's1', SMTP_DKIM_KEY_FILE: path });
  const pemOf = (bits: number) =>
    generateKeyPairSync('rsa', { modulusLength: bits })
      .privateKey.export({ type: 'pkcs1', format: 'pem' })
      .toString();
  const pemOfOther = () =>
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

  test('an RSA key is taken', () => {
    expect(signing(file('good.pem', pemOf(2048)))).toEqual([]);
  });

  test.each([
    [
      'is not there',
      () => join(folder, 'missing.pem'),
      'missing.pem: there is no such file or folder (ENOENT). Check the path.',
    ],
    ['is a folder', () => folder, 'it is a folder, not a file'],
    ['holds no key', () => file('text.pem', 'hello'), 'holds no private key'],
    ['holds another kind of key', () => file('ed.pem', pemOfOther()), 'holds a key of the type ed25519'],
    ['holds a short key', () => file('short.pem', pemOf(768)), 'holds a key of 768 bits'],
  ])('a key file that %s stops the start', (_, path, reason) => {
    const lines = signing(path());
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^SMTP_DKIM_KEY_FILE: /);
    expect(lines[0]).toContain(reason);
  });

  test('a file of certificates has to hold one', () => {
    const withCa = (path: string) => checked({ SMTP_URL: `${URL}?ca=${encodeURIComponent(path)}` });
    expect(withCa(MAIL_CERTIFICATE)).toEqual([]);
    expect(withCa(file('no.pem', 'hello'))[0]).toContain('holds no certificate');
    expect(withCa(join(folder, 'gone.pem'))[0]).toMatch(
      /^SMTP_URL: Cannot open .*gone\.pem: there is no such file/,
    );
  });
});

describe('BRAND_NAME', () => {
  test('is one short line', () => {
    expect(loadConfig({ BRAND_NAME: ' Größe 銀行 ' }).server.brandName).toBe('Größe 銀行');
    for (const given of ['a\nb', 'x'.repeat(65), 'a\u200bb', ' ']) {
      expect(problemsOf(() => loadConfig({ BRAND_NAME: given }))).toHaveLength(1);
    }
  });
});
