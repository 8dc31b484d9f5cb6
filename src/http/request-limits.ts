import type { FastifyReply, FastifyRequest } from 'fastify';
import { RateLimitError } from '../errors/errors.ts';
import { addressIdentity } from '../lib/client-address.ts';
import type { Clock } from '../lib/clock.ts';
import type { Count, Counters } from '../limits/counters.ts';
import type { Caller } from './caller.ts';

const ADDRESS_WINDOW_MS = 60_000;

export interface RequestLimits {
  windowMs: number;
  /** Requests a key and window, unless the key has a limit of its own. */
  maxRequests: number;
  /** Requests a minute and client address without a valid key. */
  addressPerMinute: number;
}

/** Counts requests against the limit of their key or of their client address. Administrators are not counted. */
export function requestLimiter(counters: Counters, limits: RequestLimits, clock: Clock) {
  function refuseIfOver(count: Count, what: string): void {
    if (count.allowed) return;
    const seconds = secondsUntil(count.resetAt, clock.now());
    throw new RateLimitError(`The limit of ${what} is reached. Try again in ${seconds} s.`, seconds);
  }

  return {
    /** Counts a request with a key and tells the client how much is left. Throws RateLimitError. */
    async countKey(caller: Caller, reply: FastifyReply): Promise<void> {
      if (!caller.key) return;
      const limit = caller.key.rateLimit ?? limits.maxRequests;
      const count = await counters.consume(`key:${caller.key.id}`, limit, limits.windowMs);
      describe(reply, 'key', limit, limits.windowMs, count, clock.now());
      refuseIfOver(count, 'this API key');
    },

    /** Counts a request that came without a valid key. Throws RateLimitError. */
    async countAddress(request: FastifyRequest, reply: FastifyReply): Promise<void> {
      const address = addressIdentity(request.ip);
      const count = await counters.consume(`address:${address}`, limits.addressPerMinute, ADDRESS_WINDOW_MS);
      describe(reply, 'address', limits.addressPerMinute, ADDRESS_WINDOW_MS, count, clock.now());
      refuseIfOver(count, 'this client address');
    },
  };
}

function secondsUntil(at: number, now: number): number {
  return Math.max(1, Math.ceil((at - now) / 1000));
}

/** `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), and v3's three headers. */
function describe(
  reply: FastifyReply,
  policy: string,
  limit: number,
  windowMs: number,
  count: Count,
  now: number,
): void {
  const window = Math.ceil(windowMs / 1000);
  const reset = secondsUntil(count.resetAt, now);
  reply.header('ratelimit-policy', `"${policy}";q=${limit};w=${window}`);
  reply.header('ratelimit', `"${policy}";r=${count.remaining};t=${reset}`);
  reply.header('x-ratelimit-limit', limit);
  reply.header('x-ratelimit-remaining', count.remaining);
  reply.header('x-ratelimit-reset', Math.ceil(count.resetAt / 1000));
}
