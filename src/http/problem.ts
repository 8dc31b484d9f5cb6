import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { Troubles } from '../background/troubles.ts';
import { ERROR_CODES, type ErrorCode } from '../errors/codes.ts';
import {
  ChannelError,
  type FieldProblem,
  StoppingError,
  ValidationError,
  WotpError,
} from '../errors/errors.ts';
import type { Logger } from '../lib/logger.ts';
import { systemErrorText } from '../lib/system-error.ts';
import { fieldProblems } from './field-problems.ts';
import { tellLimit } from './limit-headers.ts';
import { isOpenedInBrowser, sendNotFoundPage } from './not-found-page.ts';

/** An error as it leaves the server (RFC 9457), with v3's `success` and `error` beside it. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  requestId: string;
  success: false;
  error: string;
  errors?: FieldProblem[];
  attemptsRemaining?: number;
  requiredPermission?: string;
}

/** The problem document of an error. */
function problemOf(error: WotpError, requestId: string): Problem {
  const { retryAfterSeconds: _header, usedUp: _limit, allow: _allow, ...members } = error.details;
  return {
    type: `/docs/errors#${error.code}`,
    title: ERROR_CODES[error.code].title,
    status: error.status,
    detail: error.message,
    code: error.code,
    requestId,
    ...members,
    success: false,
    error: error.message,
  };
}

/** Answers with a problem document, or with a page where a person has opened an address that leads nowhere. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: WotpError): FastifyReply {
  if (error.status === 404 && isOpenedInBrowser(request)) return sendNotFoundPage(reply);
  const { retryAfterSeconds, usedUp, allow } = error.details;
  if (retryAfterSeconds !== undefined) {
    reply.header('retry-after', String(retryAfterSeconds));
    if (usedUp) tellLimit(reply, { ...usedUp, remaining: 0, resetSeconds: retryAfterSeconds });
  }
  if (allow) reply.header('allow', allow.join(', '));
  if (error.code === 'UNAUTHORIZED') reply.header('www-authenticate', 'Bearer');
  return reply
    .code(error.status)
    .type('application/problem+json; charset=utf-8')
    .serializer(JSON.stringify)
    .send(problemOf(error, request.id));
}

/** What a request asks for, as troubles name it. */
function workOf({ method, routeOptions }: FastifyRequest): string {
  return `${method} ${routeOptions?.url ?? 'an unknown address'}`;
}

/** Ends the trouble with a route when it answers again. */
export function endTrouble(troubles: Troubles, request: FastifyRequest, reply: FastifyReply): void {
  if (troubles.isAny && reply.statusCode < 300) troubles.succeeded(workOf(request));
}

/** The one place where errors become answers. What is not meant for clients goes to the log. */
export function errorHandler(log: Logger, troubles: Troubles) {
  function logFailure(error: WotpError, request: FastifyRequest): void {
    const { code, message } = error;
    const requestId = request.id;
    // Each one: a client may ask what was behind its request id.
    if (code === 'INTERNAL_ERROR')
      log.error({ err: error.cause ?? error, requestId, code }, 'a request failed');
    // Nothing is broken: a number has to be linked, or a channel set up.
    else if (error instanceof ChannelError)
      troubles.failed(workOf(request), error, {
        message,
        level: 'warn',
        fields: { err: undefined, requestId, code },
      });
    else
      troubles.failed(workOf(request), error, { message: 'a request failed', fields: { requestId, code } });
  }

  return (error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const known = toWotpError(error, request);
    if (known.status >= 500) logFailure(known, request);
    return sendProblem(request, reply, known);
  };
}

