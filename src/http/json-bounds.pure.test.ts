import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BODY_MAX_DEPTH, beyondBounds } from './json-bounds.ts';

const MANY = 1_000_000;
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
/** An object of one field with this text in it, as JSON that is long enough to be looked at. */
const holding = (text: string) => JSON.stringify({ field: text, padding: 'x'.repeat(40) });

describe('the bounds of a JSON text', () => {
  test('let as many levels pass as they say, and not one more', () => {
    expect(beyondBounds(nested(BODY_MAX_DEPTH), MANY)).toBeUndefined();
    expect(beyondBounds(nested(BODY_MAX_DEPTH + 1), MANY)).toBe('depth');
    expect(beyondBounds('['.repeat(BODY_MAX_DEPTH + 1), MANY)).toBe('depth');
    const objects = '{"a":'.repeat(BODY_MAX_DEPTH + 1);
    expect(beyondBounds(objects, MANY)).toBe('depth');
  });

  test('count levels that are open at once, not one after another', () => {
    expect(beyondBounds(`[${Array(100).fill('[[]]').join(',')}]`, MANY)).toBeUndefined();
  });

  test('let as many members pass as they say, and not one more', () => {
    const list = (length: number) => `[${Array(length).fill('12345').join(',')}]`;
    expect(beyondBounds(list(100), 100)).toBeUndefined();
    expect(beyondBounds(list(101), 100)).toBe('members');
  });

  test.each([
    ['fields', `{${Array.from({ length: 101 }, (_, i) => `"k${i}":1`).join(',')}}`],
    ['empty arrays', `[${Array(60).fill('[]').join(',')}]`],
    ['empty objects', `[${Array(60).fill('{}').join(',')}]`],
    ['fields after a long string', `{"a":"${'x'.repeat(5_000)}"${',"b":1'.repeat(101)}}`],
  ])('count %s', (_what, text) => {
    expect(beyondBounds(text, 100)).toBe('members');
  });

  test.each([
    ['brackets and commas', ',[{'.repeat(500)],
    ['an escaped quote before them', `"${',[{'.repeat(500)}`],
    ['an escaped backslash and a quote before them', `\\"${',[{'.repeat(500)}`],
    ['many backslashes before them', `${'\\'.repeat(501)}"${',[{'.repeat(500)}`],
  ])('count nothing within a string: %s', (_what, text) => {
    expect(beyondBounds(holding(text), 10)).toBeUndefined();
  });

  test('go on after a string that ends in backslashes', () => {
    for (const end of ['\\', '\\\\', '\\"']) {
      const text = `[${JSON.stringify(end)}${',1'.repeat(100)}]`;
      expect(beyondBounds(text, 100)).toBe('members');
      expect(beyondBounds(text, 101)).toBeUndefined();
    }
  });

  test.each(['"'.padEnd(200, '['), `${'"'.padEnd(200, '[')}\\"`, `{"a":"${'{'.repeat(200)}`])(
    'come to an end where a string does not: %s',
    (text) => {
      expect(beyondBounds(text, 10)).toBeUndefined();
    },
  );

  test('are those of the value that the text is parsed to', () => {
    const depthOf = (value: unknown): number =>
      typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
    const membersOf = (value: unknown): number =>
      typeof value === 'object' && value !== null
        ? Object.values(value).reduce<number>((sum, member) => sum + membersOf(member), 0) +
          Math.max(1, Object.keys(value).length)
        : 0;
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.boolean(), (value, spaced) => {
        // Long enough to be looked at; it adds a level and two members.
        const whole = [value, 'x'.repeat(BODY_MAX_DEPTH)];
        const text = JSON.stringify(whole, null, spaced ? 2 : 0);
        const members = membersOf(JSON.parse(text));
        expect(depthOf(value)).toBeLessThan(BODY_MAX_DEPTH);
        expect(beyondBounds(text, members)).toBeUndefined();
        expect(beyondBounds(text, members - 1)).toBe('members');
      }),
    );
  });
});
