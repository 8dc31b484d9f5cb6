import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import type { RunOnce } from '../http/idempotency.ts';
import { iso, noBody, page, problems, projectQuery, success, timestamp } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import { CHANNEL_NAMES } from '../messages/channel.ts';
import {
  detailed,
  idParams,
  listQuery,
  retried,
  sendBody,
  isTest as testFlag,
  toAnswer,
  toDetailed,
  verification,
  verificationId,
  verifyBody,
  withTimeline,
} from './schemas.ts';
import type { OtpService } from './service.ts';

/** What a body asks for, in the project it is for; a hidden class for each `{ ...body, projectId }` would cost 6 µs. */
function inProject<Body extends object>(body: Body, projectId: number) {
  return Object.assign({} as Omit<Body, 'projectId'>, body, { projectId });
}

/** Sending, checking and following verifications. */
export function otpRoutes(
  server: FastifyInstance,
  deps: {
    otp: OtpService;
    database: Database;
    runOnce: RunOnce;
  },
): void {
  const { otp, database, runOnce } = deps;
  const app = typed(server);
  const tags = ['Verifications'];

  app.post(
    '/api/v1/otp/send',
    {
      config: { access: 'otp:send' },
      schema: {
        tags,
        operationId: 'sendVerification',
        summary: 'Send a verification code',
        description:
          'Creates a code and sends it. A send while one is pending for the same phone and purpose is a retry: the same code goes out again, under the same id and guess budget, with status 200 and `retried: true`. Of a retry, `message`, `template`, `locale`, `channel` and `metadata` count; how long the code lives and what it is made of stay as they were. Another `code`, or less than a minute of life left, begins a new verification. The wait between two messages to a phone is shared by all purposes.',
        body: sendBody,
        response: {
          200: success(retried),
          201: success(verification),
          ...problems(
            'PHONE_INVALID',
            'PHONE_NOT_ALLOWED',
            'EMAIL_INVALID',
            'PHONE_OPTED_OUT',
            'PHONE_NOT_ON_WHATSAPP',
            'TEMPLATE_NOT_FOUND',
            'OTP_ATTEMPTS_EXCEEDED',
            'QUOTA_EXCEEDED',
            'WHATSAPP_OFFLINE',
            'CHANNEL_UNAVAILABLE',
            'QUEUE_FULL',
            'IDEMPOTENCY_MISMATCH',
            'IDEMPOTENCY_IN_PROGRESS',
          ),
        },
      },
    },
    async (request, reply) => {
      return runOnce(request, reply, async (trx) => {
        const { verification, retried } = await otp.send(trx, inProject(request.body, request.projectId));
        const data = toAnswer(verification);
        return retried
          ? { status: 200, body: { success: true as const, data: { ...data, retried: true as const } } }
          : { status: 201, body: { success: true as const, data } };
      });
    },
  );

  app.post(
    '/api/v1/otp/verify',
    {
      config: { access: 'otp:verify' },
      schema: {
        tags,
        operationId: 'checkVerification',
        summary: 'Check a verification code',
        description:
          'Checks what the user typed, by the id of the send, or by phone or e-mail address and purpose. Only a right code is a 200.',
        body: verifyBody,
        response: {
          200: success(
            z
              .object({
                valid: z.literal(true),
                id: verificationId,
                phone: z.string().optional(),
                email: z.string().optional(),
                purpose: z.string(),
                status: z.literal('verified'),
                verifiedAt: timestamp,
                channels: z
                  .array(z.enum(CHANNEL_NAMES))
                  .meta({ description: 'Those by which the code was sent.', example: ['whatsapp'] }),
                test: testFlag,
              })
              .meta({
                title: 'VerifiedAddress',
                description:
                  'The code is right: the phone, or the e-mail address where there is none, is verified. With `email` among the `channels` a phone is proved only as far as your request vouched that both belong to one person.',
              }),
          ),
          ...problems(
            'OTP_INCORRECT',
            'OTP_EXPIRED',
            'OTP_NOT_FOUND',
            'OTP_ATTEMPTS_EXCEEDED',
            'PHONE_INVALID',
            'PHONE_NOT_ALLOWED',
            'EMAIL_INVALID',
            'QUEUE_FULL',
          ),
        },
      },
    },
    async (request) => {
      const verified = await otp.verify(inProject(request.body, request.projectId));
      const { id, phone, email, purpose, channels, isTest } = verified;
      return {
        success: true as const,
        data: {
          valid: true as const,
          id,
          phone: phone ?? undefined,
          email: email ?? undefined,
          purpose,
          status: 'verified' as const,
          verifiedAt: iso(verified.verifiedAt),
          channels,
          test: isTest || undefined,
        },
      };
    },
  );

  app.post(
    '/api/v1/otp/:id/resend',
    {
      config: { access: 'otp:send' },
      schema: {
        tags,
        operationId: 'resendVerification',
        summary: 'Resend the same code',
        description:
          'After 30, 60, then 120 seconds; at most 5 messages a verification. It adds no new guesses.',
        params: idParams,
        body: noBody,
        querystring: projectQuery,
        response: {
          200: success(verification),
          ...problems(
            'OTP_NOT_FOUND',
            'OTP_EXPIRED',
            'PHONE_OPTED_OUT',
            'OTP_ATTEMPTS_EXCEEDED',
            'QUOTA_EXCEEDED',
            'WHATSAPP_OFFLINE',
            'CHANNEL_UNAVAILABLE',
            'QUEUE_FULL',
            'IDEMPOTENCY_MISMATCH',
            'IDEMPOTENCY_IN_PROGRESS',
          ),
        },
      },
    },
    async (request, reply) => {
      return runOnce(request, reply, async (trx) => {
        const verification = await otp.resend(trx, request.projectId, request.params.id);
        return { status: 200, body: { success: true as const, data: toAnswer(verification) } };
      });
    },
  );

  app.post(
    '/api/v1/otp/:id/next',
    {
      config: { access: 'otp:send' },
      schema: {
        tags,
        operationId: 'useNextChannel',
        summary: 'Use the next channel now',
        description:
          'Sends the same code by the next channel of the route, without waiting for a receipt or for `resendAt`. 409 when no channel is left.',
        params: idParams,
        body: noBody,
        querystring: projectQuery,
        response: {
          200: success(verification),
          ...problems(
            'OTP_NOT_FOUND',
            'OTP_EXPIRED',
            'OTP_ATTEMPTS_EXCEEDED',
            'QUOTA_EXCEEDED',
            'CONFLICT',
            'QUEUE_FULL',
            'IDEMPOTENCY_MISMATCH',
            'IDEMPOTENCY_IN_PROGRESS',
          ),
        },
      },
    },
    (request, reply) =>
      runOnce(request, reply, async (trx) => {
        const verification = await otp.next(trx, request.projectId, request.params.id);
        return { status: 200, body: { success: true as const, data: toAnswer(verification) } };
      }),
  );

  app.post(
    '/api/v1/otp/:id/cancel',
    {
      config: { access: 'otp:send' },
      schema: {
        tags,
        operationId: 'cancelVerification',
        summary: 'Cancel a verification',
        description: 'Its code no longer verifies. Canceling twice is the same as once.',
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
    '/api/v1/otp/:id',
    {
      config: { access: 'otp:read' },
      schema: {
        tags,
        operationId: 'getVerification',
        summary: 'Get a verification with its timeline',
        params: idParams,
        querystring: projectQuery,
        response: {
          200: success(withTimeline),
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
      config: { access: 'otp:read' },
      schema: {
        tags,
        operationId: 'listVerifications',
        summary: 'List verifications, newest first',
        description:
          'A page may hold fewer than `limit`, even none, and have a `page.next` all the same, where few rows match all filters.',
        querystring: listQuery,
        response: { 200: page(detailed), ...problems('PHONE_INVALID', 'PHONE_NOT_ALLOWED') },
      },
    },
    async (request) => {
      const { limit, cursor, from, to, phone, email, purpose, status } = request.query;
      const { verifications, next } = await otp.list(
        request.projectId,
        {
          phone,
          email,
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
