import { createServer as createHttpServer, type IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import cors from '@fastify/cors';
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Troubles } from '../background/troubles.ts';
import {
  AuthenticationError,
  NotFoundError,
  StoppingError,
  ValidationError,
  WotpError,
} from '../errors/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { openFilesMax } from '../lib/open-files.ts';
import { collectAccess, isOfHealth, isOpen, type RouteAccess } from './access.ts';
import { type Authentication, NOBODY } from './caller.ts';
import { type Connections, decorateWithClient } from './connections.ts';
import { refuseCodedBody, takeJsonBodies } from './json-body.ts';
import type { RequestLimiter } from './limit-headers.ts';
import { methodsOfRoutes } from './methods.ts';
import { clientErrorHandler, endTrouble, errorHandler, sendProblem, tunnelHandler } from './problem.ts';
import { logRequest } from './request-log.ts';
import { securityHeaders } from './security-headers.ts';
import { nulInAddress } from './unfit-text.ts';

/** The same server, with types that follow from the routes' schemas. */
export function typed(server: FastifyInstance) {
  return server.withTypeProvider<ZodTypeProvider>();
}

const BODY_MAX_BYTES = 1_048_576;
const HEADERS_MAX_BYTES = 16_384;
const ARRIVAL_MAX_MS = 15_000;
/** Open files that connections leave to the database, the logs and the channels. */
const RESERVED_FILES = 200;
const ACCEPTING = 'accepting connections';
const TOO_MANY_CONNECTIONS =
  'All connections that the limit of open files allows are in use. Raise it (ulimit -n, or LimitNOFILE= in systemd), or limit connections at the proxy.';
const PARAMETER_MAX_LENGTH = 200;
const TOO_MANY_OUTSTANDING =
  'Too many requests wait for an answer on this connection. Read the answers first, or use more connections.';

export interface ServerOptions {
  log: Logger;
  troubles: Troubles;
  authentication: Authentication;
  limiter: RequestLimiter;
  connections: Connections;
  /** The number of a project by its id; administrators may name one. */
  projectNumberOf: (id: string) => Promise<number | undefined>;
  /** Whether no new work is taken. */
  isStopping: () => boolean;
  trustProxyHops: number;
  /** How long a connection without a request stays open. */
  keepAliveSeconds: number;
  corsOrigins: readonly string[];
  /** Whether the public address is https. */
  secure: boolean;
  /** Refuses what is meant for another host; undefined where that can be told at once. */
  hostCheck: (request: FastifyRequest) => Promise<void> | undefined;
}

