import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import wordListPath from 'word-list';
import { generatePassword } from '../admin/password.ts';
import { generateMasterKey } from '../database/master-key.ts';
import { weaknessOf } from './weak-secret.ts';

describe('a secret that others know or guess is weak', () => {
  it.each([
    '<a password of your own, 12 characters or more>',
    '<what "node bin/wotp.js master-key create" prints>',
    '$(wotp master-key create)',
    `$\{DB_MASTER_KEY}`,
    'change-me-in-production',
    'please-changeme-1234',
    'CHANGE_THIS_PASSWORD',
    'your-master-password',
    'replace-with-your-own-key-of-32-characters',
    'example-password-1',
    'ch@ngeme1234',
    '$MASTER_PASSWORD',
    '%MASTER_PASSWORD%',
    'DB_MASTER_KEY',
    '__SECRET__12',
    'XXX-SECRET-XXX',
    '***REDACTED***',
    'FIXME-please',
    'TODO_set_a_password',
    'set-me-please-12',
    '‹your password here›',
    'this-is-a-secret-key-of-32-chars!',
    'test-master-key-test-master-key-1',
    't3st-m4st3r-k3y-1',
    'my-super-secret-key-32-characters',
    'dont-use-this-key-in-production!!',
    "don't use this key in production!",
    'not-a-real-key-not-a-real-key-00',
    'wotp_<64 hex>',
    'paste the API key here',
    'https://otp.example.com',
    'http://127.0.0.1:3000',
    'changeme-changeme-1',
  ])('as a placeholder: %s', (secret) => {
    expect(weaknessOf(secret)).toBe('a placeholder');
  });

  it.each([
    'default-secret-key-do-not-use-in-prod',
    'Default-Secret-Key-Do-Not-Use-In-Prod!',
    'correct horse battery staple',
    'correcthorsebatterystaple',
  ])('as published: %s', (secret) => {
    expect(weaknessOf(secret)).toBe('published');
  });

  it.each([
    'a'.repeat(32),
    `${'a'.repeat(32)}1234`,
    `##${'0'.repeat(40)}!`,
    'abababababab',
    'secret'.repeat(6),
    `${'secret'.repeat(6)}2024`,
    'Passw0rdPassw0rdPassw0rdPassw0rd',
    '0123456789abcdef0123456789abcdef',
    'abcdefghijklmnopqrstuvwxyz012345',
    'zyxwvutsrqponmlkjihgfedcba987654',
    'abcd1234efgh5678',
    '123456789012',
    '098765432109',
    'qwertyuiopasdfghjklzxcvbnm123456',
    'qwerty-asdfgh-zxcvbn',
    'poiuytrewqlkjhgfdsa!',
    '1q2w3e4r5t6y',
    '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9',
    'azertyuiopqsdfghjklm',
    'administrator',
    'Administrator2024',
    '2024administrator!',
    'internationalization',
    'supercalifragilisticexpialidocious',
    'P@ssw0rd2024!',
    'password12345678',
    'masterpassword',
    'persahabatan99',
    'hello world!',
    'testmasterkeytestmasterkey12345678',
    'P@ssw0rd1234',
    'Passw0rd1234',
    'passw0rd1234',
    'P@ssw0rd12345678',
    'Passwort1234',
    'passwort12!!',
    'Kennwort1234',
    'wachtwoord12',
    'Schmetterling1',
    'schluessel1234',
    'Schlüssel1234',
    'postgres1234',
    'Пароль1234!!',
    'パスワード12345678',
    'aabbccddeeff',
    'aabbccddeeffgg',
    '112233445566778899',
    '111222333444555666777888999000',
    '00000000-0000-0000-0000-000000000000',
    'aaaabbbbccccddddeeeeffffgggghhhh',
    'a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6',
    '0xdeadbeefdeadbeef',
  ])('as easily guessed: %s', (secret) => {
    expect(weaknessOf(secret)).toBe('easily guessed');
  });
});

