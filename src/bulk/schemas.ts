import { hash } from 'node:crypto';
import { z } from 'zod';
import { iso, isoOrNull, projectId, timestamp } from '../http/schemas.ts';
import { sendBody } from '../otp/schemas.ts';
import type { GivenRow } from './csv.ts';
import { type Accepted, BULK_STATUSES, type Bulk } from './types.ts';

/** The most recipients of a request with JSON, and of a file. */
export const JSON_ROWS_MAX = 1_000;
export const CSV_ROWS_MAX = 10_000;
export const CSV_MAX_BYTES = 10 * 1_048_576;

/** A file as it came. Only its digest can be seen, which is what tells one request from another. */
export class CsvFile {
  readonly #bytes: Buffer;
  readonly sha256: string;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.sha256 = hash('sha256', bytes, 'hex');
  }

  get bytes(): Buffer {
    return this.#bytes;
  }
}

const { channel, purpose, expiryMinutes, metadata } = sendBody.shape;

const template = z.string().min(1).max(4_096).meta({
  description:
    'The text, with a placeholder for each variable. With `{{code}}` each recipient gets a verification of their own; without it the text is a plain message.',
  example: 'Hello {{name}}, your code is {{code}}',
});

const templateCode = z.string().max(100).meta({
  description: 'The code of a template, in place of `template`.',
  example: 'welcome',
});

const recipient = z
  .looseObject({
    phone: sendBody.shape.phone,
    email: sendBody.shape.email,
    code: sendBody.shape.code,
    locale: z.string().max(35).optional().meta({ description: 'A language tag (BCP 47).', example: 'id' }),
  })
  .catchall(z.union([z.string(), z.number(), z.boolean()], { error: 'a text, a number, true or false' }))
  .meta({
    title: 'BulkRecipient',
    description: 'A `phone`, an `email` or both; every further field is a variable of the template.',
    example: { phone: '+62 838 3494 6034', name: 'Ayu' },
  });

export const bulkBody = z
  .strictObject({
    recipients: z.array(recipient).min(1).max(JSON_ROWS_MAX),
    template: template.optional(),
    templateCode: templateCode.optional(),
    channel,
    purpose,
    expiryMinutes,
    metadata,
    projectId,
  })
  .meta({
    title: 'SendBulkRequest',
    example: {
      recipients: [{ phone: '+62 838 3494 6034', name: 'Ayu' }],
      template: 'Hello {{name}}, your code is {{code}}',
    },
  });

export type BulkBody = z.infer<typeof bulkBody>;

/** The rows of a request with JSON. */
export function rowsOf({ recipients }: BulkBody): GivenRow[] {
  return recipients.map((given, line) => ({
    line,
    cells: new Map(
      Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
    ),
  }));
}

const ofFile = (description: string) => ({ description: `With \`text/csv\` only. ${description}` });

/** JSON as a query holds it; what is no JSON stays text, and is refused. */
function jsonOf(text: unknown): unknown {
  try {
    return typeof text === 'string' ? JSON.parse(text) : text;
  } catch {
    return text;
  }
}
const numberOf = (text: unknown) =>
  typeof text === 'string' && /^\d{1,3}$/.test(text) ? Number(text) : text;

/** What a request says in its query: all that is not in a file. */
export const bulkQuery = z.strictObject({
  dryRun: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: '`true` checks everything and sends nothing.', example: 'true' }),
  template: template.optional().meta(ofFile('The text.')),
  templateCode: templateCode.optional().meta(ofFile('The code of a template, in place of `template`.')),
  channel: channel.unwrap().optional().meta(ofFile('One channel only; `auto` takes the usual one.')),
  purpose: purpose.unwrap().optional().meta(ofFile('What the codes are for.')),
  expiryMinutes: z.preprocess(numberOf, expiryMinutes).meta(ofFile('Minutes each code lives.')),
  metadata: z.preprocess(jsonOf, metadata).meta(ofFile('Any JSON object of yours, up to 4 KB.')),
  projectId,
});

const count = (description: string, example: number) => z.int().min(0).meta({ description, example });

