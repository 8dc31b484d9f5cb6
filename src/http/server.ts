import cors from '@fastify/cors';
import Fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { NotFoundError } from '../errors/errors.ts';
import type { KeyService } from '../keys/service.ts';
import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import { accessOf } from './access.ts';
import type { authenticator } from './authentication.ts';
import { NOBODY } from './caller.ts';
import { methodsOfRoutes } from './methods.ts';
import { clientErrorHandler, errorHandler, sendProblem } from './problem.ts';
import type { requestLimiter } from './request-limits.ts';
import { logRequests } from './request-log.ts';
import { securityHeaders } from './security-headers.ts';

/** The same server, with types that follow from the routes' schemas. */
export function typed(server: FastifyInstance) {
  return server.withTypeProvider<ZodTypeProvider>();
}

const BODY_MAX_BYTES = 1_048_576;
const HEADERS_MAX_BYTES = 16_384;
const ARRIVAL_MAX_MS = 15_000;
const IDLE_CONNECTION_MS = 30_000;
const PARAMETER_MAX_LENGTH = 200;

export interface ServerOptions {
  log: Logger;
  clock: Clock;
  keys: KeyService;
  authentication: ReturnType<typeof authenticator>;
  limiter: ReturnType<typeof requestLimiter>;
  /** Whether a project exists; administrators may name one. */
  projectExists: (id: string) => Promise<boolean>;
  trustProxyHops: number;
  corsOrigins: readonly string[];
  /** Whether the public address is https. */
  secure: boolean;
}

/** The server with everything that holds for all routes: who calls, limits, headers, errors, the access log. */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const { log, clock, keys, authentication, limiter, projectExists } = options;
  const server = Fastify({
    logger: false,
    bodyLimit: BODY_MAX_BYTES,
    requestTimeout: ARRIVAL_MAX_MS,
    keepAliveTimeout: IDLE_CONNECTION_MS,
    http: {
      maxHeaderSize: HEADERS_MAX_BYTES,
      headersTimeout: ARRIVAL_MAX_MS,
      connectionsCheckingInterval: 1_000,
    },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    // Forwarding headers count from the right, one hop for each proxy that the operator names.
    trustProxy: options.trustProxyHops === 0 ? false : (_address, hop) => hop < options.trustProxyHops,
    genReqId: (raw) => requestId(raw.headers['x-request-id']),
    clientErrorHandler,
    frameworkErrors: (error, request, reply) => void errorHandler(log)(error, request, reply),
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: PARAMETER_MAX_LENGTH },
  });
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.removeContentTypeParser('text/plain');
  server.decorateRequest('caller', null as never);
  server.decorateRequest('projectId', '');

  const methodsOf = methodsOfRoutes(server);
  server.addHook('onRoute', (route) => {
    for (const method of [route.method].flat()) {
      route.config = { ...route.config, access: accessOf(method, route.url) };
    }
    // Types and tests hold what an answer may contain; checking each one again would cost more than making it.
    route.serializerCompiler = () => JSON.stringify;
  });

  logRequests(server, log, clock);
  if (options.corsOrigins.length > 0) {
    await server.register(cors, {
      origin: [...options.corsOrigins],
      methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'X-Request-Id'],
      exposedHeaders: [
        'X-Request-Id',
        'Retry-After',
        'RateLimit',
        'RateLimit-Policy',
        'Idempotency-Replayed',
      ],
      maxAge: 600,
    });
  }

  const headers = securityHeaders({ secure: options.secure });
  server.addHook('onRequest', async (request, reply) => {
    reply.headers(headers);
    reply.header('x-request-id', request.id);
    if (request.url.startsWith('/api/')) reply.header('cache-control', 'no-store');
    request.caller = NOBODY;
    const access = request.routeOptions.config.access;
    if (access === undefined || access === 'public') {
      limiter.countAddress(request, reply);
      return;
    }
    try {
      request.caller = await authentication.authenticate(request, access);
    } catch (error) {
      limiter.countAddress(request, reply);
      throw error;
    }
    request.projectId = request.caller.projectId;
    if (request.caller.key) {
      limiter.countKey(request.caller, reply);
      keys.countUse(request.caller.key.id);
    }
  });

  // A caller may name a project; anybody else's is as unknown as one that does not exist.
  server.addHook('preHandler', async (request) => {
    const named = namedProject(request.query) ?? namedProject(request.body);
    if (named === undefined || named === request.projectId) return;
    if (request.caller.kind !== 'admin' || !(await projectExists(named))) {
      throw new NotFoundError('There is no project with this id.');
    }
    request.projectId = named;
  });

  server.setErrorHandler(errorHandler(log));
  server.setNotFoundHandler((request, reply) => sendProblem(request, reply, methodsOf.notFound(request)));
  return server;
}

function namedProject(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null || !('projectId' in input)) return undefined;
  return typeof input.projectId === 'string' ? input.projectId : undefined;
}

/** The client's own request id when it is short and plain, a new one otherwise. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : crypto.randomUUID();
}
