import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Database } from '../../database/database.ts';
import {
  iso,
  offering,
  page,
  pageQuery,
  problems,
  projectId,
  success,
  timestamp,
} from '../../http/schemas.ts';
import { typed } from '../../http/server.ts';
import type { MessageService } from '../../messages/service.ts';
import { MESSAGE_STATUSES } from '../../messages/types.ts';
import type { PhoneReader } from '../../otp/phone-reader.ts';
import { CHANNEL_NAMES, OFFERED_CHANNELS } from '../channel.ts';
import type { SimulatorFaults } from './faults.ts';
import { arrivedRepository } from './repository.ts';

const message = z
  .object({
    id: z.string().meta({ description: 'The id of the stored message.' }),
    to: z.string().meta({ description: 'E.164.' }),
    text: z
      .string()
      .meta({ description: 'What the phone shows; bullets in place of the code once it is over.' }),
    channel: offering(CHANNEL_NAMES, OFFERED_CHANNELS),
    at: timestamp,
    status: z.enum(MESSAGE_STATUSES),
  })
  .meta({ title: 'SimulatorMessage', description: 'A message on a virtual phone.' });

const faultBody = z
  .strictObject({
    to: z.string().optional().meta({ description: 'The number it holds for; all numbers when absent.' }),
    channel: z.enum(['whatsapp', 'simulator']).optional(),
    refuse: z.boolean().optional().meta({ description: 'The channel is down: messages wait.' }),
    drop: z.boolean().optional().meta({ description: 'Taken, but never shown on the phone.' }),
    notOnWhatsApp: z.boolean().optional().meta({ description: 'The message fails for good.' }),
    delayMs: z.int().min(0).max(60_000).optional().meta({ description: 'Time until it is taken, in ms.' }),
  })
  .meta({ title: 'SetSimulatorFaultsRequest', example: { channel: 'whatsapp', drop: true } });

/** The virtual phone. These routes exist in mock mode only. */
export function simulatorRoutes(
  server: FastifyInstance,
  deps: { database: Database; messages: MessageService; faults: SimulatorFaults; readPhone: PhoneReader },
): void {
  const { database, messages, faults, readPhone } = deps;
  const arrived = arrivedRepository(database);
  const app = typed(server);
  const tags = ['Simulator'];

  app.get(
    '/api/v1/simulator/messages',
    {
      schema: {
        tags,
        operationId: 'listSimulatorMessages',
        summary: 'List messages on the virtual phones',
        description:
          'Newest first. A key sees those of its own project, so that your tests can read the codes they have asked for. Mock mode only.',
        querystring: z.strictObject({
          ...pageQuery('msg'),
          to: z.string().optional().meta({ description: 'One number only.', example: '+6283834946034' }),
          projectId,
        }),
        response: { 200: page(message), ...problems('PHONE_INVALID', 'PHONE_NOT_ALLOWED') },
      },
    },
    async (request) => {
      const { limit, cursor, to } = request.query;
      const phone = to === undefined ? undefined : readPhone(to, 'to').e164;
      const filter = { projectId: request.projectId, phone, before: cursor, limit: limit + 1 };
      const rows = await arrived.list(database.reader, filter);
      const shown = rows.slice(0, limit);
      const views = await messages.views(
        database.reader,
        shown.map((row) => row.message_id),
      );
      const data = shown.flatMap((row) => {
        const view = views.get(row.message_id);
        if (!view) return [];
        const { text, channel, status } = view;
        return [{ id: row.message_id, to: row.phone, text, channel, at: iso(row.at), status }];
      });
      return {
        success: true as const,
        data,
        page: { next: rows.length > limit ? shown.at(-1)!.message_id : null },
      };
    },
  );

  app.put(
    '/api/v1/simulator/faults',
    {
      schema: {
        tags,
        operationId: 'setSimulatorFaults',
        summary: 'Set simulated faults',
        description: 'Replaces the faults of one number, or of all numbers. An empty body clears them.',
        body: faultBody,
        response: {
          200: success(
            z
              .object({
                to: z.string().nullable(),
                refuse: z.boolean(),
                drop: z.boolean(),
                notOnWhatsApp: z.boolean(),
                delayMs: z.int(),
              })
              .meta({ title: 'SimulatorFaults', description: 'The faults that are simulated now.' }),
          ),
          ...problems('PHONE_INVALID', 'PHONE_NOT_ALLOWED'),
        },
      },
    },
    async (request) => {
      const { to, channel: _simulated, ...given } = request.body;
      const phone = to === undefined ? undefined : readPhone(to, 'to').e164;
      return { success: true as const, data: { to: phone ?? null, ...faults.set(phone, given) } };
    },
  );
}
