import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nulInAddress, unfitTextInBody } from './unfit-text.ts';

const placesIn = (text: string) =>
  unfitTextInBody(text, JSON.parse(text))?.details.errors?.map(({ path }) => path) ?? [];

describe('U+0000 in a body', () => {
  test('is found in every string, and the place is named', () => {
    const body = { a: 'x\0', b: { c: ['fine', '\0'] }, d: 1, e: null };
    expect(placesIn(JSON.stringify(body))).toEqual(['a', 'b.c.1']);
    expect(placesIn('"\\u0000"')).toEqual(['body']);
  });

  test('is found in a name, for which the object stands', () => {
    expect(placesIn(JSON.stringify({ a: { 'x\0': 1 } }))).toEqual(['a']);
    expect(placesIn(JSON.stringify({ 'x\0': 1 }))).toEqual(['body']);
  });

  test('is told from its six characters in plain', () => {
    expect(placesIn(JSON.stringify({ a: '\\u0000', b: JSON.stringify('\0') }))).toEqual([]);
    expect(placesIn(JSON.stringify({ a: '\\\0' }))).toEqual(['a']);
  });

  test('is missed in no value', () => {
    const text = fc.string({ unit: fc.constantFrom('\0', '\\', 'u', '0', '"', 'x') });
    fc.assert(
      fc.property(text, (value) => {
        expect(placesIn(JSON.stringify({ a: value }))).toEqual(value.includes('\0') ? ['a'] : []);
      }),
    );
  });

  test('is named in 20 places at most', () => {
    expect(placesIn(JSON.stringify(Array(500).fill('\0')))).toHaveLength(20);
  });
});

describe('half of a surrogate pair in a body', () => {
  test('is found in every string and name, and the place is named', () => {
    expect(placesIn(JSON.stringify({ a: ['x', '\ud83d'], b: { '\ude00': 1 } }))).toEqual(['a.1', 'b']);
  });

  test('is told from a whole pair, and from its six characters in plain', () => {
    expect(placesIn('"\\ud83d\\uDE00"')).toEqual([]);
    expect(placesIn(JSON.stringify({ a: '\\ud83d' }))).toEqual([]);
  });

  test('is missed in no value', () => {
    const text = fc.string({ unit: fc.constantFrom('\ud83d', '\ude00', '\\', 'u', 'd', '8', 'x') });
    fc.assert(
      fc.property(text, (value) => {
        expect(placesIn(JSON.stringify({ a: value }))).toEqual(value.isWellFormed() ? [] : ['a']);
      }),
    );
  });
});

test('U+0000 in an address is told from an encoded percent sign before two zeros', () => {
  expect(nulInAddress('/api/v1/otp/a%00b')).toBeDefined();
  expect(nulInAddress('/api/v1/otp?cursor=%2500&to=00')).toBeUndefined();
});
