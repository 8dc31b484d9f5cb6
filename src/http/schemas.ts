import { z } from 'zod';
import { ERROR_CODES, type ErrorCode } from '../errors/codes.ts';
import { type IdPrefix, isId } from '../lib/id.ts';
import { readTime, TIME_ALLOWED } from '../lib/rfc3339.ts';
import { PERMISSIONS } from './permissions.ts';

/** A moment as the API writes it: ISO 8601 in UTC. */
export const timestamp = z.iso
  .datetime()
  .meta({ description: 'ISO 8601, UTC', example: '2026-11-23T12:00:00.000Z' });

const givenTime = z.iso.datetime({ error: TIME_ALLOWED });

/** A time as `timestamp` writes it; what is no time stays and is refused. */
function inUtc(text: unknown): unknown {
  const at = typeof text === 'string' ? readTime(text) : undefined;
  return at === undefined ? text : iso(at);
}

/** A moment that a caller gives in a body: RFC 3339, with any offset. `Date.parse` reads it. */
export const time = z
  .preprocess(inUtc, givenTime)
  .meta({ description: 'RFC 3339, with any offset.', example: '2026-11-23T19:00:00+07:00' });

/** As `time`, in a query, where a + that was not escaped arrives as a space. */
export const queryTime = z
  .preprocess(
    (text) => inUtc(typeof text === 'string' ? text.replace(/ (\d\d:\d\d)$/, '+$1') : text),
    givenTime,
  )
  .meta({ description: 'RFC 3339, with any offset.', example: '2026-11-23T12:00:00Z' });

export const iso = (time: number): string => new Date(time).toISOString();
export const isoOrNull = (time: number | null): string | null => (time === null ? null : iso(time));

const GRANTS = [...PERMISSIONS, '*'] as const;

/** A permission of an API key, or `*` for all of them. */
export const grant = z.enum(GRANTS, { error: () => `one of ${GRANTS.join(', ')}` });

/** Administrators may name the project a call acts on; keys may name only their own. */
export const projectId = z
  .string()
  .max(64)
  .optional()
  .meta({ description: 'Administrators only: the project to act on (default: the default project).' });

export const projectQuery = z.strictObject({ projectId });

/** The body of a POST that takes none: absent, or an object that at most names the project. */
export const noBody = z.strictObject({ projectId }).meta({ title: 'ProjectOnly' }).nullish();

/** A query holds text. Only plain digits are a number: not `1e2`, `0x10` or ` 50`, which `Number` takes as well. */
function digitsAsNumber(text: unknown): unknown {
  return typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : text;
}

/** A page of a list: its cursors are ids of this kind, or have this form. */
export const pageQuery = (cursors: IdPrefix | RegExp) => ({
  limit: z
    .preprocess(digitsAsNumber, z.int().min(1).max(200))
    .default(50)
    .meta({ description: 'How many to return at most.', example: 50 }),
  cursor: z
    .string()
    .refine(
      (cursor) => (typeof cursors === 'string' ? isId(cursors, cursor) : cursors.test(cursor)),
      'a `page.next` of this list',
    )
    .optional()
    .meta({ description: 'The `page.next` of the page before.' }),
});

/** `{ success: true, data }`. */
export const success = <T extends z.ZodType>(data: T) => z.object({ success: z.literal(true), data });

/** A list with the cursor of its next page. */
export const page = <T extends z.ZodType>(item: T) =>
  z.object({
    success: z.literal(true),
    data: z.array(item),
    page: z.object({
      next: z.string().nullable().meta({ description: 'Give it as `cursor`; null on the last page.' }),
    }),
  });

export const deleted = success(
  z.object({ id: z.string() }).meta({ title: 'Deleted', description: 'The id of what was removed.' }),
);

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.enum(Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]]),
    requestId: z.string(),
    success: z.literal(false),
    error: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
    attemptsRemaining: z.number().int().optional(),
    requiredPermission: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details. Decide by `code`.' });

/** What every route with a key can answer. */
const COMMON: readonly ErrorCode[] = [
  'VALIDATION_ERROR',
  'UNAUTHORIZED',
  'FORBIDDEN',
  'MISDIRECTED_REQUEST',
  'RATE_LIMIT_EXCEEDED',
  'INTERNAL_ERROR',
  'SERVICE_UNAVAILABLE',
];

/** How the document names a refusal. */
export const sentenceOf = (code: ErrorCode): string => `${code}: ${ERROR_CODES[code].title}.`;

/**
 * The error answers of a route for its schema: those of all routes, and the ones named. What comes with a body or with
 * the name of a project is added to the document by `completeDocument`.
 */
export const problems = (...codes: ErrorCode[]) => onlyProblems(...COMMON, ...codes);

/** The error answers of a route that needs no key: the ones named and no others. */
export function onlyProblems(...codes: ErrorCode[]): Record<number, z.ZodType> {
  const byStatus = new Map<number, ErrorCode[]>();
  // Where answers are kept for repetition, one may be kept that can no longer be read.
  const ofKept: ErrorCode[] = codes.includes('IDEMPOTENCY_MISMATCH') ? ['CONFLICT'] : [];
  for (const code of new Set([...codes, ...ofKept])) {
    const { status } = ERROR_CODES[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, named]) => [status, problem.describe(named.map(sentenceOf).join(' '))]),
  );
}
