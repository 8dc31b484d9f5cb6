import { isIP } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { CHANNEL_NAMES } from '../channels/channel.ts';
import type { Database } from '../database/database.ts';
import type { HealthService } from '../health/service.ts';
import type { RunOnce } from '../http/idempotency.ts';
import {
  iso,
  isoOrNull,
  noBody,
  page,
  pageQuery,
  problems,
  projectId,
  projectQuery,
  success,
  timestamp,
} from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import { MESSAGE_STATUSES } from '../messages/types.ts';
import type { OtpService } from './service.ts';
import { ALPHABETS, VERIFICATION_STATUSES, type Verification } from './types.ts';

const METADATA_MAX_BYTES = 4096;
const METADATA_MAX_DEPTH = 8;

const phone = z.string().meta({
  description: 'In any usual way of writing; without + also 11 to 15 digits with the country code.',
  example: '+62 838 3494 6034',
});
const purpose = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,40}$/, '1 to 40 letters, digits, hyphens, underscores or dots')
  .meta({ description: 'What the code is for; each purpose has its own verification.', example: 'login' });
const clientIp = z
  .string()
  .refine((address) => isIP(address) !== 0, 'an IPv4 or IPv6 address')
  .meta({ description: "The end user's address; its guesses are limited apart.", example: '203.0.113.7' });
const verificationId = z
  .string()
  .max(64)
  .meta({ description: 'The id of a send.', example: 'ver_01jd3x8zq2e6v9k5m7n0p4r8st' });
const idParams = z.object({ id: verificationId });

const sendBody = z.strictObject({
  phone,
  purpose: purpose.default('default'),
  code: z
    .string()
    .regex(/^[A-Za-z0-9]{4,10}$/, '4 to 10 ASCII letters or digits')
    .optional()
    .meta({ description: 'Your own code; WOTP makes one when absent.', example: '482913' }),
  length: z
    .int()
    .min(6)
    .max(10)
    .optional()
    .meta({ description: 'Length of the code WOTP makes.', example: 6 }),
  alphabet: z
    .enum(ALPHABETS)
    .optional()
    .meta({ description: 'What the code is made of (default `numeric`).' }),
  message: z.string().min(1).max(4096).optional().meta({
    description:
      'Your own text, with `{{code}}` or the code itself in it; with neither, its first run of 4 to 8 digits is the code.',
    example: '{{code}} is your Example code.',
  }),
  channel: z.enum(['auto', ...CHANNEL_NAMES]).default('auto'),
  expiryMinutes: z.int().min(1).max(60).optional().meta({
    description: 'Minutes the code lives; 11 to 60 only where OTP_MAX_EXPIRY_MINUTES allows it.',
    example: 5,
  }),
  clientIp: clientIp.optional(),
  metadata: z
    .record(z.string(), z.unknown())
    .refine(isSmall, `at most ${METADATA_MAX_BYTES} bytes of JSON, ${METADATA_MAX_DEPTH} levels deep`)
    .optional()
    .meta({ description: 'Anything of yours, up to 4 KB; returned by GET.', example: { userId: 'u_42' } }),
  projectId,
});

const code = z.string().min(1).max(64).meta({
  description: 'What the person typed; spaces and hyphens are ignored.',
  example: '482 913',
});
const verifyBody = z
  .strictObject({
    id: verificationId.optional(),
    phone: phone.optional(),
    purpose: purpose.optional(),
    code,
    clientIp: clientIp.optional(),
    projectId,
  })
  .refine((body) => (body.id === undefined) !== (body.phone === undefined), {
    path: ['id'],
    message: 'Give either id or phone.',
  });

