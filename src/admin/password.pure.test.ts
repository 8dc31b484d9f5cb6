import { expect, test } from 'vitest';
import { generatePassword, hashPassword, passwordMatches } from './password.ts';

test('a password matches its own hash, and no other does', async () => {
  const hash = await hashPassword('correct horse battery staple');
  expect(await passwordMatches('correct horse battery staple', hash)).toBe(true);
  for (const other of ['Correct horse battery staple', '']) {
    expect(await passwordMatches(other, hash)).toBe(false);
  }
});

test('a hash does not hold the password, and the same password has another one each time', async () => {
  const [one, another] = await Promise.all([hashPassword('letters only'), hashPassword('letters only')]);
  expect(one).toMatch(/^scrypt\$[0-9a-f]{32}\$[0-9a-f]{64}$/);
  expect(one).not.toBe(another);
  expect(one).not.toContain(Buffer.from('letters only').toString('hex'));
});

test('letters with accents match however the keyboard composed them', async () => {
  const hash = await hashPassword('Se\u00f1or');
  expect(await passwordMatches('Sen\u0303or', hash)).toBe(true);
});

test('what is no hash matches nothing', async () => {
  for (const stored of ['', 'scrypt', 'scrypt$', 'plain text']) {
    expect(await passwordMatches('plain text', stored)).toBe(false);
  }
});

test('a generated password has 120 bits of letters and digits that nobody confuses', () => {
  const made = Array.from({ length: 200 }, generatePassword);
  expect(new Set(made).size).toBe(200);
  for (const password of made) expect(password).toMatch(/^[a-z2-9]{24}$/);
  const symbols = new Set(made.join(''));
  expect(symbols.size).toBe(32);
  for (const lookalike of ['0', '1', 'l', 'o']) expect(symbols.has(lookalike)).toBe(false);
});
