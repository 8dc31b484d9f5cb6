import type { Database, Transaction } from '../database/database.ts';
import { RateLimitError } from '../errors/errors.ts';
import { networkOf } from '../lib/client-address.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../lib/duration.ts';
import { firstIdAt, timeOfId } from '../lib/id.ts';
import type { Settings } from '../settings/settings.ts';
import type { VerificationRepository } from './repository.ts';

/** A new verification that may be sent. */
export interface SpreadSend {
  projectId: number;
  /** The phone folded to one identity. */
  identity: string;
  /** The end user's address, normalized; null where the caller did not give it. */
  clientIp: string | null;
  /** Unix ms. */
  now: number;
}

/** Counts a send that was let through, under the id of its verification. */
type CountSend = (verificationId: string) => Promise<void>;

const PREFIX_WINDOW_MS = 10 * MINUTE_MS;
/** So many numbers of a block that were verified in the last day show that people are asking. */
const VERIFIED_LIFT = 3;
const LAST_DIGITS = 4;
/** An IPv6 network of 48 bits may have so many times the sends of an address. */
const PER_NETWORK = 5;

/** What is counted together: the newest verifications, and how many of them may lie in the window. */
interface Window {
  key: string;
  limit: number;
  windowMs: number;
  name: string;
  refusal: string;
  /** Of a full window, those that still count. */
  counting(ids: string[]): Promise<string[]>;
}

/**
 * Limits of new verifications over many phones. A send looks at its windows and is counted in them within the
 * transaction that stores it, alone with them; what is refused changes nothing. Whether a send was verified is looked
 * up when a window is full, so no check has to give anything back.
 */
export type SpreadLimits = ReturnType<typeof spreadLimits>;

export function spreadLimits(deps: {
  database: Database;
  repository: VerificationRepository;
  settings: Settings;
}) {
  const { database, repository, settings } = deps;

  const read = database.prepare<
    { one: string; two: string; three: string },
    { key: string; verifications: string }
  >((db, value) =>
    db
      .selectFrom('recent_sends')
      .select(['key', 'verifications'])
      .where('key', 'in', [value('one'), value('two'), value('three')]),
  );
  const write = database.prepareChange<{ key: string; verifications: string; hour: number }>((db, value) =>
    db
      .insertInto('recent_sends')
      .values({ key: value('key'), verifications: value('verifications'), used_hour: value('hour') })
      .onConflict((conflict) =>
        conflict.column('key').doUpdateSet((eb) => ({
          verifications: eb.ref('excluded.verifications'),
          used_hour: eb.ref('excluded.used_hour'),
        })),
      ),
  );

  function windowsOf(trx: Transaction, { projectId, identity, clientIp, now }: SpreadSend): Window[] {
    const rules = settings.of(projectId).spread;
    const windows: Window[] = [];
    if (rules.perClientIp > 0 && clientIp !== null) {
      const windowOf = (client: string, limit: number, who: string): Window => ({
        key: `client ${projectId} ${client}`,
        limit,
        windowMs: HOUR_MS,
        name: 'client',
        refusal: `${who} was sent too many codes that nobody has verified.`,
        async counting(ids) {
          const verified = await repository.verifiedAmong(trx, projectId, ids);
          return ids.filter((id) => !verified.has(id));
        },
      });
      windows.push(windowOf(clientIp, rules.perClientIp, 'This client address'));
      const network = networkOf(clientIp);
      if (network !== undefined)
        windows.push(windowOf(network, rules.perClientIp * PER_NETWORK, 'The network of this client'));
    }
    if (rules.perPrefix > 0) {
      const prefix = identity.slice(0, -LAST_DIGITS);
      windows.push({
        key: `prefix ${projectId} ${prefix}`,
        limit: rules.perPrefix,
        windowMs: PREFIX_WINDOW_MS,
        name: 'prefix',
        refusal:
          'Too many codes were sent to numbers that differ from this one in their last four digits only.',
        async counting(ids) {
          const verified = await repository.verifiedPhones(trx, {
            projectId,
            from: `${prefix}0000`,
            to: `${prefix}9999`,
            since: now - DAY_MS,
            atMost: VERIFIED_LIFT,
          });
          return verified < VERIFIED_LIFT ? ids : [];
        },
      });
    }
    return windows;
  }

  /** What counts in each window, by its key. Throws RateLimitError when one of them is full. */
  async function look(trx: Transaction, windows: readonly Window[], now: number) {
    const [one, two = one, three = one] = windows.map(({ key }) => key);
    const rows = await read(trx, { one: one!, two: two!, three: three! });
    const counted = new Map<string, string[]>();
    let refused: { window: Window; allowedAt: number } | undefined;
    for (const window of windows) {
      const { key, limit, windowMs } = window;
      const stored = rows.find((row) => row.key === key)?.verifications ?? '[]';
      const first = firstIdAt('ver', now - windowMs + 1);
      let ids = (JSON.parse(stored) as string[]).filter((id) => id >= first);
      if (ids.length >= limit) ids = await window.counting(ids);
      if (ids.length >= limit) {
        const allowedAt = timeOfId('ver', ids.at(-limit)!) + windowMs;
        if (!refused || allowedAt > refused.allowedAt) refused = { window, allowedAt };
      }
      counted.set(key, ids);
    }
    if (refused) throw tooMany(refused.window, refused.allowedAt, now);
    return counted;
  }

  return {
    /**
     * Lets a new verification through; what it resolves to counts it.
     * @throws RateLimitError when there are too many
     */
    async admit(trx: Transaction, send: SpreadSend): Promise<CountSend> {
      const windows = windowsOf(trx, send);
      if (windows.length === 0) return async () => {};
      // What is full as far as is committed is refused without waiting for those that are being sent.
      if (!database.isExclusive) await look(trx, windows, send.now);
      // In one order everywhere, after the phone: so that no two sends wait for each other.
      for (const { key } of windows) await database.serialize(trx, key);
      const counted = await look(trx, windows, send.now);
      const hour = Math.floor(send.now / HOUR_MS);
      return async (verificationId) => {
        for (const { key } of windows) {
          const verifications = JSON.stringify([...counted.get(key)!, verificationId]);
          await write(trx, { key, verifications, hour });
        }
      };
    },

    /** Deletes up to `limit` rows in which nothing counts any more; resolves to how many there were. */
    async forget(trx: Transaction, now: number, limit: number): Promise<number> {
      const rows = await trx
        .deleteFrom('recent_sends')
        .where('key', 'in', (eb) =>
          eb
            .selectFrom('recent_sends')
            .select('key')
            .where('used_hour', '<', Math.floor(now / HOUR_MS) - 1)
            .limit(limit),
        )
        .returning('key')
        .execute();
      return rows.length;
    },
  };
}

function tooMany(
  { name, limit: quota, windowMs, refusal }: Window,
  resetAt: number,
  now: number,
): RateLimitError {
  const seconds = Math.max(1, Math.ceil((resetAt - now) / 1000));
  return new RateLimitError(`${refusal} Try again in ${seconds} s.`, seconds, {
    name,
    quota,
    windowMs,
    resetAt,
  });
}
