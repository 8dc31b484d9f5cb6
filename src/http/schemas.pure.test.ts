import { describe, expect, test } from 'vitest';
import { queryTime, time } from './schemas.ts';

const MOMENT = Date.UTC(2026, 0, 15, 12, 0, 0);
const read = (schema: typeof time, text: unknown) => {
  const result = schema.safeParse(text);
  return result.success ? Date.parse(result.data) : undefined;
};

describe.each([
  ['a body', time],
  ['a query', queryTime],
])('a time in %s', (_where, schema) => {
  test.each([
    '2026-01-15T12:00:00Z',
    '2026-01-15T12:00:00.000Z',
    '2026-01-15T12:00:00.000000001Z',
    '2026-01-15T12:00:00+00:00',
    '2026-01-15T12:00:00-00:00',
    '2026-01-15T19:00:00+07:00',
    '2026-01-15T08:30:00-03:30',
    '2026-01-16T02:00:00.000+14:00',
    '2026-01-15t12:00:00z',
    '2026-01-15 12:00:00Z',
    '2026-01-15 19:00:00+07:00',
    '2026-01-15T12:00Z',
  ])('may be written %s', (text) => {
    expect(read(schema, text)).toBe(MOMENT);
  });

  test.each([
    '2026-01-15',
    '2026-01-15T12:00:00',
    '2026-01-15T12:00:00+0700',
    '2026-01-15T12:00:00+24:00',
    '2026-02-30T12:00:00Z',
    '2026-02-31T12:00:00+07:00',
    '2026-01-15T12:00:60Z',
    '2026-01-15T12:00:61Z',
    '2026-01-15T25:00:00Z',
    '1768478400000',
    1768478400000,
    'tomorrow',
    '',
    null,
  ])('is not %j, and the refusal shows how it is written', (text) => {
    const { error } = schema.safeParse(text);
    expect(error?.issues.map(({ message }) => message)).toEqual([
      'a time in RFC 3339, such as 2026-11-23T12:00:00Z or 2026-11-23T19:00:00+07:00',
    ]);
  });
});

test.each(['2016-12-31T23:59:60Z', '2016-12-31T15:59:60.000-08:00', '2017-01-01T06:59:60+07:00'])(
  'the leap second %s is the moment after it',
  (text) => {
    expect(read(time, text)).toBe(Date.UTC(2017, 0, 1));
  },
);

test('a + that a query did not escape is a space by then, and is meant', () => {
  expect(read(queryTime, '2026-01-15T19:00:00 07:00')).toBe(MOMENT);
  expect(read(time, '2026-01-15T19:00:00 07:00')).toBeUndefined();
});
