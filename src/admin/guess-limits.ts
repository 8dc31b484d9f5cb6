import type { Database } from '../database/database.ts';
import { RateLimitError } from '../errors/errors.ts';
import { networkOf } from '../lib/client-address.ts';
import type { Clock } from '../lib/clock.ts';
import { DAY_MS, MINUTE_MS } from '../lib/duration.ts';
import { COUNTED_MAX_MS, type Counters } from '../limits/counters.ts';

const ADDRESS_WINDOW_MS = 15 * MINUTE_MS;
/** Each is recorded, so they are bounded, though nobody can guess one. */
const WRONG_LINKS_MAX = 100;
/** An IPv6 network of 48 bits has so many times the guesses of an address: it holds 65,536 subscribers. */
const PER_NETWORK = 5;
const CEILING = 1_000;
const CEILING_WINDOW_MS = COUNTED_MAX_MS;
const ADDRESS_KNOWN_MS = 30 * DAY_MS;

interface Limit {
  key: string;
  quota: number;
  windowMs: number;
  /** Whose wrong passwords it counts, in the sentence of the refusal. */
  whose: string;
}

/** A guess at the admin password that has been counted. */
export interface CountedGuess {
  /** Takes the count back, as the guess was none. */
  uncount(): Promise<void>;
}

/**
 * The limits of guesses at the admin password: by client address, by IPv6 network, and over all addresses from which
 * the administrator has not signed in within 30 days. A guess is counted in one step, before it is compared.
 */
export function guessLimits(deps: {
  database: Database;
  clock: Clock;
  counters: Counters;
  /** Wrong passwords from one client address in 15 minutes. */
  failuresMax: number;
}) {
  const { database, clock, counters, failuresMax } = deps;
  /** Address -> when the sign-in from it that is in the database was (Unix ms). */
  const noted = new Map<string, number>();

  async function isKnown(address: string): Promise<boolean> {
    const row = await database.reader
      .selectFrom('admin_addresses')
      .select('signed_in_at')
      .where('address', '=', address)
      .executeTakeFirst();
    return row !== undefined && clock.now() < row.signed_in_at + ADDRESS_KNOWN_MS;
  }

  async function sharedLimitsOf(address: string): Promise<Limit[]> {
    if (await isKnown(address)) return [];
    const network = networkOf(address);
    const ofNetwork = {
      key: `sign-in:${network}`,
      quota: failuresMax * PER_NETWORK,
      windowMs: ADDRESS_WINDOW_MS,
      whose: 'from this network',
    };
    return [...(network === undefined ? [] : [ofNetwork]), CEILING_LIMIT];
  }

  return {
    /**
     * Counts a guess from a client address, as `addressIdentity` writes it.
     * @throws RateLimitError when one of its limits is used up; then nothing is counted
     */
    async count(address: string): Promise<CountedGuess> {
      const counted: { key: string; startedAt: number }[] = [];
      const uncount = async () => {
        for (const { key, startedAt } of counted) await counters.uncount(key, startedAt);
      };
      const take = async ({ key, quota, windowMs, whose }: Limit) => {
        const { allowed, resetAt } = await counters.consume(key, quota, windowMs);
        if (allowed) {
          counted.push({ key, startedAt: resetAt - windowMs });
          return;
        }
        await uncount();
        const seconds = Math.max(1, Math.ceil((resetAt - clock.now()) / 1000));
        throw new RateLimitError(
          `Too many wrong passwords ${whose}. Try again in ${seconds} s, or use the sign-in link.`,
          seconds,
          { name: 'sign-in', quota, windowMs, resetAt },
        );
      };
      await take({
        key: `sign-in:${address}`,
        quota: failuresMax,
        windowMs: ADDRESS_WINDOW_MS,
        whose: 'from this address',
      });
      for (const limit of await sharedLimitsOf(address)) await take(limit);
      return { uncount };
    },

    /**
     * Counts a sign-in link that is no good, apart from the passwords. A good one is never refused.
     * @throws RateLimitError after too many from the address
     */
    async countWrongLink(address: string): Promise<void> {
      const limit = { quota: WRONG_LINKS_MAX, windowMs: ADDRESS_WINDOW_MS };
      const { allowed, resetAt } = await counters.consume(
        `sign-in-link:${address}`,
        limit.quota,
        limit.windowMs,
      );
      if (allowed) return;
      const seconds = Math.max(1, Math.ceil((resetAt - clock.now()) / 1000));
      const message = `Too many wrong sign-in links from this address. Try again in ${seconds} s.`;
      throw new RateLimitError(message, seconds, { name: 'sign-in', ...limit, resetAt });
    },

    /** Remembers for 30 days that the administrator signed in from an address. Never rejects. */
    async noteSignIn(address: string): Promise<void> {
      const now = clock.now();
      if (!isAddress(address) || now < (noted.get(address) ?? 0) + DAY_MS) return;
      const change = database.transaction(async (trx) => {
        await trx
          .deleteFrom('admin_addresses')
          .where('signed_in_at', '<=', now - ADDRESS_KNOWN_MS)
          .execute();
        await trx
          .insertInto('admin_addresses')
          .values({ address, signed_in_at: now })
          .onConflict((conflict) => conflict.column('address').doUpdateSet({ signed_in_at: now }))
          .execute();
      });
      // A full disk must not keep the administrator out; the next sign-in tries again.
      const written = await change.then(
        () => true,
        () => false,
      );
      if (written) noted.set(address, now);
    },
  };
}

const CEILING_LIMIT: Limit = {
  key: 'sign-in:*',
  quota: CEILING,
  windowMs: CEILING_WINDOW_MS,
  whose: 'from addresses that have not signed in before',
};

/** Whether the identity of a client is that of one address or network, not of all whose address is unknown. */
function isAddress(identity: string): boolean {
  return /[.:]/.test(identity);
}
