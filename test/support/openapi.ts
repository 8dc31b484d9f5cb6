import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { FastifyInstance, RouteOptions } from 'fastify';
import type { Problem } from '../../src/http/problem.ts';
import { startTestApp, type TestApp } from './test-app.ts';
import { QUICK_ADMIN } from './verifications.ts';

export interface Schema {
  type?: string | string[];
  description?: string;
  example?: unknown;
  enum?: unknown[];
  default?: unknown;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  $ref?: string;
}

interface Media {
  [type: string]: { schema: Schema; examples?: Record<string, { summary: string; value: Problem }> };
}

interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  description?: string;
  schema: Schema;
}

export interface Reference {
  $ref: string;
}

export interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  security?: Record<string, string[]>[];
  parameters?: (Parameter | Reference)[];
  requestBody?: { required?: boolean; content: Media };
  responses: Record<
    string,
    { description: string; headers?: Record<string, Reference>; content?: Media | undefined }
  >;
}

/** The document that a server gives of its API. */
export type OpenApi = { paths: Record<string, Record<string, Operation>> } & Record<string, unknown>;

/** What a server has routes for, by method and path; for GET also HEAD. */
export type ServedRoutes = ReadonlyMap<string, RouteOptions>;

/** Starts a server; resolves to it, the routes that it serves, and the document that it gives of them. */
export async function startDocumentedApp(): Promise<{
  server: TestApp;
  document: OpenApi;
  served: ServedRoutes;
}> {
  const served = new Map<string, RouteOptions>();
  const collect = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance };
    fastify.addHook('onRoute', (route) => {
      for (const method of [route.method].flat()) served.set(`${method} ${route.url}`, route);
    });
  };
  subscribe('fastify.initialization', collect);
  const server = await startTestApp({ env: { ...QUICK_ADMIN, ADDRESS_LIMIT_PER_MINUTE: '100000' } });
  unsubscribe('fastify.initialization', collect);
  const { body } = await server.call('GET', '/openapi.json', { key: null });
  return { server, document: body, served };
}

/** Every operation of a document, with its route as the server writes it. */
export function operationsOf(document: OpenApi) {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({
      route: `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
      path,
      operation,
    })),
  );
}

export function operationOf(document: OpenApi, route: string): Operation {
  return operationsOf(document).find((entry) => entry.route === route)!.operation;
}
