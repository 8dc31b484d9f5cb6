import { readFileSync } from 'node:fs';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { errorsHtml } from '../errors/reference.ts';
import { ROUTE_ACCESS } from './access.ts';
import { completeDocument, type OpenApiDocument } from './openapi-document.ts';
import { pagesFolder } from './pages.ts';

/** The one style that the reference page carries inside itself, in the picture of its top bar. */
const TOP_BAR_STYLE = "'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='";

/** Collects the routes that follow for the OpenAPI document. Has to run before them. */
export async function collectRoutes(server: FastifyInstance, version: string): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'WOTP',
        version,
        description:
          'Phone verification: send a one-time code, check what the person types. Errors are described at [/docs/errors](/docs/errors).',
        license: { name: 'MIT' },
      },
      servers: [{ url: '/' }],
      components: {
        securitySchemes: {
          apiKey: {
            type: 'http',
            scheme: 'bearer',
            description: 'An API key: `wotp_…`, or a v3 token `otp_…`.',
          },
          admin: { type: 'apiKey', in: 'header', name: 'X-Master-Key', description: 'The admin password.' },
        },
      },
    },
    transform: (input) => {
      const { schema, url } = jsonSchemaTransform(input as Parameters<typeof jsonSchemaTransform>[0]);
      const method = [input.route.method].flat()[0];
      const access = ROUTE_ACCESS[`${method} ${input.url}`];
      const isOpen = access === undefined || access === 'public' || access === 'health';
      const security: Record<string, string[]>[] = isOpen
        ? []
        : access === 'admin'
          ? [{ admin: [] }]
          : [{ apiKey: [] }, { admin: [] }];
      const permission = isOpen || access === 'any-key' ? {} : { 'x-permission': access };
      return { schema: { ...schema, security, ...permission }, url };
    },
    transformObject: (input) => {
      const document = jsonSchemaTransformObject(input);
      completeDocument(document as unknown as OpenApiDocument);
      return document;
    },
  });
}

/** The OpenAPI document, the reference page that shows it offline, and the page of errors. */
export async function serveDocs(server: FastifyInstance): Promise<void> {
  server.get('/openapi.json', { schema: { hide: true } }, () => server.swagger());
  server.get('/openapi.yaml', { schema: { hide: true } }, (_request, reply) =>
    reply
      .type('application/yaml; charset=utf-8')
      .serializer((text: string) => text)
      .send(server.swagger({ yaml: true })),
  );
  server.get('/docs/errors', { schema: { hide: true } }, (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .serializer((text: string) => text)
      .send(errorsHtml()),
  );
  await server.register(swaggerUi, {
    routePrefix: '/docs',
    uiHooks: {
      onRequest: (_request, reply, next) => {
        const policy = String(reply.getHeader('content-security-policy'));
        reply.header('content-security-policy', `${policy};style-src 'self' ${TOP_BAR_STYLE}`);
        next();
      },
    },
    uiConfig: { docExpansion: 'list', persistAuthorization: false, tryItOutEnabled: false },
    theme: { title: 'WOTP API' },
    logo: { type: 'image/svg+xml', content: readFileSync(`${pagesFolder()}/assets/logo.svg`), href: '/' },
  });
}
