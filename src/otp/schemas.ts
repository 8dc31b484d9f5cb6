import { isIP } from 'node:net';
import { z } from 'zod';
import { iso, isoOrNull, pageQuery, projectId, queryTime, timestamp } from '../http/schemas.ts';
import { CHANNEL_NAMES } from '../messages/channel.ts';
import { MESSAGE_STATUSES } from '../messages/types.ts';
import { locale, templateCode, variables } from '../templates/schemas.ts';
import {
  ALPHABETS,
  DEFAULT_PURPOSE,
  VERIFICATION_STATUSES,
  type Verification,
  type VerificationWithMetadata,
} from './types.ts';

const METADATA_MAX_BYTES = 4096;
const METADATA_MAX_DEPTH = 8;
const LIFE_ALLOWED = 'a whole number of minutes, 1 or more';

const phone = z.string().meta({
  description:
    'In any usual notation. Digits without + are a number of `DEFAULT_REGION` where they can be one, else 11 to 15 digits with the country code.',
  example: '+62 838 3494 6034',
});
const purpose = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,40}$/, '1 to 40 letters, digits, hyphens, underscores or dots')
  .meta({ description: 'What the code is for; each purpose has its own verification.', example: 'login' });
const clientIp = z
  .string()
  .refine((address) => isIP(address) !== 0, 'an IPv4 or IPv6 address')
  .meta({
    description:
      "The end user's address, for the limits of sends and of guesses that count by it. Give it in send and verify.",
    example: '203.0.113.7',
  });
export const verificationId = z
  .string()
  .max(64)
  .meta({ description: 'The id of a send.', example: 'ver_01jd3x8zq2e6v9k5m7n0p4r8st' });
const messageId = z.string().meta({ example: 'msg_01jd3x8zq2e6v9k5m7n0p4r8st' });
export const idParams = z.object({ id: verificationId });

const email = z.string().min(1).max(1_000).meta({
  description:
    'One plain address. Without `phone` it is what is proved, else one more way to reach the recipient.',
  example: 'ayu@example.com',
});
const channelWanted = z
  .enum(['auto', ...CHANNEL_NAMES], { error: () => `one of auto, ${CHANNEL_NAMES.join(', ')}` })
  .default('auto')
  .meta({ description: 'One channel only; `auto` takes the usual route.' });
const channelsWanted = z
  .array(z.enum(CHANNEL_NAMES, { error: () => `one of ${CHANNEL_NAMES.join(', ')}` }))
  .min(1)
  .max(CHANNEL_NAMES.length)
  .meta({
    description: 'The route of this send: the channels in order, in place of `CHANNELS`.',
    example: ['whatsapp', 'email'],
  });

export const sendBody = z
  .strictObject({
    phone: phone.optional(),
    email: email.optional(),
    purpose: purpose.default(DEFAULT_PURPOSE),
    code: z
      .string()
      .regex(/^[A-Za-z0-9]{4,10}$/, '4 to 10 ASCII letters or digits')
      .optional()
      .meta({ description: 'Your own code; WOTP creates one when absent.', example: '482913' }),
    length: z
      .int()
      .min(6)
      .max(10)
      .optional()
      .meta({ description: 'Length of the code that WOTP creates.', example: 6 }),
    alphabet: z
      .enum(ALPHABETS)
      .optional()
      .meta({ description: 'What the code is made of (default `numeric`).' }),
    message: z.string().min(1).max(4096).optional().meta({
      description:
        'Your own text, with `{{code}}` or the given `code` in it. With neither, its only run of 4 to 8 digits is the code; several different ones are refused, and so is any other placeholder, such as `{{name}}` or, without `{{code}}`, `{code}`.',
      example: '{{code}} is your Example code.',
    }),
    template: templateCode.optional().meta({
      description:
        'The code of a template to send, in place of `message`; `default` is the built-in text. Each of its texts needs `{{code}}`.',
      example: 'welcome_otp',
    }),
    variables: variables.optional(),
    locale: locale.optional().meta({
      description:
        "The language of the text, BCP 47. Without it, or without such a text, the country of the phone decides, then the template's default.",
      example: 'id',
    }),
    channel: channelWanted,
    channels: channelsWanted.optional(),
    // How many minutes are allowed is the server's setting: `expiryOf` names it.
    expiryMinutes: z.int(LIFE_ALLOWED).min(1, LIFE_ALLOWED).optional().meta({
      maximum: 60,
      description: 'Minutes the code lives; 11 to 60 only where OTP_MAX_EXPIRY_MINUTES allows it.',
      example: 5,
    }),
    clientIp: clientIp.optional(),
    metadata: z
      .record(z.string(), z.unknown())
      .refine(isSmall, `at most ${METADATA_MAX_BYTES} bytes of JSON, ${METADATA_MAX_DEPTH} levels deep`)
      .optional()
      .meta({
        description:
          'Any JSON of yours, up to 4 KB; returned by GET. That of a retry is kept with its message and shown in the timeline; the first one stays with the verification.',
        example: { userId: 'u_42' },
      }),
    projectId,
  })
  .meta({ title: 'SendVerificationRequest', example: { phone: '+62 838 3494 6034' } });