describe('a secret that was made up well is not', () => {
  it.each([
    'correct horse battery',
    'plum-orbit-cradle-57',
    'correcthorse#staple',
    'a password only tests know',
    'k3y-of-the-database-32-characters!',
    'Zk7#mPq2!vRx',
    '3f9b1c77e2d84a06b5c1908e7d42fa66',
    'wO8sVq1n2Y6pLr4tXz0cBm5jKf7hGd3a',
  ])('%s', (secret) => {
    expect(weaknessOf(secret)).toBeUndefined();
  });

  it('because of brackets that do not belong together', () => {
    expect(weaknessOf('[pGbfcqTwcCZdvS>')).toBeUndefined();
    expect(weaknessOf('[pGbfcqTwcCZdvS]')).toBe('a placeholder');
  });

  it('as those are that WOTP makes, and random ones of every usual kind', () => {
    const from = (characters: string, length: number) =>
      Array.from({ length }, () => characters[randomInt(characters.length)]).join('');
    const mixed = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
    const words = readFileSync(wordListPath, 'latin1')
      .split('\n')
      .filter((word) => /^[a-z]{4,9}$/.test(word));
    for (let i = 0; i < 100; i++) {
      for (const secret of [
        generateMasterKey(),
        generatePassword(),
        randomBytes(16).toString('hex'),
        randomBytes(24).toString('base64'),
        randomBytes(24).toString('base64url'),
        randomUUID(),
        from(mixed, 16),
        from(`${mixed}!@#$%^&*-_+=?<>()[]{}`, 16),
        Array.from({ length: 4 }, () => words[randomInt(words.length)]).join('-_. '[i % 4]),
      ]) {
        expect(weaknessOf(secret), secret).toBeUndefined();
      }
    }
  });
});

const ROOT = new URL('../../', import.meta.url);
const PAGES = [
  'README.md',
  '.env.example',
  'CHANGELOG.md',
  ...readdirSync(new URL('docs', ROOT))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

it('no secret that our documentation prints would be taken', () => {
  const shown = PAGES.filter((page) => /\.(md|example)$/.test(page)).flatMap((page) => {
    const text = readFileSync(new URL(page, ROOT), 'utf8');
    const blocks = page.endsWith('.md') ? (text.match(/^ *```[\s\S]*?^ *```/gm) ?? []) : [text];
    return blocks.flatMap((block) => secretsIn(block).map((secret) => ({ page, secret })));
  });
  expect(shown.length).toBeGreaterThan(0);
  expect(shown.filter(({ secret }) => weaknessOf(secret) === undefined)).toEqual([]);
});

it('no example of ours makes a key that nothing keeps, whose data is lost at the next start', () => {
  const sources = readdirSync(new URL('src', ROOT), { recursive: true, encoding: 'utf8' })
    .filter((name) => /(?<!\.test)\.ts$/.test(name))
    .map((name) => `src/${name}`);
  for (const file of [...PAGES, ...sources]) {
    expect(readFileSync(new URL(file, ROOT), 'utf8'), file).not.toMatch(/DB_MASTER_KEY="?(\$\(|`)/);
  }
});

/** What a reader may take over as a password or a key. */
function secretsIn(block: string): string[] {
  const assigned = [
    ...block.matchAll(/(?<![\^\w])(?:MASTER_PASSWORD|DB_MASTER_KEY|WOTP_\w*KEY)=(.+)$/gm),
  ].map(([, value]) => value!.trim().replace(/^(["'])(.*)\1$/, '$2'));
  const given = [...block.matchAll(/(?:X-Master-Key: |--v3-key[ =]|"password": ?")([^"'\s]+)/g)].map(
    ([, value]) => value!,
  );
  // References to a variable or a file are none themselves.
  return [...assigned, ...given].filter((value) => !/^\$\w+$/.test(value));
}
