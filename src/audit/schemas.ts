import { z } from 'zod';
import { iso, pageQuery, projectId, queryTime, success, timestamp } from '../http/schemas.ts';
import type { ChainVerdict } from './chain.ts';
import type { LogRow } from './entries.ts';
import { FOLLOW_CURSOR } from './follow.ts';
import { LOG_CURSOR } from './list.ts';

const filter = {
  type: z.string().min(1).max(1_000).optional().meta({
    description: 'Event types, separated by commas; `key.*` is all of a kind.',
    example: 'key.*,template.changed',
  }),
  subject: z.string().min(1).max(100).optional().meta({
    description: 'The id of what it is about: a verification, a message, an API key, a bulk job …',
    example: 'key_01jd3x8zq2e6v9k5m7n0p4r8st',
  }),
  phone: z.string().max(100).optional().meta({
    description:
      'A phone number in any usual notation: its verifications and messages, what was received from it, and acts that concern it.',
    example: '+6283834946034',
  }),
  actor: z.string().min(1).max(100).optional().meta({
    description: 'Who did it: the id of an API key, `admin`, `cli`, `server` …',
    example: 'admin',
  }),
  from: queryTime
    .optional()
    .meta({ description: 'The earliest time, RFC 3339.', example: '2026-11-23T00:00:00Z' }),
  to: queryTime.optional().meta({
    description: 'The time before which entries are shown, RFC 3339.',
    example: '2026-11-24T00:00:00Z',
  }),
};

export const listQuery = z.strictObject({ ...filter, ...pageQuery(LOG_CURSOR), projectId });

export const followQuery = z.strictObject({
  ...filter,
  after: z.string().regex(FOLLOW_CURSOR, 'a `next` of this route').optional().meta({
    description: 'The `next` of the call before. Without it nothing is returned but where to start: now.',
    example: '0.0.184',
  }),
  projectId,
});

export type Filter = z.infer<typeof listQuery>;

export const entry = z
  .object({
    id: z.string().meta({ description: 'The same as the `webhook-id` of its delivery.' }),
    at: timestamp,
    type: z.string(),
    actor: z.string().nullable().meta({ description: 'Who did it; null where nobody is known.' }),
    subject: z.string().nullable().meta({ description: 'What it is about; null where the type says it.' }),
    data: z.record(z.string(), z.unknown()).meta({
      description:
        'What the type adds. An act has the `address` it came from, and `before` and `after` of what it changed.',
    }),
  })
  .meta({
    title: 'LogEntry',
    description: 'An event, or an administrative act.',
    example: {
      id: 'evt_01jd3x8zq2e6v9k5m7n0p4r8st',
      at: '2026-11-23T12:00:00.000Z',
      type: 'template.changed',
      actor: 'admin',
      subject: 'welcome_otp',
      data: {
        template: 'welcome_otp',
        version: 2,
        before: { version: 1, name: 'Welcome' },
        after: { version: 2, name: 'Welcome back' },
        address: '203.0.113.7',
      },
    },
  });

export const followed = success(
  z
    .object({
      entries: z.array(entry).meta({ description: 'What was recorded since, oldest first.' }),
      next: z.string().meta({ description: 'Give it as `after`.', example: '0.0.184' }),
      more: z.boolean().meta({ description: 'Whether there is more to read now.' }),
    })
    .meta({ title: 'LogNews', description: 'New entries, and where to go on.' }),
);

const HEAD_FORM = /^(\d{1,15}):([0-9a-f]{64})$/;

export const verifyQuery = z.strictObject({
  head: z
    .string()
    .regex(HEAD_FORM, 'a `head` of an earlier answer')
    .optional()
    .meta({ description: 'The `head` of an earlier answer: checks that the chain still leads through it.' }),
  projectId,
});

/** A head as `verify` answers it. */
export function readHead(head: string | undefined): { position: number; hash: string } | undefined {
  const [, position, hash] = HEAD_FORM.exec(head ?? '') ?? [];
  return hash === undefined ? undefined : { position: Number(position), hash };
}

export const verdict = success(
  z
    .object({
      ok: z.boolean(),
      checked: z.int().meta({ description: 'Lines that were checked.' }),
      waiting: z.int().meta({ description: 'Of them, those that are not chained yet: the newest.' }),
      since: timestamp.nullable().meta({ description: 'When the chain began.' }),
      head: z
        .string()
        .nullable()
        .meta({
          description:
            'Position and hash of the newest line. Note it elsewhere, and give it as `head` later.',
          example: `184:${'0a'.repeat(32)}`,
        }),
      firstBad: z
        .object({
          position: z.int().nullable().meta({ description: 'Its place in the chain, from 1.' }),
          problem: z.enum(['changed', 'missing', 'moved', 'added', 'head']),
          detail: z.string(),
          id: z.string().optional().meta({ description: 'The id of the entry, where it is there.' }),
        })
        .optional()
        .meta({ description: 'The first line that is not right; absent where all are.' }),
    })
    .meta({ title: 'AuditVerdict', description: 'What the verification of the audit log found.' }),
);

export function toVerdict({ checked, waiting, firstBad, head, since }: ChainVerdict, detail: string) {
  return {
    ok: firstBad === undefined,
    checked,
    waiting,
    since: since === undefined ? null : iso(since),
    head: head === undefined ? null : `${head.position}:${head.hash}`,
    ...(firstBad && {
      firstBad: {
        position: firstBad.position,
        problem: firstBad.problem,
        detail,
        ...(firstBad.line && { id: firstBad.line.id }),
      },
    }),
  };
}

export function toEntry({ id, at, type, actor, subject, data }: LogRow) {
  return { id, at: iso(at), type, actor, subject, data };
}
