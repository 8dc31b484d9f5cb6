import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Database } from '../database/database.ts';
import { actorOf } from '../http/caller.ts';
import { isoOrNull, problems, projectQuery, success, timestamp } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { OtpService } from './service.ts';

const params = z.object({
  phone: z.string().meta({ description: 'In any usual notation.', example: '+6283834946034' }),
});

/** What limits say of a phone, and lifting them. */
export function limitRoutes(
  server: FastifyInstance,
  deps: {
    otp: OtpService;
    database: Database;
    /** What locked this phone (E.164) has been lifted: what else is known against it is forgotten, too. */
    onLifted: (phone: string) => Promise<void>;
  },
): void {
  const { otp, database, onLifted } = deps;
  const app = typed(server);
  const tags = ['Limits'];

  app.get(
    '/api/v1/limits/:phone',
    {
      config: { access: 'admin:limits' },
      schema: {
        tags,
        operationId: 'getPhoneLimits',
        summary: 'Get the limits of a phone',
        params,
        querystring: projectQuery,
        response: {
          200: success(
            z
              .object({
                phone: z.string(),
                messagesLast10Minutes: z.int(),
                messagesLastDay: z.int(),
                failedChecksLastDay: z.int(),
                guessesRemaining: z.int().meta({
                  description: 'From a client address that has verified this phone in the last 30 days.',
                }),
                guessesRemainingUnknownClient: z.int().meta({
                  description: 'From every other client address, and from requests without `clientIp`.',
                }),
                nextSendAt: timestamp.nullable().meta({ description: 'Null when a send is allowed now.' }),
              })
              .meta({ title: 'PhoneLimits', description: 'What counts towards the limits of the phone.' }),
          ),
          ...problems('PHONE_INVALID', 'PHONE_NOT_ALLOWED'),
        },
      },
    },
    async (request) => {
      const state = await otp.limits.show(request.projectId, request.params.phone);
      return { success: true as const, data: { ...state, nextSendAt: isoOrNull(state.nextSendAt) } };
    },
  );

  app.delete(
    '/api/v1/limits/:phone',
    {
      config: { access: 'admin:limits' },
      schema: {
        tags,
        operationId: 'clearPhoneLimits',
        summary: 'Clear the limits of a phone',
        description:
          'Messages and wrong codes until now no longer count, and the number is checked on WhatsApp again. Recorded in the events.',
        params,
        querystring: projectQuery,
        response: {
          200: success(
            z
              .object({ id: z.string().meta({ description: 'The phone, E.164.' }) })
              .meta({ title: 'ClearedLimits', description: 'The phone whose limits were cleared.' }),
          ),
          ...problems('PHONE_INVALID', 'PHONE_NOT_ALLOWED'),
        },
      },
    },
    async (request) => {
      const id = await database.transaction((trx) =>
        otp.limits.lift(trx, request.projectId, request.params.phone, actorOf(request)),
      );
      await onLifted(id);
      return { success: true as const, data: { id } };
    },
  );
}
