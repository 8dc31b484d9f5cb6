import type { FastifyReply, FastifyRequest } from 'fastify';
import { RateLimitError } from '../errors/errors.ts';
import type { Caller, CallingKey } from '../http/caller.ts';
import { type RequestLimiter, tellLimit } from '../http/limit-headers.ts';
import type { Clock } from '../lib/clock.ts';
import type { Count, Counters } from './counters.ts';

const ADDRESS_WINDOW_MS = 60_000;
/** How many times a minute an address may ask for the health report and its figures. */
const HEALTH_PER_MINUTE = 600;

export interface RequestLimits {
  windowMs: number;
  /** Requests a minute and client address without a valid key. */
  addressPerMinute: number;
}

/**
 * Counts requests against the limit of their key or of their client address. Administrators are not counted.
 * @param keyRequests requests a window of a project's key, unless the key has a limit of its own
 */
export function requestLimiter(
  counters: Counters,
  limits: RequestLimits,
  keyRequests: (projectId: number) => number,
  clock: Clock,
): RequestLimiter {
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

  const quotaOf = (projectId: number, { rateLimit }: Pick<CallingKey, 'rateLimit'>) =>
    rateLimit ?? keyRequests(projectId);
  const consume = (projectId: number, key: Pick<CallingKey, 'id' | 'rateLimit'>) =>
    counters.consume(`key:${key.id}`, quotaOf(projectId, key), limits.windowMs);

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
      const { key } = caller;
      if (!key) return;
      const { projectId, root } = key;
      const own = await consume(projectId, key);
      const ofFamily = own.allowed && root ? await consume(projectId, root) : undefined;
      const isOfFamily = ofFamily && (!ofFamily.allowed || ofFamily.remaining < own.remaining);
      const [counted, count] = isOfFamily ? [root!, ofFamily] : [key, own];
      tellOrRefuse(reply, 'key', quotaOf(projectId, counted), limits.windowMs, count);
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
