import type { FastifyReply, FastifyRequest } from 'fastify';
import { RateLimitError } from '../errors/errors.ts';
import { addressIdentity } from '../lib/client-address.ts';
import type { Clock } from '../lib/clock.ts';
import type { Count, Counters } from '../limits/counters.ts';
import type { Caller } from './caller.ts';
import { tellLimit } from './limit-headers.ts';

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
  /** Tells the client how much is left of a limit, or refuses the request when it is over. */
  function tellOrRefuse(
    reply: FastifyReply,
    name: 'key' | 'address',
    quota: number,
    windowMs: number,
    { allowed, remaining, resetAt }: Count,
  ): void {
    const resetSeconds = secondsUntil(resetAt, clock.now());
    if (allowed) {
      tellLimit(reply, { name, quota, windowMs, remaining, resetAt, resetSeconds });
      return;
    }
    const what = name === 'key' ? 'this API key' : 'this client address';
    const message = `The limit of ${what} is reached. Try again in ${resetSeconds} s.`;
    throw new RateLimitError(message, resetSeconds, { name, quota, windowMs, resetAt });
  }

  return {
    /** Counts a request with a key and tells the client how much is left. Throws RateLimitError. */
    async countKey(caller: Caller, reply: FastifyReply): Promise<void> {
      if (!caller.key) return;
      const quota = caller.key.rateLimit ?? limits.maxRequests;
      const count = await counters.consume(`key:${caller.key.id}`, quota, limits.windowMs);
      tellOrRefuse(reply, 'key', quota, limits.windowMs, count);
    },

    /** Counts a request that came without a valid key. Throws RateLimitError. */
    async countAddress(request: FastifyRequest, reply: FastifyReply): Promise<void> {
      const address = addressIdentity(request.ip);
      const quota = limits.addressPerMinute;
      const count = await counters.consume(`address:${address}`, quota, ADDRESS_WINDOW_MS);
      tellOrRefuse(reply, 'address', quota, ADDRESS_WINDOW_MS, count);
    },
  };
}

function secondsUntil(at: number, now: number): number {
  return Math.max(1, Math.ceil((at - now) / 1000));
}