const skipped = z.array(z.object({ line: z.int(), reason: z.string() })).meta({
  description:
    'The first 100 rows that get no message: duplicates, and those to whom nothing may be sent. `line` is the line in the file, or the place in `recipients`, from 0.',
  example: [{ line: 3, reason: 'PHONE_OPTED_OUT: The number has opted out of messages.' }],
});
const acceptedFields = {
  total: count('Recipients, without the duplicates.', 998),
  duplicates: count('Rows that named a recipient again. They are sent once.', 2),
  rejected: count('Recipients to whom nothing may be sent now.', 1),
  skipped,
};
export const accepted = z
  .object({
    bulkId: z.string().meta({ example: 'blk_01jd3x8zq2e6v9k5m7n0p4r8st' }),
    status: z.literal('processing'),
    ...acceptedFields,
  })
  .meta({ title: 'AcceptedBulk', description: 'The job is stored and its messages are being sent.' });
export const checked = z
  .object(acceptedFields)
  .meta({ title: 'CheckedBulk', description: 'What would be accepted. Nothing is stored or sent.' });

export const bulk = z
  .object({
    bulkId: z.string().meta({ example: 'blk_01jd3x8zq2e6v9k5m7n0p4r8st' }),
    status: z.enum(BULK_STATUSES),
    total: count('Recipients, without the duplicates.', 1_000),
    processed: count('Those that are done: `successful` and `failed` together.', 971),
    successful: count('Those whose message a channel took.', 968),
    failed: count('Those who got no message: no channel took it, or they were rejected.', 3),
    rejected: count('Of the failed ones, those to whom nothing may be sent.', 1),
    canceled: count('Those whom a canceled job did not reach.', 0),
    duplicates: count('Rows that named a recipient again.', 2),
    progress: z.string().meta({ description: 'Percent of the recipients that are done.', example: '97.10' }),
    ratePerSecond: z
      .number()
      .nullable()
      .meta({ description: 'Recipients done a second since the start, or the last resume.', example: 41.5 }),
    etaSeconds: z.int().nullable().meta({
      description: 'Seconds until it is completed at this rate; null while it does not run.',
      example: 1,
    }),
    reason: z.string().nullable().meta({
      description: 'Why nothing is sent at the moment; null while something is.',
      example: null,
    }),
    createdAt: timestamp,
    completedAt: timestamp.nullable(),
    metadata: z
      .record(z.string(), z.unknown())
      .nullable()
      .meta({ example: { campaign: 'spring' } }),
  })
  .meta({ title: 'Bulk', description: 'A bulk job and how far it is.' });

export const result = z
  .object({
    line: z
      .int()
      .meta({ description: 'The line in the file, or the place in `recipients`, from 0.', example: 2 }),
    phone: z.string().nullable().meta({ example: '+6283834946034' }),
    email: z.string().nullable().meta({ example: null }),
    status: z.string().meta({
      description:
        'The state of the message; `waiting` before there is one, `rejected` or `canceled` where there will be none.',
      example: 'delivered',
    }),
    reason: z.string().nullable(),
    messageId: z.string().nullable().meta({ example: 'msg_01jd3x8zq2e6v9k5m7n0p4r8st' }),
    verificationId: z.string().nullable().meta({ example: 'ver_01jd3x8zq2e6v9k5m7n0p4r8st' }),
  })
  .meta({ title: 'BulkResult', description: 'What became of one recipient.' });

/** What was accepted, or in a dry run would be, as the answer says it. */
export function toAccepted({ bulkId, notes, ...counts }: Accepted) {
  return {
    ...(bulkId !== undefined && { bulkId, status: 'processing' as const }),
    ...counts,
    skipped: notes,
  };
}

/** A job as answers show it. */
export function toAnswer({ id, createdAt, completedAt, ...rest }: Bulk) {
  const { processed, total } = rest;
  return {
    bulkId: id,
    ...rest,
    progress: ((100 * processed) / Math.max(1, total)).toFixed(2),
    createdAt: iso(createdAt),
    completedAt: isoOrNull(completedAt),
  };
}
