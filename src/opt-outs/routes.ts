import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { identityOf } from '../addresses/phone.ts';
import type { Database } from '../database/database.ts';
import { NotFoundError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import { actorOf } from '../http/caller.ts';
import type { RunOnce } from '../http/idempotency.ts';
import {
  deleted,
  iso,
  page,
  pageQuery,
  problems,
  projectId,
  projectQuery,
  success,
  timestamp,
} from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { Clock } from '../lib/clock.ts';
import type { Settings } from '../settings/settings.ts';
import { SUPPRESSION_CURSOR, type SuppressedNumber, type Suppression } from './suppression.ts';

/** Where the list stands, and where it stood before it held for every channel; `id` ends the names of operations. */
const PLACES = [
  { address: '/api/v1/opt-outs', id: '', status: {}, instead: '' },
  {
    address: '/api/v1/bot/opt-outs',
    id: 'OfBot',
    status: { deprecated: true },
    instead: 'Use `/api/v1/opt-outs`.\n\n',
  },
];

const note = z
  .string()
  .trim()
  .min(1)
  .max(500)
  .meta({ description: 'A note for administrators.', example: 'Asked by e-mail on 3 May.' });
const optOut = z
  .object({
    phone: z.string().meta({ description: 'E.164.', example: '+6283834946034' }),
    since: timestamp,
    note: z.string().nullable(),
  })
  .meta({ title: 'OptOut', description: 'A number that opted out.' });
const phone = z.string().max(100).meta({
  description: 'In any usual notation.',
  example: '+6283834946034',
});

/** The numbers that opted out: list them, add one, remove one. */
export function optOutRoutes(
  server: FastifyInstance,
  deps: {
    suppression: Suppression;
    database: Database;
    events: EventRecorder;
    clock: Clock;
    settings: Settings;
    runOnce: RunOnce;
  },
): void {
  const { suppression, database, events, clock, settings, runOnce } = deps;
  const app = typed(server);
  const tags = ['Opt-outs'];

  for (const { address, id, status, instead } of PLACES) {
    app.get(
      address,
      {
        config: { access: 'admin:opt-outs' },
        schema: {
          tags,
          ...status,
          operationId: `listOptOuts${id}`,
          summary: 'List opted-out numbers',
          description: `${instead}Newest first. These numbers wrote STOP (or a similar word) to a linked number, or were added here.`,
          querystring: z.strictObject({ ...pageQuery(SUPPRESSION_CURSOR), projectId }),
          response: { 200: page(optOut), ...problems() },
        },
      },
      async (request) => {
        const { limit, cursor } = request.query;
        const wanted = { limit, cursor };
        const { numbers, next } = await suppression.list(database.reader, request.projectId, wanted);
        return { success: true as const, data: numbers.map(toAnswer), page: { next } };
      },
    );

    app.post(
      address,
      {
        config: { access: 'admin:opt-outs' },
        schema: {
          tags,
          ...status,
          operationId: `addOptOut${id}`,
          summary: 'Opt a number out',
          description: `${instead}The number gets no more messages: sends to it are refused with \`PHONE_OPTED_OUT\`, and queued messages fail. 200 when it is on the list already; a new note replaces the old one.`,
          body: z.strictObject({ phone, note: note.optional(), projectId }),
          response: {
            200: success(optOut),
            201: success(optOut),
            ...problems(
              'PHONE_INVALID',
              'PHONE_NOT_ALLOWED',
              'IDEMPOTENCY_MISMATCH',
              'IDEMPOTENCY_IN_PROGRESS',
            ),
          },
        },
      },
      async (request, reply) => {
        const { e164 } = settings.of(request.projectId).readAnyPhone(request.body.phone);
        const { projectId: project } = request;
        const { note } = request.body;
        return runOnce(request, reply, async (trx) => {
          const isNew = await suppression.add(trx, project, e164, clock.now());
          if (note !== undefined) await suppression.note(trx, project, e164, note);
          if (isNew) {
            const data = { from: e164 };
            const by = actorOf(request);
            const phone = identityOf(e164);
            await events.record(trx, { type: 'number.opted_out', projectId: project, data, by, phone });
          }
          const entry = (await suppression.get(trx, project, e164))!;
          return { status: isNew ? 201 : 200, body: { success: true as const, data: toAnswer(entry) } };
        });
      },
    );

    app.delete(
      `${address}/:phone`,
      {
        config: { access: 'admin:opt-outs' },
        schema: {
          tags,
          ...status,
          operationId: `removeOptOut${id}`,
          summary: 'Remove an opt-out',
          description: `${instead}Only when its owner asks for it. Recorded in the events.`,
          params: z.object({ phone }),
          querystring: projectQuery,
          response: {
            200: deleted,
            ...problems('PHONE_INVALID', 'PHONE_NOT_ALLOWED', 'RESOURCE_NOT_FOUND'),
          },
        },
      },
      async (request) => {
        const { e164 } = settings.of(request.projectId).readAnyPhone(request.params.phone);
        const { projectId: project } = request;
        await database.transaction(async (trx) => {
          if (!(await suppression.remove(trx, project, e164))) {
            throw new NotFoundError('This number has not opted out.');
          }
          const data = { from: e164 };
          const by = actorOf(request);
          const phone = identityOf(e164);
          await events.record(trx, { type: 'number.opted_in', projectId: project, data, by, phone });
        });
        return { success: true as const, data: { id: e164 } };
      },
    );
  }
}

function toAnswer({ phone, since, note }: SuppressedNumber) {
  return { phone, since: iso(since), note };
}
