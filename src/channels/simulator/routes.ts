import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { readEmail } from '../../addresses/email.ts';
import type { Database } from '../../database/database.ts';
import { iso, page, pageQuery, problems, projectId, success, timestamp } from '../../http/schemas.ts';
import { typed } from '../../http/server.ts';
import { CHANNEL_NAMES, type ChannelName } from '../../messages/channel.ts';
import type { inboundTexts } from '../../messages/inbound-text.ts';
import type { MessageService } from '../../messages/service.ts';
import { MESSAGE_STATUSES } from '../../messages/types.ts';
import type { Settings } from '../../settings/settings.ts';
import type { SimulatorFaults } from './faults.ts';
import { virtualInbox } from './virtual-inbox.ts';

const message = z
  .object({
    id: z.string().meta({ description: 'The id of the stored message.' }),
    to: z.string().meta({ description: 'E.164, or an e-mail address.', example: '+6283834946034' }),
    subject: z.string().optional().meta({ description: 'Of an e-mail.' }),
    text: z.string().meta({
      description: 'What the phone shows; bullets in place of the code once the verification has ended.',
    }),
    channel: z.enum(CHANNEL_NAMES),
    plays: z
      .enum(CHANNEL_NAMES)
      .meta({ description: 'The channel that the virtual phone stood in for.', example: 'whatsapp' }),
    at: timestamp,
    status: z.enum(MESSAGE_STATUSES),
  })
  .meta({ title: 'SimulatorMessage', description: 'A message on a virtual phone.' });

const faultBody = z
  .strictObject({
    to: z
      .string()
      .optional()
      .meta({ description: 'The phone or e-mail address it applies to; all when absent.' }),
    channel: z
      .enum(CHANNEL_NAMES)
      .optional()
      .meta({ description: 'The channel it applies to; all when absent.', example: 'whatsapp' }),
    refuse: z.boolean().optional().meta({
      description:
        'The channel is down: messages wait, or go by the next channel. With both `to` and `channel`: the channel refuses this recipient for good.',
    }),
    drop: z.boolean().optional().meta({ description: 'Accepted, but never shown on the phone.' }),
    notOnWhatsApp: z.boolean().optional().meta({ description: 'The message fails for good.' }),
    delayMs: z
      .int()
      .min(0)
      .max(60_000)
      .optional()
      .meta({ description: 'Delay before the channel accepts it, in ms.' }),
  })
  .meta({ title: 'SetSimulatorFaultsRequest', example: { channel: 'whatsapp', drop: true } });

const replyBody = z
  .strictObject({
    from: z.string().max(100).meta({ description: 'The phone that writes.', example: '+6283834946034' }),
    text: z.string().min(1).max(1_000).meta({ description: 'What the user writes.', example: 'STOP' }),
    projectId,
  })
  .meta({ title: 'SimulateReplyRequest', example: { from: '+6283834946034', text: 'STOP' } });

