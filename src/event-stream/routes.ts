import type { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { ValidationError } from '../errors/errors.ts';
import { selectTypes, subscribableTypes } from '../events/filter.ts';
import { problems, projectId } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { EventBroadcast } from './broadcast.ts';
import { eventFrame, readStreamId } from './frames.ts';

const ID = '0.0.184.1795435200000';

const DESCRIPTION = `Server-sent events (\`text/event-stream\`), in the order of their commits, until you close the connection.

- \`event\` is the type, \`data\` the body that a webhook has, \`id\` an opaque cursor.
- A client that sends the last \`id\` it got, in \`Last-Event-ID\` or \`lastEventId\`, gets every event after it. Browsers do that when they reconnect. The cursor works with any key of the project and on any node.
- \`event: reset\` means that events were missed: the id is older than what is kept, or a backup was restored. Read again what you need with the other routes; the stream continues from there.
- A comment comes every 15 seconds. A client that takes nothing for 30 seconds is disconnected.
- The stream ends within a second when the key is revoked or expires.
- Administrators also get the events of the installation, such as \`backup.*\`.

A caller can have up to 600 streams open, and a server up to 1,000.`;

const EXAMPLE = eventFrame({
  cursor: '0.0.184',
  projectId: 1,
  type: 'otp.verified',
  at: Date.UTC(2026, 10, 23, 12),
  subject: 'ver_01jd3x8zq2e6v9k5m7n0p4r8st',
  messageId: null,
  data: null,
});

const querystring = z.strictObject({
  types: z.string().max(1_000).default('*').meta({
    description: 'Event types, separated by commas; `otp.*` is all of a kind, `*` all of them.',
    example: 'otp.*,message.failed',
  }),
  lastEventId: z
    .string()
    .refine((id) => readStreamId(id) !== undefined, 'the `id` of an event of this stream')
    .optional()
    .meta({ description: 'Where to continue; the header `Last-Event-ID` takes precedence.', example: ID }),
  projectId,
});

const stream = z.string().meta({ example: EXAMPLE }) as z.ZodType<string | Readable>;

/** The live stream of a project's events. */
export function eventStreamRoutes(server: FastifyInstance, broadcast: EventBroadcast): void {
  typed(server).get(
    '/api/v1/events/stream',
    {
      // It is read for as long as the client likes; one that does not read is dropped by the broadcast.
      config: { access: 'logs:read', readingMaxMs: Number.POSITIVE_INFINITY },
      schema: {
        tags: ['Events'],
        operationId: 'streamEvents',
        summary: 'Stream events as they happen',
        description: DESCRIPTION,
        querystring,
        response: {
          200: {
            description: 'The stream.',
            content: { 'text/event-stream': { schema: stream } },
          },
          ...problems(),
        },
      },
    },
    async (request, reply) => {
      const { caller, projectId, query } = request;
      const isAdmin = caller.kind === 'admin';
      const { selected, unknown } = selectTypes(query.types.split(','), subscribableTypes(isAdmin));
      if (unknown !== undefined) {
        const message = `The filter \`types\` allows event types, kinds such as otp.*, and *, separated by commas. Unknown: \`${unknown.slice(0, 100)}\`.`;
        throw new ValidationError(message, [{ path: 'types', message }]);
      }
      reply.headers({
        'content-type': 'text/event-stream',
        // No proxy keeps it, changes it or holds it back (nginx knows the second by its own name).
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
      });
      if (request.method === 'HEAD') return reply.send('');
      const header = request.headers['last-event-id'];
      const lastEventId = header === undefined ? query.lastEventId : String(header);
      const subscription = { caller, projectId, types: selected };
      return reply.send(await broadcast.open(subscription, lastEventId));
    },
  );
}
