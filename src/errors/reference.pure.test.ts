import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { ERROR_CODES, type ErrorCode } from './codes.ts';
import { errorsPage } from './reference.ts';

const ROOT = new URL('../../', import.meta.url);
const CODES = Object.keys(ERROR_CODES) as ErrorCode[];

/** The kinds of errors and the code each has when it is made without one. */
const KINDS: Record<string, ErrorCode | undefined> = {
  WotpError: undefined,
  ValidationError: 'VALIDATION_ERROR',
  AuthenticationError: 'UNAUTHORIZED',
  PermissionError: 'FORBIDDEN',
  NotFoundError: 'RESOURCE_NOT_FOUND',
  ConflictError: 'CONFLICT',
  RateLimitError: 'RATE_LIMIT_EXCEEDED',
  DatabaseError: 'SERVICE_UNAVAILABLE',
  ChannelError: 'CHANNEL_UNAVAILABLE',
};

/** The source of the server without its tests and without the table of codes and kinds. */
function sources(): string[] {
  const folder = fileURLToPath(new URL('src/', ROOT));
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.test.ts') && !path.startsWith('errors'))
    .map((path) => readFileSync(`${folder}/${path}`, 'utf8'));
}

/** The text of a call from its opening parenthesis to the closing one. */
function argumentsAt(source: string, open: number): string {
  let depth = 0;
  for (let at = open; at < source.length; at++) {
    if (source[at] === '(') depth += 1;
    if (source[at] === ')') depth -= 1;
    if (depth === 0) return source.slice(open, at);
  }
  return source.slice(open);
}

/** Every code with which the server makes an error. */
function raisedCodes(): Set<ErrorCode> {
  const raised = new Set<ErrorCode>();
  for (const source of sources()) {
    for (const call of source.matchAll(/new (\w+Error)\(/g)) {
      if (!(call[1]! in KINDS)) continue;
      const given = argumentsAt(source, call.index + call[0].length - 1);
      const named = CODES.filter((code) => given.includes(`'${code}'`));
      for (const code of named) raised.add(code);
      const byKind = KINDS[call[1]!];
      if (named.length === 0 && byKind) raised.add(byKind);
      // A code that was decided before: whatever the file names.
      if (named.length === 0 && !byKind) {
        for (const code of CODES) if (source.includes(`'${code}'`)) raised.add(code);
      }
    }
  }
  return raised;
}

describe('the codes of errors', () => {
  test('stand in docs/ERRORS.md as they are in the table: run `npm run docs` after a change', () => {
    expect(readFileSync(new URL('docs/ERRORS.md', ROOT), 'utf8')).toBe(errorsPage());
  });

  test('are each raised somewhere', () => {
    const raised = raisedCodes();
    expect(CODES.filter((code) => !raised.has(code))).toEqual([]);
  });

  test('are those that are promised, with their statuses', () => {
    const statuses = Object.fromEntries(CODES.map((code) => [code, ERROR_CODES[code].status]));
    expect(statuses).toEqual({
      VALIDATION_ERROR: 400,
      UNAUTHORIZED: 401,
      FORBIDDEN: 403,
      RESOURCE_NOT_FOUND: 404,
      METHOD_NOT_ALLOWED: 405,
      MISDIRECTED_REQUEST: 421,
      REQUEST_TIMEOUT: 408,
      CONFLICT: 409,
      PAYLOAD_TOO_LARGE: 413,
      UNSUPPORTED_MEDIA_TYPE: 415,
      RATE_LIMIT_EXCEEDED: 429,
      QUOTA_EXCEEDED: 429,
      HEADERS_TOO_LARGE: 431,
      IDEMPOTENCY_MISMATCH: 422,
      IDEMPOTENCY_IN_PROGRESS: 409,
      OTP_INCORRECT: 422,
      OTP_EXPIRED: 410,
      OTP_ATTEMPTS_EXCEEDED: 429,
      OTP_NOT_FOUND: 404,
      TEMPLATE_NOT_FOUND: 404,
      PHONE_INVALID: 400,
      PHONE_NOT_ALLOWED: 403,
      PHONE_OPTED_OUT: 403,
      PHONE_NOT_ON_WHATSAPP: 422,
      EMAIL_INVALID: 400,
      WHATSAPP_OFFLINE: 503,
      CHANNEL_UNAVAILABLE: 503,
      INTERNAL_ERROR: 500,
      SERVICE_UNAVAILABLE: 503,
      QUEUE_FULL: 503,
    });
  });

  test.each(CODES)('%s has a title, a meaning and what to do, in whole sentences', (code) => {
    const { title, meaning, whatToDo } = ERROR_CODES[code];
    expect(title).toMatch(/^[A-Z].*[^.]$/);
    expect(meaning).toMatch(/^[A-Z`].*\.$/);
    expect(whatToDo).toMatch(/^[A-Z].*\.$/);
  });

  test('have titles that tell them apart', () => {
    expect(new Set(CODES.map((code) => ERROR_CODES[code].title)).size).toBe(CODES.length);
  });
});

describe('the page of errors', () => {
  test.each(CODES)('has a section for %s that its table links to', (code) => {
    const page = errorsPage();
    expect(page).toContain(`\n## ${code}\n`);
    expect(page).toContain(`[${code}](#${code.toLowerCase()})`);
  });
});