const verification = z.object({
  id: verificationId,
  messageId: z.string().meta({ description: 'The newest message of this verification.' }),
  phone: z.string().meta({ description: 'E.164.', example: '+6283834946034' }),
  purpose: z.string(),
  channel: z.enum(CHANNEL_NAMES),
  status: z.enum(VERIFICATION_STATUSES),
  messageStatus: z.enum(MESSAGE_STATUSES),
  expiresAt: timestamp,
  resendAt: timestamp.meta({ description: 'When the next message to this phone is allowed.' }),
  attemptsRemaining: z.int(),
});
const detailed = verification.extend({
  createdAt: timestamp,
  verifiedAt: timestamp.nullable(),
  reason: z.string().nullable(),
  metadata: z.record(z.string(), z.unknown()).nullable(),
});
const timelineEntry = z.object({
  at: timestamp,
  messageId: z.string(),
  channel: z.enum(CHANNEL_NAMES),
  status: z.enum(MESSAGE_STATUSES),
  reason: z.string().nullable(),
});

const listQuery = z.strictObject({
  ...pageQuery('ver'),
  phone: phone.optional(),
  purpose: purpose.optional(),
  status: z.enum(VERIFICATION_STATUSES).optional(),
  from: timestamp.optional().meta({ description: 'Created at or after.' }),
  to: timestamp.optional().meta({ description: 'Created before.' }),
  projectId,
});

function toAnswer(verification: Verification) {
  return {
    id: verification.id,
    messageId: verification.messageId,
    phone: verification.phone,
    purpose: verification.purpose,
    channel: verification.channel,
    status: verification.status,
    messageStatus: verification.messageStatus,
    expiresAt: iso(verification.expiresAt),
    resendAt: iso(verification.resendAt),
    attemptsRemaining: verification.attemptsRemaining,
  };
}

function toDetailed(verification: Verification) {
  return {
    ...toAnswer(verification),
    createdAt: iso(verification.createdAt),
    verifiedAt: isoOrNull(verification.verifiedAt),
    reason: verification.reason,
    metadata: verification.metadata,
  };
}

