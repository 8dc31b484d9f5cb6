import { expect } from 'vitest';
import { ERROR_CODES, type ErrorCode } from '../../src/errors/codes.ts';
import type { FieldProblem } from '../../src/errors/errors.ts';
import type { Problem } from '../../src/http/problem.ts';
import type { Answer } from './test-app.ts';

const ALWAYS = ['type', 'title', 'status', 'detail', 'code', 'requestId', 'success', 'error'];
const SOMETIMES = ['errors', 'attemptsRemaining', 'requiredPermission'];

/** What tells of our inside: files, stacks, SQL, names of libraries. */
const INTERNAL =
  /node_modules|\.[jt]s\b|\bat \w+ \(|\bSQLITE|\b(select|insert|update|delete) .*\b(from|into|set)\b|FST_ERR|HPE_|Error:/i;

/**
 * Holds an answer to what every error promises: the right status for its code, a complete problem document with
 * nothing internal in it, a request id in body and header alike, and `Retry-After` where waiting helps.
 */
export function expectProblem(answer: Answer, code: ErrorCode): Problem {
  expect(answer.body, answer.text.slice(0, 300)).toMatchObject({ code });
  expect(answer.status).toBe(ERROR_CODES[code].status);
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  const problem = answer.body as Problem;
  expect(problem).toMatchObject({
    type: `/docs/errors#${code}`,
    title: ERROR_CODES[code].title,
    status: answer.status,
    success: false,
    error: problem.detail,
  });
  expect(problem.detail).toMatch(/^[A-Z].*\.$/s);
  expect(
    Object.keys(problem)
      .filter((name) => !SOMETIMES.includes(name))
      .sort(),
  ).toEqual([...ALWAYS].sort());
  expect(problem.requestId).toMatch(/^[A-Za-z0-9._-]{1,64}$/);
  expect(answer.headers.get('x-request-id')).toBe(problem.requestId);
  expect(answer.text).not.toMatch(INTERNAL);
  if (problem.errors !== undefined) expectWords(problem.errors, problem.detail);
  const waits = answer.status === 429 || code === 'SERVICE_UNAVAILABLE' || code === 'QUEUE_FULL';
  const retryAfter = answer.headers.get('retry-after');
  if (waits) expect(retryAfter).toMatch(/^[1-9]\d*$/);
  else expect(retryAfter).toBeNull();
  return problem;
}

/** What the library for schemas says by itself. */
const OF_THE_LIBRARY = /Invalid|Too (small|big)|expected|received|Unrecognized|[<>]=/;

/** Holds the problems of fields to what they promise: sentences of ours that name the field, the first as the detail. */
function expectWords(errors: readonly FieldProblem[], detail: string): void {
  expect(errors.length).toBeGreaterThan(0);
  expect(detail).toBe(errors[0]!.message);
  for (const { path, message } of errors) {
    expect(message).toMatch(/^[A-Z].*\.$/s);
    expect(message).not.toMatch(OF_THE_LIBRARY);
    expect(namesField(message, path), `${path}: ${message}`).toBe(true);
  }
}

/** Whether a sentence has the path of its field, or the last name in it, as a word: `permissions` for `permissions.0`. */
function namesField(message: string, path: string): boolean {
  const last = path.split('.').findLast((part) => !/^\d+$/.test(part)) ?? path;
  // A file's name has dots of its own, and people call the field `to` what it is.
  const names = [
    path,
    last,
    path.replace(/^files\./, ''),
    ...(path === 'to' ? ['phone number'] : []),
    ...(path === 'email' ? ['e-mail address'] : []),
  ];
  const words = message.split(/[^\w.-]+/).map((word) => word.replace(/\.$/, ''));
  return names.some((name) => words.includes(name) || (/\W/.test(name) && message.includes(name)));
}

/** The places that a refusal names, each once. */
export function pathsOf(errors: readonly FieldProblem[]): string[] {
  return [...new Set(errors.map(({ path }) => path))].sort();
}

/** An answer without what differs by nature from one request to the next. */
export function withoutRequest(answer: Answer) {
  const { requestId: _one, ...body } = answer.body as Problem;
  const headers = [...answer.headers].filter(
    ([name]) => !/^(x-request-id|date|ratelimit|x-ratelimit-.*|keep-alive|connection)$/.test(name),
  );
  return { status: answer.status, headers: Object.fromEntries(headers), body };
}
