import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { problems, success } from '../../http/schemas.ts';
import { typed } from '../../http/server.ts';
import { isId } from '../../lib/id.ts';
import { isSameSecret } from '../../lib/same-secret.ts';
import type { MessageName } from '../../messages/channel.ts';
import { shownAnswer } from './failures.ts';

/** Anybody may send a body, which is read before its sender is known. */
const BODY_MAX_BYTES = 16_384;

const bounceBody = z
  .strictObject({
    messageId: z.string().min(1).max(500).meta({
      description:
        'The Message-ID of the mail that came back, with or without angle brackets, or the `messageId` of the send.',
      example: '<msg_01kbc8r1n0e7w9q4t2y6z3x5v8@example.com>',
    }),
    action: z
      .enum(['failed', 'delayed', 'delivered', 'relayed', 'expanded'])
      .default('failed')
      .meta({ description: 'The `Action` of the report (RFC 3464). Only `failed` changes anything.' }),
    status: z
      .string()
      .regex(/^[245]\.\d{1,3}\.\d{1,3}$/, 'an enhanced status code, such as 5.1.1')
      .optional()
      .meta({ description: 'The `Status` of the report (RFC 3463).', example: '5.1.1' }),
    diagnostic: z.string().max(500).optional().meta({
      description: 'What the other server said; shown in the timeline of the message.',
      example: '550 5.1.1 no such user',
    }),
  })
  .meta({ title: 'ReportBounceRequest' });

/** Reports of mail that came back. */
export function bounceRoutes(
  server: FastifyInstance,
  deps: {
    /** Undefined where only the administrator may report. */
    token: string | undefined;
    bounced: (name: MessageName, reason: string) => Promise<void>;
  },
): void {
  const { token, bounced } = deps;
  typed(server).post(
    '/api/v1/channels/email/bounce',
    {
      bodyLimit: BODY_MAX_BYTES,
      config: {
        access: 'callback',
        isFromProvider: (request) => {
          const given = (request.query as { token?: string }).token;
          return token !== undefined && given !== undefined && isSameSecret(given, token);
        },
      },
      schema: {
        tags: ['Channels'],
        operationId: 'reportBounce',
        summary: 'Report a bounced e-mail',
        description:
          'Marks the message as failed, so that the next channel is used. For the program that receives your bounces: with `SMTP_BOUNCE_TOKEN` as `token`, or as the administrator. Reports of unknown messages, and repeated ones, change nothing and succeed.',
        querystring: z.strictObject({
          token: z.string().max(200).optional().meta({ description: '`SMTP_BOUNCE_TOKEN`.' }),
        }),
        body: bounceBody,
        response: {
          200: success(
            z
              .object({ received: z.literal(true) })
              .meta({ title: 'BounceReceived', description: 'The report was read.' }),
          ),
          ...problems(),
        },
      },
    },
    async ({ body: { messageId, action, status, diagnostic } }) => {
      if (action === 'failed') {
        // Many repeat the mail, and with it the code.
        const said = diagnostic && shownAnswer(diagnostic.replace(/\d{4,}/g, '••••'));
        const details = [status, said].filter((part) => part !== undefined).join(' ');
        await bounced(
          nameOf(messageId),
          details === '' ? 'the mail bounced' : `the mail bounced: ${details}`,
        );
      }
      return { success: true as const, data: { received: true as const } };
    },
  );
}

/** Our own Message-IDs begin with the message's id; what else comes is what the mail server has put in their place. */
function nameOf(given: string): MessageName {
  const bare = given.trim().replace(/^<|>$/g, '');
  const [messageId = ''] = bare.split('@');
  return isId('msg', messageId) ? { messageId } : { providerId: bare };
}
