import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import type { HealthService } from '../health/service.ts';
import type { RunOnce } from '../http/idempotency.ts';
import { iso, noBody, page, problems, projectQuery, success, timestamp } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import {
  detailed,
  idParams,
  listQuery,
  retried,
  sendBody,
  toAnswer,
  toDetailed,
  verification,
  verificationId,
  verifyBody,
  withTimeline,
} from './schemas.ts';
import type { OtpService } from './service.ts';

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
        operationId: 'sendVerification',
        summary: 'Send a verification code',
        description:
          'Makes a code and sends it. A send while one is pending for the same phone and purpose is a retry: the same code goes out again, under the same id and guess budget, with status 200 and `retried: true`. Of a retry, `message`, `channel` and `metadata` count; how long the code lives and what it is made of stay as they were. Another `code`, or less than a minute of life left, begins a new verification. The wait between two messages to a phone is shared by all purposes.',
        body: sendBody,
        response: {
          200: success(retried),
          201: success(verification),
          ...problems(
            'PHONE_INVALID',
            'PHONE_NOT_ALLOWED',
            'PHONE_OPTED_OUT',
            'PHONE_NOT_ON_WHATSAPP',
            'OTP_ATTEMPTS_EXCEEDED',
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
      const { phone, purpose, code, length, alphabet, message, channel, expiryMinutes, clientIp, metadata } =
        request.body;
      const answer = await runOnce(request, reply, async (trx) => {
        const { verification, retried } = await otp.send(trx, {
          projectId: request.projectId,
          phone,
          purpose,
          code,
          length,
          alphabet,
          message,
          channel,
          expiryMinutes,
          clientIp,
          metadata,
        });
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
        operationId: 'checkVerification',
        summary: 'Check a verification code',
        description:
          'Checks what the person typed, by the id of the send or by phone and purpose. Only a right code is a 200.',
        body: verifyBody,
        response: {
          200: success(
            z
              .object({
                valid: z.literal(true),
                id: verificationId,
                phone: z.string(),
                purpose: z.string(),
                status: z.literal('verified'),
                verifiedAt: timestamp,
              })
              .meta({ title: 'VerifiedPhone', description: 'The code is right: the phone is verified.' }),
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
      const { id, phone, purpose, code, clientIp } = request.body;
      const verified = await otp.verify({ projectId: request.projectId, id, phone, purpose, code, clientIp });
      return {
        success: true as const,
        data: {
          valid: true as const,
          id: verified.id,
          phone: verified.phone,
          purpose: verified.purpose,
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
        operationId: 'resendVerification',
        summary: 'Resend the same code',
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
            'PHONE_OPTED_OUT',
            'OTP_ATTEMPTS_EXCEEDED',
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
        operationId: 'cancelVerification',
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
        operationId: 'getWhatsAppLink',
        summary: 'Check whether WhatsApp is connected (v3)',
        response: {
          200: success(
            z
              .object({
                connected: z.boolean(),
                uptime: z.int().meta({ description: 'Seconds since the start.' }),
                mode: z.literal('mock').optional(),
              })
              .meta({ title: 'WhatsAppLink', description: 'Whether a WhatsApp number is connected.' }),
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
      schema: {
        tags,
        operationId: 'listVerifications',
        summary: 'List verifications, newest first',
        description:
          'A page may hold fewer than `limit`, even none, and have a `page.next` all the same, where filters together find hardly anything.',
        querystring: listQuery,
        response: { 200: page(detailed), ...problems('PHONE_INVALID', 'PHONE_NOT_ALLOWED') },
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
