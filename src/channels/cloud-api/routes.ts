import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { WotpError } from '../../errors/errors.ts';
import { onlyProblems, problems } from '../../http/schemas.ts';
import { typed } from '../../http/server.ts';
import { isSameSecret } from '../../lib/same-secret.ts';
import { isSignedByMeta } from './webhook.ts';

/** Meta sends up to 3 MB. */
const BODY_MAX_BYTES = 3 * 1024 * 1024;

/** Where Meta reports what became of messages. */
const WEBHOOK_PATH = '/api/v1/channels/cloud-api/webhook';

export function webhookRoutes(
  server: FastifyInstance,
  deps: {
    /** Undefined where nobody can prove to be Meta. */
    appSecret: string | undefined;
    verifyToken: string | undefined;
    /** Resolves once what the body reports is on disk. */
    take: (body: Buffer) => Promise<void>;
  },
): void {
  const { appSecret, verifyToken, take } = deps;

  typed(server).get(
    WEBHOOK_PATH,
    {
      config: { access: 'public' },
      schema: {
        tags: ['Channels'],
        operationId: 'confirmCloudApiWebhook',
        summary: 'Confirm the WhatsApp Cloud API webhook',
        description:
          'For Meta, not for your application: answers the challenge as plain text where the verify token is `CLOUD_API_VERIFY_TOKEN`. Meta calls it whenever you save the webhook in the App Dashboard.',
        querystring: z.object({
          'hub.mode': z.string().max(50).optional().meta({ example: 'subscribe' }),
          'hub.challenge': z.string().max(200).optional().meta({
            description: 'What is answered; letters, digits and `-._~` only.',
            example: '1158201444',
          }),
          'hub.verify_token': z.string().max(1_000).optional().meta({
            description: '`CLOUD_API_VERIFY_TOKEN`.',
          }),
        }),
        response: {
          200: {
            description: 'The challenge.',
            content: { 'text/plain': { schema: z.string().meta({ example: '1158201444' }) } },
          },
          ...onlyProblems(
            'VALIDATION_ERROR',
            'FORBIDDEN',
            'RATE_LIMIT_EXCEEDED',
            'INTERNAL_ERROR',
            'SERVICE_UNAVAILABLE',
          ),
        },
      },
    },
    async ({ query }, reply) => {
      const { 'hub.mode': mode, 'hub.challenge': challenge, 'hub.verify_token': given } = query;
      const isMeta = verifyToken !== undefined && given !== undefined && isSameSecret(given, verifyToken);
      if (!isMeta || mode !== 'subscribe' || challenge === undefined || !/^[\w.~-]+$/.test(challenge)) {
        throw new WotpError('FORBIDDEN', 'The verify token of this webhook is missing or wrong.');
      }
      return reply.type('text/plain').serializer(String).send(challenge);
    },
  );

  // Its own scope: the signature is over the bytes of the body as they came.
  server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, bytes, done) => done(null, bytes));

    typed(scope).post(
      WEBHOOK_PATH,
      {
        bodyLimit: BODY_MAX_BYTES,
        config: {
          access: 'callback',
          isFromProvider: ({ body, headers }) =>
            appSecret !== undefined &&
            isSignedByMeta(bytesOf(body), headers['x-hub-signature-256'], appSecret),
        },
        schema: {
          tags: ['Channels'],
          operationId: 'receiveCloudApiWebhook',
          summary: 'Receive statuses from the WhatsApp Cloud API',
          description:
            'For Meta, not for your application: JSON, signed with `CLOUD_API_APP_SECRET` in `X-Hub-Signature-256`. A status that is repeated, unknown or late changes nothing.',
          response: {
            200: z.object({ success: z.literal(true) }).meta({
              title: 'WebhookReceived',
              description: 'The webhook was genuine and has been read.',
            }),
            ...problems('PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'),
          },
        },
      },
      async ({ body }) => {
        await take(bytesOf(body));
        return { success: true as const };
      },
    );
  });
}

const bytesOf = (body: unknown) => (Buffer.isBuffer(body) ? body : Buffer.alloc(0));
