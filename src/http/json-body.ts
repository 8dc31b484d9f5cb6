import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodType } from 'zod';
import { ValidationError, WotpError } from '../errors/errors.ts';
import { BODY_MAX_DEPTH, BODY_MAX_MEMBERS, beyondBounds } from './json-bounds.ts';
import { unfitTextInBody } from './unfit-text.ts';

/** Takes JSON in UTF-8 and within bounds as the body of a request, and nothing else. */
export function takeJsonBodies(server: FastifyInstance): void {
  server.removeContentTypeParser('text/plain');
  const parseJson = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
    // v3's clients name a type also where they send nothing.
    if (bytes.length === 0 && mayBeEmpty(request.routeOptions.schema?.body)) {
      done(null, undefined);
      return;
    }
    if (!saysUtf8(request.headers['content-type'])) {
      done(new WotpError('UNSUPPORTED_MEDIA_TYPE', 'Send JSON in UTF-8: Content-Type: application/json.'));
      return;
    }
    const text = bytes.toString('utf8');
    // What is not UTF-8 was read as U+FFFD, which may also be meant.
    if (text.includes('\ufffd') && !isUtf8(bytes)) {
      done(new ValidationError('The body is not valid UTF-8.'));
      return;
    }
    const unfit = beyondItsBounds(request, text);
    if (unfit) done(unfit);
    else
      parseJson(request, text, (error, value) => done(error ?? unfitTextInBody(text, value) ?? null, value));
  });
}

/**
 * Refuses a body in another coding than its own bytes (RFC 9110, 8.4), whether it is in that coding or only says so.
 * @throws WotpError UNSUPPORTED_MEDIA_TYPE, with what is taken in `Accept-Encoding`
 */
export function refuseCodedBody({ headers }: FastifyRequest, reply: FastifyReply): void {
  const coding = headers['content-encoding'];
  if (coding === undefined || coding.trim().toLowerCase() === 'identity') return;
  reply.header('accept-encoding', 'identity');
  throw new WotpError('UNSUPPORTED_MEDIA_TYPE', 'Send the body uncompressed, without Content-Encoding.');
}

/** What makes a body too much work for its size. */
function beyondItsBounds(request: FastifyRequest, body: string): ValidationError | undefined {
  // A text holds fewer members than characters, so a route with more room need not be asked about a short one.
  const maxMembers =
    body.length > BODY_MAX_MEMBERS
      ? (request.routeOptions.config.bodyMaxMembers ?? BODY_MAX_MEMBERS)
      : BODY_MAX_MEMBERS;
  switch (beyondBounds(body, maxMembers)) {
    case 'depth':
      return new ValidationError(`The body is too deep: it may have at most ${BODY_MAX_DEPTH} levels.`);
    case 'members':
      return new ValidationError(
        `The body has too many members: at most ${maxMembers} in all its objects and arrays together.`,
      );
  }
  return undefined;
}

/** Whether the type of a body names no other charset: JSON between systems has this one (RFC 8259, 8.1). */
function saysUtf8(contentType = ''): boolean {
  if (!contentType.includes(';')) return true;
  const [, charset = 'utf-8'] = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(contentType) ?? [];
  return /^utf-?8$/i.test(charset);
}

function mayBeEmpty(schema: unknown): boolean {
  return schema === undefined || (schema as ZodType).safeParse(undefined).success;
}
