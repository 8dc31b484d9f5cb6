import Sqlite from 'better-sqlite3-multiple-ciphers';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { DatabaseError, WotpError } from '../errors/errors.ts';
import { SendError } from '../messages/channel.ts';
import { isForeseen } from './foreseen.ts';
import { LOG_SERIALIZERS } from './logger.ts';
import { SystemError } from './system-error.ts';

const withCode = (code: string) => Object.assign(new Error('refused'), { code });

test.each([
  ['of the operating system', new SystemError('ENOSPC', 'write', '/data')],
  ['of a connection', withCode('ECONNREFUSED')],
  ['of a full disk', new Sqlite.SqliteError('database or disk is full', 'SQLITE_FULL')],
  ['of a database that cannot be used', new DatabaseError('not now', withCode('57P01'))],
  ['of a channel', new SendError('temporary', 'no answer within 30 seconds')],
  ['of fetch', new TypeError('fetch failed', { cause: withCode('ENOTFOUND') })],
])('an error %s is logged without a stack', (_what, error) => {
  expect(isForeseen(error)).toBe(true);
  const lines: string[] = [];
  pino({ serializers: LOG_SERIALIZERS }, { write: (line) => void lines.push(line) }).error(
    { err: error },
    'no',
  );
  expect(JSON.parse(lines[0]!).err).toMatchObject({ message: expect.stringContaining(error.message) });
  expect(lines[0]).not.toContain('    at ');
});

test.each([
  ['a bug', new TypeError('undefined is not a function')],
  ['an error without a class', new Error('this cannot be')],
  ['a statement that is wrong', new Sqlite.SqliteError('no such table', 'SQLITE_ERROR')],
  ['a bug behind another error', new SendError('temporary', 'unexpected error', new TypeError('undefined'))],
  ['an answer that says no more', new WotpError('INTERNAL_ERROR', 'Something went wrong.')],
])('%s is logged with its stack', (_what, error) => {
  expect(isForeseen(error)).toBe(false);
  const { stack } = LOG_SERIALIZERS.err(error) as { stack: string };
  expect(stack).toContain('    at ');
});

test('what is thrown and is no error is logged as it is', () => {
  expect(isForeseen('words')).toBe(false);
  expect(LOG_SERIALIZERS.err('words')).toBe('words');
});

test('what caused an error is a field of its own: the message stays the sentence that it is', () => {
  const driver = new Sqlite.SqliteError('database or disk is full', 'SQLITE_FULL');
  const error = new DatabaseError('The disk is full; nothing was changed.', driver);
  expect(LOG_SERIALIZERS.err(error)).toMatchObject({
    message: 'The disk is full; nothing was changed.',
    cause: { type: 'SqliteError', code: 'SQLITE_FULL', message: 'database or disk is full' },
  });
});

test('of a cause nothing is logged but its type, code and message', () => {
  const refused = Object.assign(new Error('duplicate key'), { code: '23505', detail: 'Key (phone)=(+49…)' });
  refused.cause = refused;
  const { cause } = LOG_SERIALIZERS.err(new DatabaseError('Not now.', refused)) as { cause: object };
  expect(cause).toEqual({ type: 'Error', code: '23505', message: 'duplicate key', cause: undefined });
});
