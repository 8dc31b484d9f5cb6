import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Database } from '../../database/database.ts';
import { NotFoundError } from '../../errors/errors.ts';
import type { EventRecorder } from '../../events/record.ts';
import {
  deleted,
  iso,
  page,
  pageQuery,
  problems,
  projectId,
  projectQuery,
  timestamp,
} from '../../http/schemas.ts';
import { typed } from '../../http/server.ts';
import type { PhoneReader } from '../../otp/phone-reader.ts';
import { SUPPRESSION_CURSOR, type Suppression } from './suppression.ts';

const optOut = z
  .object({ phone: z.string().meta({ description: 'E.164.', example: '+6283834946034' }), since: timestamp })
  .meta({ title: 'OptOut', description: 'A number that opted out.' });

/** The numbers that opted out, and taking one off the list. */
export function suppressionRoutes(
  server: FastifyInstance,
  deps: { suppression: Suppression; database: Database; events: EventRecorder; readPhone: PhoneReader },
): void {
  const { suppression, database, events, readPhone } = deps;
  const app = typed(server);
  const tags = ['WhatsApp sessions'];

  app.get(
    '/api/v1/bot/opt-outs',
    {
      schema: {
        tags,
        operationId: 'listOptOuts',
        summary: 'List numbers that opted out',
        description: 'They wrote STOP, or a word like it, to a linked number.',
        querystring: z.strictObject({ ...pageQuery(SUPPRESSION_CURSOR), projectId }),
        response: { 200: page(optOut), ...problems() },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const wanted = { limit, cursor };
      const { numbers, next } = await suppression.list(database.reader, request.projectId, wanted);
      const data = numbers.map(({ phone, since }) => ({ phone, since: iso(since) }));
      return { success: true as const, data, page: { next } };
    },
  );

  app.delete(
    '/api/v1/bot/opt-outs/:phone',
    {
      schema: {
        tags,
        operationId: 'removeOptOut',
        summary: 'Remove an opt-out',
        description: 'Only when its owner asks for it. Recorded in the events.',
        params: z.object({
          phone: z.string().meta({ description: 'In any usual way of writing.', example: '+6283834946034' }),
        }),
        querystring: projectQuery,
        response: { 200: deleted, ...problems('PHONE_INVALID', 'PHONE_NOT_ALLOWED', 'RESOURCE_NOT_FOUND') },
      },
    },
    async (request) => {
      const { e164 } = readPhone(request.params.phone);
      const { projectId } = request;
      await database.transaction(async (trx) => {
        if (!(await suppression.remove(trx, projectId, e164))) {
          throw new NotFoundError('This number has not opted out.');
        }
        const data = { from: e164, actor: request.caller.name };
        await events.record(trx, { type: 'number.opted_in', projectId, data });
      });
      return { success: true as const, data: { id: e164 } };
    },
  );
}
