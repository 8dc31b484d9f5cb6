import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Database, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import { RateLimitError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import type { Count, Counters } from '../limits/counters.ts';
import { hashPassword, passwordMatches } from './password.ts';

const SIGN_IN_WINDOW_MS = 15 * 60 * 1000;
const REMEMBERED_MS = 5 * 60 * 1000;
const SIGN_IN_LINK_MS = 15 * 60 * 1000;
const SESSION_IDLE_MS = 30 * 60 * 1000;
const SESSION_LIFE_MS = 12 * 60 * 60 * 1000;
/** The time of the last use is written at most this often. */
const SESSION_TOUCH_MS = 60 * 1000;

const PASSWORD_SETTING = 'admin_password_hash';

/** The administrator: the password, the one-time sign-in link and the page's sessions. */
export type AdminService = ReturnType<typeof adminService>;

export function adminService(deps: {
  database: Database;
  keyring: Keyring;
  clock: Clock;
  counters: Counters;
  /** The password from the configuration; undefined when it was generated on the first run. */
  configuredPassword: string | undefined;
  /** Wrong passwords from one client address in 15 minutes. */
  failuresMax: number;
}) {
  const { database, keyring, clock, counters, configuredPassword, failuresMax } = deps;
  // A key of this process only: what is remembered under it is of no use to anybody else.
  const memoryKey = randomBytes(32);
  const keyed = (secret: string) => createHmac('sha256', memoryKey).update(secret).digest();
  let remembered: { mac: Buffer; until: number; hash: string } | undefined;
  const checksUnderWay = new Map<string, Promise<boolean>>();
  let signInToken: { mac: Buffer; until: number } | undefined;

  /** Right without any slow work: the configured password, or one that was found right a moment ago. */
  async function isKnownRight(mac: Buffer): Promise<boolean> {
    if (configuredPassword !== undefined) return timingSafeEqual(mac, keyed(configuredPassword));
    if (!remembered || remembered.until <= clock.now() || !timingSafeEqual(mac, remembered.mac)) return false;
    // Another process may have changed the password.
    return remembered.hash === (await storedHash());
  }

  async function storedHash(): Promise<string | undefined> {
    const row = await database.reader
      .selectFrom('settings')
      .select('value')
      .where('key', '=', PASSWORD_SETTING)
      .executeTakeFirst();
    return row?.value;
  }

  async function matchesStoredHash(candidate: string, mac: Buffer): Promise<boolean> {
    const hash = await storedHash();
    const isRight = hash !== undefined && (await passwordMatches(candidate, hash));
    // The password was changed while this one was compared with the old hash.
    if (hash !== (await storedHash())) return matchesStoredHash(candidate, mac);
    if (!isRight) return false;
    remembered = { mac, until: clock.now() + REMEMBERED_MS, hash };
    return true;
  }

  function refuseIfOver({ allowed, resetAt }: Count): void {
    if (allowed) return;
    const seconds = Math.max(1, Math.ceil((resetAt - clock.now()) / 1000));
    throw new RateLimitError(
      `Too many wrong passwords from this address. Try again in ${seconds} s.`,
      seconds,
      { name: 'sign-in', quota: failuresMax, windowMs: SIGN_IN_WINDOW_MS, resetAt },
    );
  }

  /**
   * Refuses an address that has failed too often, then checks. A failure is counted before any slow work and taken
   * back if it was none, so parallel guesses cannot outrun the limit.
   */
  async function throttled(
    address: string,
    isRightAtOnce: () => boolean | Promise<boolean>,
    isRightAfterWork?: () => Promise<boolean>,
  ): Promise<boolean> {
    const counter = `sign-in:${address}`;
    refuseIfOver(await counters.peek(counter, failuresMax, SIGN_IN_WINDOW_MS));
    if (await isRightAtOnce()) return true;
    refuseIfOver(await counters.consume(counter, failuresMax, SIGN_IN_WINDOW_MS));
    const right = (await isRightAfterWork?.()) ?? false;
    if (right) await counters.giveBack(counter);
    return right;
  }

  /** Keeps the slow hash of a new password, as `hashPassword` makes it, and ends every session. */
  async function keepPassword(trx: Transaction, value: string): Promise<void> {
    await trx
      .insertInto('settings')
      .values({ key: PASSWORD_SETTING, value })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
      .execute();
    await trx.deleteFrom('admin_sessions').execute();
  }

  /**
   * What is kept of a session's cookie. It is bound to the configured password and to the master key: once another takes
   * the place of either, no cookie of before is known any more.
   */
  function sessionHash(token: string): string {
    return createHmac('sha256', keyring.key('admin-session'))
      .update(`${configuredPassword ?? ''}\0${token}`)
      .digest('hex');
  }

  return {
    /** Whether an admin password is set at all. */
    async hasPassword(): Promise<boolean> {
      if (configuredPassword !== undefined) return true;
      return (await storedHash()) !== undefined;
    },

    /** Keeps the slow hash of a password and ends every session. */
    async setPassword(password: string): Promise<void> {
      const hash = await hashPassword(password);
      await database.transaction((trx) => keepPassword(trx, hash));
    },

    keepPassword,

    /**
     * Checks an admin password from a client address. A right one is remembered as a keyed hash for at most 5 minutes.
     * @throws RateLimitError after too many wrong ones, before any slow hash
     */
    checkPassword(candidate: string, address: string): Promise<boolean> {
      const mac = keyed(candidate);
      // Requests that come together with the same password share one slow hash and one count.
      const id = `${address} ${mac.toString('hex')}`;
      let check = checksUnderWay.get(id);
      if (!check) {
        const slowly = configuredPassword === undefined ? () => matchesStoredHash(candidate, mac) : undefined;
        check = throttled(address, () => isKnownRight(mac), slowly).finally(() => checksUnderWay.delete(id));
        checksUnderWay.set(id, check);
      }
      return check;
    },

    /** Makes the one-time token of the sign-in link; it works once, within 15 minutes. */
    newSignInToken(): string {
      const token = randomBytes(32).toString('base64url');
      signInToken = { mac: keyed(token), until: clock.now() + SIGN_IN_LINK_MS };
      return token;
    },

    /** Uses up the sign-in token. Throws RateLimitError after too many wrong ones. */
    useSignInToken(candidate: string, address: string): Promise<boolean> {
      return throttled(address, () => {
        const right =
          signInToken !== undefined &&
          signInToken.until > clock.now() &&
          timingSafeEqual(keyed(candidate), signInToken.mac);
        if (right) signInToken = undefined;
        return right;
      });
    },

    /** Opens a session; returns the cookie's value (256 random bits) and when it ends at the latest (Unix ms). */
    async openSession(trx: Transaction): Promise<{ token: string; expiresAt: number }> {
      const token = randomBytes(32).toString('base64url');
      const now = clock.now();
      await trx
        .deleteFrom('admin_sessions')
        .where('created_at', '<', now - SESSION_LIFE_MS)
        .execute();
      await trx
        .insertInto('admin_sessions')
        .values({ hash: sessionHash(token), created_at: now, last_seen_at: now })
        .execute();
      return { token, expiresAt: now + SESSION_LIFE_MS };
    },

    /** When the session behind a cookie ends (Unix ms); undefined when there is none, or it is over. */
    async sessionEnd(token: string): Promise<number | undefined> {
      const hash = sessionHash(token);
      const row = await database.reader
        .selectFrom('admin_sessions')
        .selectAll()
        .where('hash', '=', hash)
        .executeTakeFirst();
      const now = clock.now();
      if (!row || now >= row.created_at + SESSION_LIFE_MS || now >= row.last_seen_at + SESSION_IDLE_MS)
        return undefined;
      if (now >= row.last_seen_at + SESSION_TOUCH_MS) {
        await database.transaction(async (trx) => {
          await trx
            .updateTable('admin_sessions')
            .set({ last_seen_at: now })
            .where('hash', '=', hash)
            .execute();
        });
      }
      return row.created_at + SESSION_LIFE_MS;
    },

    /** Ends a session on the server. */
    async closeSession(trx: Transaction, token: string): Promise<void> {
      await trx.deleteFrom('admin_sessions').where('hash', '=', sessionHash(token)).execute();
    },
  };
}
