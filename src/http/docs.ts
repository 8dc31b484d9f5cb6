import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { errorsHtml } from '../errors/reference.ts';
import { isForAdmin, isOpen, neededFor } from './access.ts';
import { localAddress } from './local-address.ts';
import { completeDocument, type OpenApiDocument } from './openapi/document.ts';
import { referencePage } from './reference/page.ts';
import { type StaticFile, sendFile, staticFile } from './static-files.ts';

/** Collects the routes that follow for the OpenAPI document. Has to run before them. */
export async function collectRoutes(server: FastifyInstance, version: string): Promise<void> {
  await server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'WOTP',
        version,
        description:
          'Phone verification: send a one-time code to a phone and check what the user types. Every error code is explained at [/docs/errors](/docs/errors).',
        license: { name: 'MIT', identifier: 'MIT' },
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
      const access = input.route.config?.access;
      const security: Record<string, string[]>[] = isOpen(access)
        ? []
        : isForAdmin(access)
          ? [{ admin: [] }]
          : [{ apiKey: [] }, { admin: [] }];
      const permission = isOpen(access) || access === 'any-key' ? {} : { 'x-permission': neededFor(access) };
      return { schema: { ...schema, security, ...permission }, url };
    },
    transformObject: (input) => {
      const document = jsonSchemaTransformObject(input);
      completeDocument(document as unknown as OpenApiDocument, server.access);
      return document;
    },
  });
}

/** The OpenAPI document, the reference page made from it, and the page of errors; each is made once. */
export function serveDocs(server: FastifyInstance, publicUrl: string | undefined): void {
  const page = () => referencePage(server.swagger() as OpenApiDocument, publicUrl ?? localAddress(server));
  serve(['/docs', '/docs/'], () => staticFile('docs.html', page()));
  serve(['/docs/errors'], () => staticFile('errors.html', errorsHtml()));
  serve(['/openapi.json'], () => staticFile('openapi.json', JSON.stringify(server.swagger())));
  serve(['/openapi.yaml'], () => staticFile('openapi.yaml', server.swagger({ yaml: true })));

  function serve(paths: string[], make: () => StaticFile): void {
    let file: StaticFile | undefined;
    for (const path of paths) {
      server.get(path, { config: { access: 'public' }, schema: { hide: true } }, (request, reply) => {
        // All routes are known only when the server is ready.
        file ??= make();
        return sendFile(request, reply, file);
      });
    }
  }
}
