import type { FastifyReply, FastifyRequest } from 'fastify';
import type { UsedUpLimit } from '../errors/errors.ts';
import type { Caller } from './caller.ts';

/** Counts requests against a limit, and tells the client how much is left of it; each throws RateLimitError when it is over. */
export interface RequestLimiter {
  /** A request for the health report or its figures. */
  countHealth(request: FastifyRequest, reply: FastifyReply): void;
  /** A request with a key. */
  countKey(caller: Caller, reply: FastifyReply): Promise<void>;
  /** A request without a valid key. */
  countAddress(request: FastifyRequest, reply: FastifyReply): Promise<void>;
  /** A request for the page that people sign in on, apart from the others. */
  countPage(request: FastifyRequest, reply: FastifyReply): Promise<void>;
}

/** How a request stands with a limit. */
interface LimitState extends UsedUpLimit {
  remaining: number;
  /** Whole seconds until `resetAt`. */
  resetSeconds: number;
}

/**
 * Tells how the request stands with a limit: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers),
 * before those that were told of already, and v3's three headers, which tell of the latest only.
 */
export function tellLimit(reply: FastifyReply, limit: LimitState): void {
  const { name, quota, windowMs, remaining, resetSeconds, resetAt } = limit;
  prepend(reply, 'ratelimit-policy', `"${name}";q=${quota};w=${Math.ceil(windowMs / 1000)}`);
  prepend(reply, 'ratelimit', `"${name}";r=${remaining};t=${resetSeconds}`);
  reply.header('x-ratelimit-limit', quota);
  reply.header('x-ratelimit-remaining', remaining);
  reply.header('x-ratelimit-reset', Math.ceil(resetAt / 1000));
}

function prepend(reply: FastifyReply, header: string, item: string): void {
  const others = reply.getHeader(header);
  reply.header(header, others === undefined ? item : `${item}, ${others}`);
}
