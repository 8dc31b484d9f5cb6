// @ts-check
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { thirdPartyPage } from './third-party.js';

const read = (/** @type {string} */ path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
/** @type {{ packages: Record<string, import('./third-party.js').LockedPackage & { integrity?: string, resolved?: string }> }} */
const lock = JSON.parse(read('package-lock.json'));
const packages = Object.entries(lock.packages).filter(([place]) => place !== '');

it('the committed THIRD_PARTY.md is current (npm run docs writes it)', () => {
  expect(read('THIRD_PARTY.md')).toBe(thirdPartyPage(lock));
});

it('every package is held to its content by a hash, and none to an address', () => {
  expect(packages.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'))).toEqual([]);
  expect(packages.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
});

it('what cannot be left out is under permissive licences', () => {
  const permissive = /^(MIT|MIT-0|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0|BlueOak-1\.0\.0)$/;
  const others = packages
    .filter(([, { dev, optional, license = '' }]) => !dev && !optional && !permissive.test(license))
    .map(([place, { license }]) => `${place} ${license}`);
  // Each of these leaves the choice of a permissive one.
  expect(others).toEqual([
    'node_modules/expand-template (MIT OR WTFPL)',
    'node_modules/rc (BSD-2-Clause OR MIT OR Apache-2.0)',
  ]);
  const optional = packages.filter(([, { dev, license = '' }]) => !dev && /GPL/.test(license));
  expect(optional.map(([place, entry]) => [place, entry.optional])).toEqual([
    ['node_modules/libsignal', true],
  ]);
});

it('a package that names no licence stops the page', () => {
  const added = { packages: { 'node_modules/new': { version: '1.0.0' } } };
  expect(() => thirdPartyPage(added)).toThrow('new names no licence');
});