/** Sending, checking and following verifications. */
export function otpRoutes(
  server: FastifyInstance,
  deps: {
    otp: OtpService;
    database: Database;
    health: HealthService;
    runOnce: RunOnce;
    wakeDispatcher: () => void;
  },
): void {
  const { otp, database, health, runOnce, wakeDispatcher } = deps;
  const app = typed(server);
  const tags = ['Verifications'];

  app.post(
    '/api/v1/otp/send',
    {
      schema: {
        tags,
        summary: 'Send a code',
        description:
          'Makes a code and sends it. A send while one is pending for the same phone and purpose is a retry: the same code goes out again, under the same id and guess budget, with status 200 and `retried: true`.',
        body: sendBody,
        response: {
          200: success(verification.extend({ retried: z.literal(true) })).describe(
            'A retry: the same code again.',
          ),
          201: success(verification).describe('A new verification.'),
          ...problems(
            'PHONE_INVALID',
            'PHONE_NOT_ALLOWED',
            'PHONE_NOT_ON_WHATSAPP',
            'OTP_ATTEMPTS_EXCEEDED',
            'WHATSAPP_OFFLINE',
            'CHANNEL_UNAVAILABLE',
            'QUEUE_FULL',
            'IDEMPOTENCY_MISMATCH',
            'IDEMPOTENCY_IN_PROGRESS',
            'PAYLOAD_TOO_LARGE',
            'UNSUPPORTED_MEDIA_TYPE',
          ),
        },
      },
    },
    async (request, reply) => {
      const { projectId: _named, ...wanted } = request.body;
      const answer = await runOnce(request, reply, async (trx) => {
        const { verification, retried } = await otp.send(trx, { ...wanted, projectId: request.projectId });
        const data = toAnswer(verification);
        return retried
          ? { status: 200, body: { success: true as const, data: { ...data, retried: true as const } } }
          : { status: 201, body: { success: true as const, data } };
      });
      wakeDispatcher();
      return answer;
    },
  );

  app.post(
    '/api/v1/otp/verify',
    {
      schema: {
        tags,
        summary: 'Check a code',
        description:
          'Checks what the person typed, by the id of the send or by phone and purpose. Only a right code is a 200.',
        body: verifyBody,
        response: {
          200: success(
            z.object({
              valid: z.literal(true),
              id: verificationId,
              phone: z.string(),
              purpose: z.string(),
              status: z.literal('verified'),
              verifiedAt: timestamp,
            }),
          ),
          ...problems(
            'OTP_INCORRECT',
            'OTP_EXPIRED',
            'OTP_NOT_FOUND',
            'OTP_ATTEMPTS_EXCEEDED',
            'PHONE_INVALID',
            'PHONE_NOT_ALLOWED',
            'QUEUE_FULL',
          ),
        },
      },
    },
    async (request) => {
      const { projectId: _named, ...given } = request.body;
      const verified = await otp.verify({ ...given, projectId: request.projectId });
      return {
        success: true as const,
        data: {
          valid: true as const,
          ...verified,
          status: 'verified' as const,
          verifiedAt: iso(verified.verifiedAt),
        },
      };
    },
  );

  app.post(
    '/api/v1/otp/:id/resend',
    {
      schema: {
        tags,
        summary: 'Send the same code again',
        description:
          'After 30, 60, then 120 seconds; at most 5 messages a verification. No new guesses come with it.',
        params: idParams,
        body: noBody,
        querystring: projectQuery,
        response: {
          200: success(verification),
          ...problems(
            'OTP_NOT_FOUND',
            'OTP_EXPIRED',
            'OTP_ATTEMPTS_EXCEEDED',
            'IDEMPOTENCY_MISMATCH',
            'IDEMPOTENCY_IN_PROGRESS',
          ),
        },
      },
    },
    async (request, reply) => {
      const answer = await runOnce(request, reply, async (trx) => {
        const verification = await otp.resend(trx, request.projectId, request.params.id);
        return { status: 200, body: { success: true as const, data: toAnswer(verification) } };
      });
      wakeDispatcher();
      return answer;
    },
  );

  app.post(
    '/api/v1/otp/:id/cancel',
    {
      schema: {
        tags,
        summary: 'Cancel a verification',
        description: 'Its code is worth nothing from now on. Canceling twice is the same as once.',
        params: idParams,
        body: noBody,
        querystring: projectQuery,
        response: { 200: success(verification), ...problems('OTP_NOT_FOUND', 'OTP_EXPIRED') },
      },
    },
    async (request) => {
      const verification = await database.transaction((trx) =>
        otp.cancel(trx, request.projectId, request.params.id),
      );
      return { success: true as const, data: toAnswer(verification) };
    },
  );

  app.get(
    '/api/v1/otp/status',
    {
      schema: {
        tags,
        summary: 'The WhatsApp link (v3)',
        response: {
          200: success(
            z.object({
              connected: z.boolean(),
              uptime: z.int().meta({ description: 'Seconds since the start.' }),
              mode: z.literal('mock').optional(),
            }),
          ),
          ...problems(),
        },
      },
    },
    async () => ({ success: true as const, data: health.link() }),
  );

  app.get(
    '/api/v1/otp/:id',
    {
      schema: {
        tags,
        summary: 'One verification with its timeline',
        params: idParams,
        querystring: projectQuery,
        response: {
          200: success(detailed.extend({ timeline: z.array(timelineEntry) })),
          ...problems('RESOURCE_NOT_FOUND'),
        },
      },
    },
    async (request) => {
      const { verification, timeline } = await otp.get(request.projectId, request.params.id);
      return {
        success: true as const,
        data: {
          ...toDetailed(verification),
          timeline: timeline.map((entry) => ({ ...entry, at: iso(entry.at) })),
        },
      };
    },
  );

  app.get(
    '/api/v1/otp',
    {
      schema: {
        tags,
        summary: 'Verifications, newest first',
        description:
          'A page may hold fewer than `limit`, even none, and have a `page.next` all the same, where filters together find hardly anything.',
        querystring: listQuery,
        response: { 200: page(detailed), ...problems('PHONE_INVALID') },
      },
    },
    async (request) => {
      const { limit, cursor, from, to, phone, purpose, status } = request.query;
      const { verifications, next } = await otp.list(
        request.projectId,
        {
          phone,
          purpose,
          status,
          from: from === undefined ? undefined : Date.parse(from),
          to: to === undefined ? undefined : Date.parse(to),
        },
        { limit, cursor },
      );
      return { success: true as const, data: verifications.map(toDetailed), page: { next } };
    },
  );
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
