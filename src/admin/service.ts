import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Database, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import type { Clock } from '../lib/clock.ts';
import { MINUTE_MS } from '../lib/duration.ts';
import type { Counters } from '../limits/counters.ts';
import { guessLimits } from './guess-limits.ts';
import { pageSessions } from './page-sessions.ts';
import { hashPassword, passwordMatches } from './password.ts';

const REMEMBERED_MS = 5 * MINUTE_MS;
const SIGN_IN_LINK_MS = 15 * MINUTE_MS;

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
  /** Keeps in the events that a password or a sign-in link was wrong. */
  onWrong: (address: string) => Promise<void>;
}) {
  const { database, clock, configuredPassword, onWrong } = deps;
  const limits = guessLimits(deps);
  const sessions = pageSessions(deps);
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

  async function isRight(candidate: string, mac: Buffer): Promise<boolean> {
    if (await isKnownRight(mac)) return true;
    return configuredPassword === undefined && matchesStoredHash(candidate, mac);
  }

  async function matchesStoredHash(candidate: string, mac: Buffer): Promise<boolean> {
    const hash = await storedHash();
    const matches = hash !== undefined && (await passwordMatches(candidate, hash));
    // The password was changed while this one was compared with the old hash.
    if (hash !== (await storedHash())) return matchesStoredHash(candidate, mac);
    if (!matches) return false;
    remembered = { mac, until: clock.now() + REMEMBERED_MS, hash };
    return true;
  }

  /** Counts a guess, then compares; a right one is not counted in the end. A wrong one is recorded. */
  async function guessed(address: string, compare: () => Promise<boolean>): Promise<boolean> {
    const guess = await limits.count(address);
    if (!(await compare())) {
      await onWrong(address);
      return false;
    }
    await guess.uncount();
    await limits.noteSignIn(address);
    return true;
  }

  /** Keeps the slow hash of a new password, as `hashPassword` makes it, and ends every session. */
  async function keepPassword(trx: Transaction, value: string): Promise<void> {
    await trx
      .insertInto('settings')
      .values({ key: PASSWORD_SETTING, value })
      .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
      .execute();
    await sessions.closeAll(trx);
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
     * Checks an admin password from a client address, as `addressIdentity` writes it. A right one is remembered as a
     * keyed hash for at most 5 minutes.
     * @throws RateLimitError after too many wrong ones, before anything is compared
     */
    checkPassword(candidate: string, address: string): Promise<boolean> {
      const mac = keyed(candidate);
      // Requests that come together with the same password share one comparison and one count.
      const id = `${address} ${mac.toString('hex')}`;
      let check = checksUnderWay.get(id);
      if (!check) {
        check = guessed(address, () => isRight(candidate, mac)).finally(() => checksUnderWay.delete(id));
        checksUnderWay.set(id, check);
      }
      return check;
    },

    /** Checks an admin password that came over the control socket, whose callers are not limited. */
    checkLocalPassword: (candidate: string): Promise<boolean> => isRight(candidate, keyed(candidate)),

    /** Makes the one-time token of the sign-in link; it works once, within 15 minutes. */
    newSignInToken(): string {
      const token = randomBytes(32).toString('base64url');
      signInToken = { mac: keyed(token), until: clock.now() + SIGN_IN_LINK_MS };
      return token;
    },

    /**
     * Whether a token of the sign-in link is good; it is used up by that. Nobody is locked out of it: its 256 random
     * bits cannot be guessed.
     * @throws RateLimitError for a wrong one after too many of them
     */
    async useSignInToken(candidate: string, address: string): Promise<boolean> {
      const right =
        signInToken !== undefined &&
        signInToken.until > clock.now() &&
        timingSafeEqual(keyed(candidate), signInToken.mac);
      if (!right) {
        await limits.countWrongLink(address);
        await onWrong(address);
        return false;
      }
      signInToken = undefined;
      await limits.noteSignIn(address);
      return true;
    },

    /** Sessions of signed-in pages. */
    sessions,
  };
}
