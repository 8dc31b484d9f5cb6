import type { FastifyReply, FastifyRequest } from 'fastify';
import { RateLimitError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Count, Counters } from '../limits/counters.ts';
import type { Caller } from './caller.ts';
import { tellLimit } from './limit-headers.ts';

const ADDRESS_WINDOW_MS = 60_000;
/** How many times a minute an address may ask for the health report and its figures. */
const HEALTH_PER_MINUTE = 600;

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
    name: 'key' | 'address' | 'health',
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

  async function consumeKey({ id, rateLimit }: { id: string; rateLimit: number | null }) {
    const quota = rateLimit ?? limits.maxRequests;
    return { quota, count: await counters.consume(`key:${id}`, quota, limits.windowMs) };
  }

  async function countAs(
    what: 'address' | 'page',
    { isControl, isForeign, clientIdentity }: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    if (isControl) return;
    const quota = limits.addressPerMinute;
    // Any site that somebody at this address looks at can send requests, which must not use up what is theirs.
    const counter = isForeign ? 'foreign' : what;
    const count = await counters.consume(`${counter}:${clientIdentity}`, quota, ADDRESS_WINDOW_MS);
    tellOrRefuse(reply, 'address', quota, ADDRESS_WINDOW_MS, count);
  }

  // In memory, since the report has to come also while nothing can be counted in the database.
  let healthCounts = new Map<string, number>();
  let healthCountsEnd = 0;

  return {
    /** Counts a request for the health report or its figures. Throws RateLimitError. */
    countHealth(request: FastifyRequest, reply: FastifyReply): void {
      if (request.isControl) return;
      if (clock.now() >= healthCountsEnd) {
        healthCounts = new Map();
        healthCountsEnd = clock.now() + ADDRESS_WINDOW_MS;
      }
      const count = healthCounts.get(request.clientIdentity) ?? 0;
      const allowed = count < HEALTH_PER_MINUTE;
      if (allowed) healthCounts.set(request.clientIdentity, count + 1);
      const remaining = Math.max(0, HEALTH_PER_MINUTE - count - 1);
      const state = { allowed, remaining, resetAt: healthCountsEnd };
      tellOrRefuse(reply, 'health', HEALTH_PER_MINUTE, ADDRESS_WINDOW_MS, state);
    },

    /**
     * Counts a request with a key, against its own limit and that of the key its family began with, and tells the client
     * of the one with less left. Throws RateLimitError.
     */
    async countKey(caller: Caller, reply: FastifyReply): Promise<void> {
      if (!caller.key) return;
      const own = await consumeKey(caller.key);
      const ofFamily = own.count.allowed && caller.key.root ? await consumeKey(caller.key.root) : own;
      const { quota, count } =
        ofFamily.count.allowed && own.count.remaining <= ofFamily.count.remaining ? own : ofFamily;
      tellOrRefuse(reply, 'key', quota, limits.windowMs, count);
    },

    /** Counts a request that came without a valid key, but for those of the control socket. Throws RateLimitError. */
    countAddress: (request: FastifyRequest, reply: FastifyReply) => countAs('address', request, reply),

    /** Counts a request for the page that people sign in on, apart from the others. Throws RateLimitError. */
    countPage: (request: FastifyRequest, reply: FastifyReply) => countAs('page', request, reply),
  };
}

function secondsUntil(at: number, now: number): number {
  return Math.max(1, Math.ceil((at - now) / 1000));
}