/** The virtual phone. These routes exist in mock mode only. */
export function simulatorRoutes(
  server: FastifyInstance,
  deps: {
    database: Database;
    messages: MessageService;
    faults: SimulatorFaults;
    settings: Settings;
    inbound: ReturnType<typeof inboundTexts>;
  },
): void {
  const { database, messages, faults, settings, inbound } = deps;
  const inbox = virtualInbox(database);
  const app = typed(server);
  /** A phone or e-mail address as messages to it are kept. */
  const addressOf = (projectId: number, given: string) =>
    // As WhatsApp writes numbers they have an @ too.
    /@(?!c\.us\b|s\.whatsapp\.net\b)/i.test(given)
      ? readEmail(given, 'to').address
      : settings.of(projectId).readPhone(given, 'to').e164;
  const tags = ['Simulator'];

  app.get(
    '/api/v1/simulator/messages',
    {
      config: { access: 'otp:read' },
      schema: {
        tags,
        operationId: 'listSimulatorMessages',
        summary: 'List messages on the virtual phones',
        description:
          'Newest first. A key sees those of its own project, so that your tests can read the codes they requested. A page can be short, or empty, and have a next one. Mock mode only.',
        querystring: z.strictObject({
          ...pageQuery('msg'),
          to: z
            .string()
            .optional()
            .meta({ description: 'One phone or e-mail address only.', example: '+6283834946034' }),
          projectId,
        }),
        response: { 200: page(message), ...problems('PHONE_INVALID', 'PHONE_NOT_ALLOWED', 'EMAIL_INVALID') },
      },
    },
    async (request) => {
      const { limit, cursor, to } = request.query;
      const address = to === undefined ? undefined : addressOf(request.projectId, to);
      const filter = { projectId: request.projectId, address, before: cursor, limit };
      const { rows, next } = await inbox.list(database.reader, filter);
      const ids = rows.map((row) => row.message_id);
      const views = await messages.views(database.reader, ids);
      const texts = await messages.shown(database.reader, ids);
      const data = rows.flatMap((row) => {
        const view = views.get(row.message_id);
        if (!view) return [];
        const { channel, status } = view;
        const { text, subject } = texts.get(row.message_id) ?? { text: '' };
        const plays = row.channel as ChannelName;
        return [
          { id: row.message_id, to: row.address, subject, text, channel, plays, at: iso(row.at), status },
        ];
      });
      return {
        success: true as const,
        data,
        page: { next },
      };
    },
  );

  app.put(
    '/api/v1/simulator/faults',
    {
      config: { access: 'admin:simulator' },
      schema: {
        tags,
        operationId: 'setSimulatorFaults',
        summary: 'Set simulated faults',
        description:
          'Replaces the faults of one recipient, of one channel, of both together, or of all. An empty body clears every fault.',
        body: faultBody,
        response: {
          200: success(
            z
              .object({
                to: z.string().nullable(),
                channel: z.enum(CHANNEL_NAMES).nullable(),
                refuse: z.boolean(),
                drop: z.boolean(),
                notOnWhatsApp: z.boolean(),
                delayMs: z.int(),
              })
              .meta({ title: 'SimulatorFaults', description: 'The faults that are simulated now.' }),
          ),
          ...problems('PHONE_INVALID', 'PHONE_NOT_ALLOWED', 'EMAIL_INVALID'),
        },
      },
    },
    async (request) => {
      const { to: named, channel, ...given } = request.body;
      const to = named === undefined ? undefined : addressOf(request.projectId, named);
      const place = { to, channel: channel === 'simulator' ? undefined : channel };
      const data = { to: to ?? null, channel: place.channel ?? null, ...faults.set(place, given) };
      return { success: true as const, data };
    },
  );

  app.post(
    '/api/v1/simulator/reply',
    {
      config: { access: 'admin:simulator' },
      schema: {
        tags,
        operationId: 'simulateReply',
        summary: 'Write back from a virtual phone',
        description:
          'Treated as a text to a linked WhatsApp number: it becomes the event `message.received`, and STOP and START take effect. Mock mode only.',
        body: replyBody,
        response: {
          200: success(
            z
              .object({
                from: z.string(),
                optedOut: z.boolean().nullable().meta({
                  description:
                    'Whether the text opted the number out or in again; null where it did neither.',
                }),
                answer: z
                  .string()
                  .nullable()
                  .meta({ description: 'What WhatsApp would answer; null for nothing.' }),
              })
              .meta({ title: 'SimulatedReply', description: 'What the text did.' }),
          ),
          ...problems('PHONE_INVALID', 'PHONE_NOT_ALLOWED'),
        },
      },
    },
    async (request) => {
      const { text } = request.body;
      const from = settings.of(request.projectId).readPhone(request.body.from, 'from').e164;
      const taken = await inbound.take({ projectId: request.projectId, from, text });
      const wish = taken?.wish;
      const optedOut = wish ? wish.wish === 'stop' : null;
      const answer = wish?.hasChanged ? (wish.answer ?? null) : null;
      return { success: true as const, data: { from, optedOut, answer } };
    },
  );
}
