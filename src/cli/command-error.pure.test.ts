import { expect, test } from 'vitest';
import { RefusalError } from './command-error.ts';

const refusal = (path: string, message: string) =>
  new RefusalError({ code: 'VALIDATION_ERROR', detail: message, errors: [{ path, message }] }).words;

test('a refused field is named in front of a sentence that does not name it', () => {
  expect(refusal('expiresAt', 'The time has passed.')).toBe('expiresAt: The time has passed.');
});

test.each([
  ['phone', 'The value of `phone` must be a string.'],
  ['files.creds.json', 'The file `creds.json` is missing from the folder.'],
])('%s is named once', (path, message) => {
  expect(refusal(path, message)).toBe(message);
});