function toWotpError(error: unknown, request: FastifyRequest): WotpError {
  if (error instanceof WotpError) return error;
  const { code, statusCode, validation, validationContext } = error as Partial<FastifyError>;
  if (validation)
    return new ValidationError(
      'The request is not valid.',
      fieldProblems(request, validation, validationContext),
    );
  switch (code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new WotpError('PAYLOAD_TOO_LARGE', `The body is larger than ${bodyLimitOf(request)} MB.`);
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new WotpError('UNSUPPORTED_MEDIA_TYPE', 'Send JSON with Content-Type: application/json.');
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new ValidationError('The body is not valid JSON.');
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new ValidationError('The body is empty, but its content type says JSON.');
    case 'FST_ERR_BAD_URL':
      return new ValidationError('The address is not a valid URL path.');
    case 'FST_ERR_MAX_PARAM_LENGTH':
      return new WotpError('RESOURCE_NOT_FOUND', 'There is nothing at this address.');
  }
  if (error instanceof SyntaxError && statusCode === 400)
    return new ValidationError('The body is not valid JSON.');
  if (statusCode === 403 || statusCode === 404) {
    return new WotpError('RESOURCE_NOT_FOUND', 'There is nothing at this address.');
  }
  if (statusCode === 400 || statusCode === 412 || statusCode === 416) {
    return new ValidationError('The request asks for something that this server does not support.');
  }
  if (statusCode === 408) return new WotpError('REQUEST_TIMEOUT', 'The request took too long to arrive.');
  if (statusCode === 503) {
    return new StoppingError(undefined, error);
  }
  return unforeseen(error, request);
}

/** An error that nobody has foreseen. Who calls on the control socket is the operator, and may know what it is. */
function unforeseen(error: unknown, { caller, id }: FastifyRequest): WotpError {
  if (caller.name !== 'cli') {
    return new WotpError(
      'INTERNAL_ERROR',
      'Something went wrong on our side. Give the request id to the operator.',
      { cause: error },
    );
  }
  const refusal = systemErrorText(error);
  if (refusal !== undefined) return new WotpError('SERVICE_UNAVAILABLE', refusal, { cause: error });
  const message = error instanceof Error ? error.message : String(error);
  return new WotpError('INTERNAL_ERROR', `${message}. The server's log has more, under request ${id}.`, {
    cause: error,
  });
}

/** The most MB that a body of the request's route may have. */
function bodyLimitOf({ headers, routeOptions: { bodyLimit, config } }: FastifyRequest): number {
  const isJson = /^application\/json\b/i.test(headers['content-type'] ?? '');
  return (isJson ? bodyLimit : (config.fileMaxBytes ?? bodyLimit)) / 1_048_576;
}

/** Answers errors that Node meets before there is a request: malformed HTTP, headers too large, time-outs. */
export function clientErrorHandler(securityHeaders: Readonly<Record<string, string>>) {
  return (error: NodeJS.ErrnoException, socket: Socket): void => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    answerOnSocket(securityHeaders, socket, connectionError(error.code));
  };
}

/** Refuses what asks for a tunnel (`CONNECT`), which Node would end without a word. */
export function tunnelHandler(securityHeaders: Readonly<Record<string, string>>) {
  const refusal = new WotpError(
    'METHOD_NOT_ALLOWED',
    'This server is not a proxy: CONNECT is not supported.',
    {
      allow: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    },
  );
  return (_request: IncomingMessage, stream: Duplex): void => {
    stream.on('error', () => stream.destroy());
    answerOnSocket(securityHeaders, stream, refusal);
  };
}

/** Writes a problem document where there is no reply to write it to, and ends the connection; its registry destroys it. */
function answerOnSocket(
  securityHeaders: Readonly<Record<string, string>>,
  socket: Duplex,
  known: WotpError,
): void {
  const requestId = crypto.randomUUID();
  const body = JSON.stringify(problemOf(known, requestId));
  const headers = {
    ...securityHeaders,
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId,
    'cache-control': 'no-store',
    connection: 'close',
    ...(known.details.allow && { allow: known.details.allow.join(', ') }),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${known.status} ${STATUS_CODES[known.status]}\r\n${lines.join('')}\r\n${body}`);
}

function connectionError(code: string | undefined): WotpError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new WotpError('HEADERS_TOO_LARGE', 'The headers are larger than 16 kB.');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new WotpError('REQUEST_TIMEOUT', 'The request took too long to arrive.');
    default:
      return new ValidationError('The request is not valid HTTP.');
  }
}
