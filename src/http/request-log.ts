import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from '../lib/logger.ts';
import { cleanTyped } from '../lib/typed-text.ts';
import { isOfHealth } from './access.ts';

/**
 * Writes the one line of a request when it has ended. Health probes are logged at `debug`. Bodies, queries and headers
 * never are.
 */
export function logRequest(
  log: Logger,
  request: FastifyRequest,
  reply: FastifyReply,
  { ms, aborted }: { ms: number; aborted: boolean },
): void {
  const line = {
    requestId: request.id,
    method: request.method,
    path: maskNumbers(request.url.split('?')[0]!),
    status: reply.statusCode,
    ms: Math.round(ms * 10) / 10,
    caller: request.caller.name,
    address: request.clientAddress,
    // The client was gone before it had the answer; what the request did stands.
    ...(aborted && { aborted }),
  };
  if (isOfHealth(request.routeOptions?.config?.access)) log.debug(line, 'request');
  else log.info(line, 'request');
}

/** A path as it may be logged: of a segment that may be a phone number only the last 4 digits are kept. */
function maskNumbers(path: string): string {
  if (!DIGITS_OF_A_PHONE_ANYWHERE.test(path)) return path;
  return path.split('/').map(maskSegment).join('/');
}

const ID_FORM = /^[a-z]{3}_[0-9a-z]{26}$/;
const DIGITS_OF_A_PHONE = 7;
// However it is encoded, a digit has a digit in it.
const DIGITS_OF_A_PHONE_ANYWHERE = new RegExp(`(?:\\d\\D*){${DIGITS_OF_A_PHONE}}`);

function maskSegment(segment: string): string {
  if (ID_FORM.test(segment)) return segment;
  const digits = cleanTyped(decoded(segment)).replace(/\D/g, '');
  return digits.length < DIGITS_OF_A_PHONE ? segment : `****${digits.slice(-4)}`;
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    // Not valid percent-encoding; as it stands it holds the digits in clear.
    return segment;
  }
}