const code = z.string().meta({
  description:
    'What the user typed or pasted: 4 to 10 letters or digits of any script; white space, dashes and invisible characters are ignored.',
  example: '482 913',
});
export const verifyBody = z
  .strictObject({
    id: verificationId.optional().meta({ description: 'The id of the send. Give either this or `phone`.' }),
    phone: phone
      .optional()
      .meta({ description: 'The phone of the send, with its `purpose`. Give this, `email` or `id`.' }),
    email: email.optional().meta({
      description: 'The address of a send without a phone, with its `purpose`.',
      example: 'ayu@example.com',
    }),
    purpose: purpose
      .optional()
      .meta({ description: 'The purpose of the send, beside `phone`; `default` when absent.' }),
    code,
    clientIp: clientIp.optional(),
    projectId,
  })
  .refine((body) => [body.id, body.phone, body.email].filter((given) => given !== undefined).length === 1, {
    path: ['id'],
    message: 'Give either `id`, `phone` or `email`.',
  })
  .meta({ title: 'CheckVerificationRequest', example: { phone: '+62 838 3494 6034', code: '482 913' } });

export const isTest = z
  .literal(true)
  .optional()
  .meta({ description: 'Present where the address was a test number: nothing is sent.' });

const verificationFields = {
  id: verificationId,
  messageId: messageId.meta({ description: 'The newest message of this verification.' }),
  phone: z
    .string()
    .optional()
    .meta({ description: 'E.164; absent where an e-mail address is proved.', example: '+6283834946034' }),
  email: z.string().optional().meta({ example: 'ayu@example.com' }),
  purpose: z.string(),
  channel: z.enum(CHANNEL_NAMES),
  plays: z.enum(CHANNEL_NAMES).optional().meta({
    description: 'In mock mode the channel that the virtual phone stands in for.',
    example: 'whatsapp',
  }),
  route: z
    .array(z.enum(CHANNEL_NAMES))
    .meta({ description: 'The channels in order.', example: ['whatsapp', 'email'] }),
  nextAt: timestamp
    .nullable()
    .meta({ description: 'When the next channel is used if nothing arrives; null when none is.' }),
  status: z.enum(VERIFICATION_STATUSES),
  messageStatus: z.enum(MESSAGE_STATUSES),
  expiresAt: timestamp,
  resendAt: timestamp.meta({ description: 'When the next message to this phone is allowed.' }),
  attemptsRemaining: z.int().min(0).meta({ description: 'Attempts left.', example: 5 }),
  test: isTest,
};
export const verification = z
  .object(verificationFields)
  .meta({ title: 'Verification', description: 'A verification in its current state.' });
export const retried = z.object({ ...verificationFields, retried: z.literal(true) }).meta({
  title: 'RetriedVerification',
  description: 'The pending verification, whose code was sent again.',
});
const detailedFields = {
  ...verificationFields,
  createdAt: timestamp,
  verifiedAt: timestamp.nullable(),
  reason: z.string().nullable(),
  metadata: z
    .record(z.string(), z.unknown())
    .nullable()
    .meta({ example: { userId: 'u_42' } }),
};
export const detailed = z
  .object(detailedFields)
  .meta({ title: 'VerificationDetails', description: 'A verification with its times, reason and metadata.' });
const timelineEntry = z
  .object({
    at: timestamp,
    messageId,
    channel: z.enum(CHANNEL_NAMES),
    plays: z
      .enum(CHANNEL_NAMES)
      .optional()
      .meta({ description: 'In mock mode: the channel that the virtual phone stood in for.' }),
    status: z.enum(MESSAGE_STATUSES),
    reason: z.string().nullable(),
    metadata: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({ description: 'The metadata of a retry, at the first entry of its message.' }),
    template: z
      .object({ code: z.string(), version: z.int() })
      .optional()
      .meta({
        description: 'The template that a message is made from, at its first entry.',
        example: { code: 'welcome_otp', version: 3 },
      }),
  })
  .meta({ title: 'TimelineEntry', description: 'What happened to a message.' });
export const withTimeline = z.object({ ...detailedFields, timeline: z.array(timelineEntry) }).meta({
  title: 'VerificationWithTimeline',
  description: 'A verification and what happened to each of its messages.',
});

export const listQuery = z.strictObject({
  ...pageQuery('ver'),
  phone: phone.optional(),
  email: email.optional(),
  purpose: purpose.optional(),
  status: z.enum(VERIFICATION_STATUSES).optional(),
  from: queryTime.optional().meta({ description: 'Created at or after; RFC 3339, with any offset.' }),
  to: queryTime.optional().meta({ description: 'Created before; RFC 3339, with any offset.' }),
  projectId,
});

/** A verification as answers show it. */
export function toAnswer(verification: Verification) {
  return {
    id: verification.id,
    messageId: verification.messageId,
    phone: verification.phone ?? undefined,
    email: verification.email ?? undefined,
    purpose: verification.purpose,
    channel: verification.channel,
    plays: verification.plays ?? undefined,
    route: verification.route,
    nextAt: isoOrNull(verification.nextAt),
    status: verification.status,
    messageStatus: verification.messageStatus,
    expiresAt: iso(verification.expiresAt),
    resendAt: iso(verification.resendAt),
    attemptsRemaining: verification.attemptsRemaining,
    test: verification.isTest || undefined,
  };
}

/** A verification with everything that is known of it. */
export function toDetailed(verification: VerificationWithMetadata) {
  return {
    ...toAnswer(verification),
    createdAt: iso(verification.createdAt),
    verifiedAt: isoOrNull(verification.verifiedAt),
    reason: verification.reason,
    metadata: verification.metadata,
  };
}

function isSmall(metadata: Record<string, unknown>): boolean {
  return (
    depthOf(metadata, METADATA_MAX_DEPTH) && Buffer.byteLength(JSON.stringify(metadata)) <= METADATA_MAX_BYTES
  );
}

function depthOf(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((member) => depthOf(member, levels - 1));
}