/** The server with everything that holds for all routes: who calls, limits, headers, errors, the access log. */
export async function createServer(options: ServerOptions): Promise<FastifyInstance> {
  const { log, troubles, authentication, limiter, connections, projectNumberOf, isStopping } = options;
  const headers = securityHeaders({ secure: options.secure });
  // Node would answer an expectation it does not know by itself, without a body.
  const withUnmetExpectation = new WeakSet<IncomingMessage>();
  const begin = (request: FastifyRequest, reply: FastifyReply) => {
    const startedAt = performance.now();
    connections.onEnd(request.raw, (aborted) => {
      logRequest(log, request, reply, { ms: performance.now() - startedAt, aborted });
      endTrouble(troubles, request, reply);
    });
    reply.headers(headers);
    reply.header('x-request-id', request.id);
    if (isOfApi(request)) reply.header('cache-control', 'no-store');
    request.caller = NOBODY;
    request.isForeign = request.headers['sec-fetch-site'] === 'cross-site';
  };
  const server = Fastify({
    logger: false,
    bodyLimit: BODY_MAX_BYTES,
    serverFactory: (handle) => {
      const http = createHttpServer({
        maxHeaderSize: HEADERS_MAX_BYTES,
        headersTimeout: ARRIVAL_MAX_MS,
        requestTimeout: ARRIVAL_MAX_MS,
        keepAliveTimeout: options.keepAliveSeconds * 1000,
        connectionsCheckingInterval: 1_000,
        // Node would answer these by itself, without a body.
        requireHostHeader: false,
      });
      http.on('checkExpectation', (request, response) => {
        withUnmetExpectation.add(request);
        http.emit('request', request, response);
      });
      http.on('connect', tunnelHandler(headers));
      return connections.serve(http, handle, {
        max: openFilesMax() - RESERVED_FILES,
        onFull: () => troubles.failed(ACCEPTING, new WotpError('SERVICE_UNAVAILABLE', TOO_MANY_CONNECTIONS)),
      });
    },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
    // Forwarding headers count from the right, one hop for each proxy that the operator names.
    trustProxy: options.trustProxyHops === 0 ? false : (_address, hop) => hop < options.trustProxyHops,
    genReqId: (raw) => requestId(raw.headers['x-request-id']),
    clientErrorHandler: clientErrorHandler(headers),
    // A request that no route can be looked up for never meets the hooks.
    frameworkErrors: (error, request, reply) => {
      begin(request, reply);
      errorHandler(log, troubles)(error, request, reply);
      connections.answering(request.raw);
    },
    forceCloseConnections: 'idle',
    // Refused below, by a problem document like every other error.
    return503OnClosing: false,
    routerOptions: { maxParamLength: PARAMETER_MAX_LENGTH },
  });
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  takeJsonBodies(server);
  decorateWithClient(server, connections);
  server.decorateRequest('caller', null as never);
  server.decorateRequest('projectId', 0);
  server.decorateRequest('publicProjectId', '');
  server.decorateRequest('isForeign', false);

  // Before the first route: each keeps the handler that was there when it came.
  server.setErrorHandler(errorHandler(log, troubles));

  const methodsOf = methodsOfRoutes(server);
  server.decorate('access', collectAccess(server));
  server.addHook('onRoute', (route) => {
    // Types and tests hold what an answer may contain; checking each one again would cost more than making it.
    route.serializerCompiler = () => JSON.stringify;
  });

  server.addHook('onRequest', (request, reply, done) => {
    begin(request, reply);
    const { readingMaxMs } = request.routeOptions.config;
    if (readingMaxMs !== undefined) connections.allowReading(request.raw, readingMaxMs);
    const unfit = connections.isTooMany(request.raw)
      ? new WotpError('RATE_LIMIT_EXCEEDED', TOO_MANY_OUTSTANDING, { retryAfterSeconds: 1 })
      : malformed(request, withUnmetExpectation.has(request.raw));
    const checked = unfit ? undefined : options.hostCheck(request);
    if (!checked) done(unfit);
    else checked.catch((error: unknown) => counted(request, reply, error)).then(() => done(), done);
  });
  /** Counts a request that is refused against its address, and rejects with the refusal. */
  async function counted(request: FastifyRequest, reply: FastifyReply, refusal: unknown): Promise<never> {
    await limiter.countAddress(request, reply);
    throw refusal;
  }
  server.addHook('onSend', (request, _reply, payload, done) => {
    // A stream would wait for a response to close that Node never gave its turn.
    if (payload instanceof Readable) connections.onEnd(request.raw, () => payload.destroy());
    connections.answering(request.raw);
    done();
  });
  if (options.corsOrigins.length > 0) {
    // The library would refuse an OPTIONS that asks for no permission, and that as plain text.
    server.addHook('onRequest', (request, _reply, done) => {
      done(isBareOptions(request) ? methodsOf.notFound(request) : undefined);
    });
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

  server.addHook('onRequest', async (request, reply) => {
    const { url, config } = request.routeOptions;
    const { access } = config;
    if (isStopping() && !isOfHealth(access)) {
      reply.header('connection', 'close');
      throw new StoppingError();
    }
    const mistaken = methodsOf.mistaken(request, url);
    if (mistaken) {
      await limiter.countAddress(request, reply);
      throw mistaken;
    }
    if (isOpen(access) && access !== 'callback') {
      if (access === 'health' || access === 'metrics') limiter.countHealth(request, reply);
      else if (access === 'page') await limiter.countPage(request, reply);
      else if (access !== 'probe' && (access !== 'sign-in' || request.isForeign)) {
        await limiter.countAddress(request, reply);
      }
    } else {
      try {
        request.caller = await authentication.identify(request, access);
      } catch (error) {
        await limiter.countAddress(request, reply);
        throw error;
      }
      request.projectId = request.caller.projectId;
      request.publicProjectId = request.caller.publicProjectId;
      if (request.caller.key) {
        await limiter.countKey(request.caller, reply);
        authentication.countUse(request.caller);
      }
      if (access !== 'callback') await authentication.authorize(request, access);
    }
    if (url !== undefined) refuseCodedBody(request, reply);
  });

  server.addHook('preValidation', (request, reply, done) => {
    const { access } = request.routeOptions.config;
    if (access !== 'callback' || request.caller.kind === 'admin') done();
    else requireProvider(request, reply).then(() => done(), done);
  });
  async function requireProvider(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (await request.routeOptions.config.isFromProvider!(request)) return;
    await limiter.countAddress(request, reply);
    throw new AuthenticationError('The token or signature of this callback is missing or wrong.');
  }

  // A caller may name a project; anybody else's is as unknown as one that does not exist.
  server.addHook('preHandler', (request, _reply, done) => {
    const named = namedProject(request.query) ?? namedProject(request.body);
    if (named === undefined || named === request.publicProjectId) done();
    else actOn(request, named).then(() => done(), done);
  });
  async function actOn(request: FastifyRequest, project: string): Promise<void> {
    const number = request.caller.kind === 'admin' ? await projectNumberOf(project) : undefined;
    if (number === undefined) throw new NotFoundError('There is no project with this id.');
    request.projectId = number;
    request.publicProjectId = project;
  }

  server.setNotFoundHandler((request, reply) => sendProblem(request, reply, methodsOf.notFound(request)));
  return server;
}

/** Whether a request is for the API. An address may also be encoded or begin with the host. */
function isOfApi(request: FastifyRequest): boolean {
  return request.url.startsWith('/api/') || request.routeOptions.url?.startsWith('/api/') === true;
}

/** What makes a request unfit for any route. */
function malformed(request: FastifyRequest, hasUnmetExpectation: boolean): ValidationError | undefined {
  if (request.headers.host === undefined && request.raw.httpVersion === '1.1' && !request.isControl) {
    return new ValidationError('The Host header is missing.');
  }
  if (hasUnmetExpectation) {
    return new ValidationError('The Expect header asks for something that this server does not support.');
  }
  const nul = nulInAddress(request.url);
  if (nul) return nul;
  const repeated = Object.entries(request.query as object).find(([, value]) => Array.isArray(value));
  if (!repeated) return undefined;
  const [path] = repeated;
  const message = `The query parameter \`${path}\` must be given only once.`;
  return new ValidationError(message, [{ path, message }]);
}

/** Whether a request is an OPTIONS without what makes a preflight of it. */
function isBareOptions({ method, headers }: FastifyRequest): boolean {
  return method === 'OPTIONS' && !(headers.origin && headers['access-control-request-method']);
}

function namedProject(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null || !('projectId' in input)) return undefined;
  return typeof input.projectId === 'string' ? input.projectId : undefined;
}

/** The client's own request id when it is short and plain, a new one otherwise. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && /^[A-Za-z0-9._-]{1,64}$/.test(given) ? given : crypto.randomUUID();
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The access of every route. */
    readonly access: RouteAccess;
  }
}
