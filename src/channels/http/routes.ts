import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { CallbackDefinition, ProviderDefinition } from '../../config/provider-schema.ts';
import { NotFoundError, ValidationError } from '../../errors/errors.ts';
import { problems } from '../../http/schemas.ts';
import { typed } from '../../http/server.ts';
import { isSameSecret } from '../../lib/same-secret.ts';
import type { Receipt } from '../../messages/channel.ts';
import { bodyOf, receiptsIn } from './callback.ts';
import { isSigned, type SignedRequest } from './signature.ts';

const BODY_MAX_BYTES = 256 * 1024;

type WithCallback = ProviderDefinition & { callback: CallbackDefinition };

/** The path of a provider's callbacks. */
export function callbackPath(provider: string): string {
  return `/api/v1/channels/http/${provider}/callback`;
}

/** Where providers report what became of messages. */
export function providerRoutes(
  server: FastifyInstance,
  deps: {
    definitions: readonly ProviderDefinition[];
    /** PUBLIC_URL without a slash at its end; undefined where none is set. */
    publicOrigin: string | undefined;
    report: (channel: ProviderDefinition['channel'], receipt: Receipt) => Promise<void>;
  },
): void {
  const { definitions, publicOrigin, report } = deps;

  /** The provider that an address names, where it has callbacks. */
  function callbackOf({ params }: FastifyRequest): WithCallback | undefined {
    const { provider } = params as { provider: string };
    const found = definitions.find(({ name }) => name === provider);
    return found?.callback && { ...found, callback: found.callback };
  }

  function isGenuine(request: FastifyRequest, provider: WithCallback | undefined): boolean {
    if (!provider) return false;
    const { signature, token } = provider.callback;
    const { token: given = '' } = request.query as { token?: string };
    if (token !== undefined && !isSameSecret(given, token)) return false;
    return signature === undefined || isSigned(signature, signedRequest(request, publicOrigin));
  }

  // Their own scope: signatures are over the very bytes of a body, whatever its type.
  server.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, bytes, done) => done(null, bytes));

    typed(scope).post(
      callbackPath(':provider'),
      {
        bodyLimit: BODY_MAX_BYTES,
        config: { access: 'callback', isFromProvider: (request) => isGenuine(request, callbackOf(request)) },
        schema: {
          tags: ['Channels'],
          operationId: 'receiveProviderCallback',
          summary: 'Receive statuses from an HTTP provider',
          description:
            'For the providers of PROVIDERS_FILE, not for your application: JSON or a form, signed by the provider or with its token in the query. A status that is repeated, unknown or late changes nothing.',
          params: z.object({
            provider: z.string().max(64).meta({ description: 'The name in PROVIDERS_FILE.' }),
          }),
          response: {
            200: z.object({ success: z.literal(true) }).meta({
              title: 'CallbackReceived',
              description: 'The callback was genuine and has been read.',
            }),
            ...problems('RESOURCE_NOT_FOUND', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'),
          },
        },
      },
      async (request) => {
        const provider = callbackOf(request);
        // The administrator may call in place of any provider.
        if (!provider) throw new NotFoundError('No provider with this name has callbacks here.');
        const { body: bytes, form } = signedRequest(request, publicOrigin);
        const body = bodyOf(bytes, form);
        if (body === undefined) throw new ValidationError('The body is neither JSON nor a form.');
        const receipts = receiptsIn(provider.callback, provider.name, body);
        await Promise.all(receipts.map((receipt) => report(provider.channel, receipt)));
        return { success: true as const };
      },
    );
  });
}

/** A callback as signatures see it. */
function signedRequest(request: FastifyRequest, publicOrigin: string | undefined): SignedRequest {
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '');
  const origin = new URL(publicOrigin ?? `${request.protocol}://${request.headers.host}`);
  const port = origin.port || (origin.protocol === 'https:' ? '443' : '80');
  // Some sign the address with its port also where that is the usual one, or without any.
  const origins = [
    origin.origin,
    `${origin.protocol}//${origin.hostname}:${port}`,
    `${origin.protocol}//${origin.hostname}`,
  ];
  return {
    urls: [...new Set(origins)].map((each) => `${each}${request.url}`),
    headers: request.headers,
    body,
    form: isForm ? new URLSearchParams(body.toString('utf8')) : undefined,
  };
}
