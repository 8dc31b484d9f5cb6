import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Database, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import type { Clock } from '../lib/clock.ts';
import { HOUR_MS, MINUTE_MS } from '../lib/duration.ts';
import type { Counters } from '../limits/counters.ts';

const IDLE_MS = 30 * MINUTE_MS;
const LIFE_MS = 12 * HOUR_MS;
/** The time of the last use is written at most this often. */
const TOUCH_MS = MINUTE_MS;
const TICKET_MS = 30_000;

/** A session that was just opened. */
export interface OpenedSession {
  /** The cookie's value: 256 random bits, base64url. */
  token: string;
  /** What has to accompany the cookie; only the page that signed in knows it. Base64url. */
  secret: string;
  /** When it ends at the latest (Unix ms). */
  expiresAt: number;
}

/**
 * Sessions of signed-in pages. A browser sends a cookie to every port of a host, so a cookie alone opens nothing: a
 * second secret accompanies it, in a header, or a ticket that was got with that secret.
 */
export function pageSessions(deps: {
  database: Database;
  keyring: Keyring;
  clock: Clock;
  counters: Counters;
  /** Every session ends when it changes. */
  configuredPassword: string | undefined;
}) {
  const { database, keyring, clock, counters, configuredPassword } = deps;
  // Where no other process answers, a ticket ends with this one, and so does what is counted of it only in memory.
  const ticketKey = database.isExclusive ? randomBytes(32) : keyring.key('admin-session');

  /**
   * What is derived from a session's cookie. It is bound to the configured password and to the master key: once another
   * takes the place of either, no cookie of before is known any more.
   */
  const derived = (token: string, ...purpose: string[]): Buffer =>
    createHmac('sha256', keyring.key('admin-session'))
      .update([configuredPassword ?? '', token, ...purpose].join('\0'))
      .digest();
  const hashOf = (token: string): string => derived(token).toString('hex');

  const ticketMac = (token: string, nonce: string, expiresAt: string): Buffer =>
    createHmac('sha256', ticketKey)
      .update(`${hashOf(token)}\0${nonce}\0${expiresAt}\0ticket`)
      .digest();

  async function openRow(token: string) {
    const row = await database.reader
      .selectFrom('admin_sessions')
      .selectAll()
      .where('hash', '=', hashOf(token))
      .executeTakeFirst();
    const now = clock.now();
    if (!row || now >= row.created_at + LIFE_MS || now >= row.last_seen_at + IDLE_MS) return undefined;
    return row;
  }

  return {
    /** Opens a session. */
    async open(trx: Transaction): Promise<OpenedSession> {
      const token = randomBytes(32).toString('base64url');
      const now = clock.now();
      await trx
        .deleteFrom('admin_sessions')
        .where('created_at', '<', now - LIFE_MS)
        .execute();
      await trx
        .insertInto('admin_sessions')
        .values({ hash: hashOf(token), created_at: now, last_seen_at: now })
        .execute();
      return { token, secret: derived(token, 'secret').toString('base64url'), expiresAt: now + LIFE_MS };
    },

    /** Whether a secret is the one that accompanies a cookie. Compares in constant time. */
    isSecretOf(token: string, secret: string): boolean {
      return isSame(derived(token, 'secret'), secret);
    },

    /** When the session behind a cookie ends (Unix ms); undefined when there is none, or it has ended. A use of it. */
    async endOf(token: string): Promise<number | undefined> {
      const row = await openRow(token);
      const now = clock.now();
      if (row && now >= row.last_seen_at + TOUCH_MS) {
        await database.transaction(async (trx) => {
          await trx
            .updateTable('admin_sessions')
            .set({ last_seen_at: now })
            .where('hash', '=', row.hash)
            .execute();
        });
      }
      return row && row.created_at + LIFE_MS;
    },

    /** Whether there is a session behind a cookie that has not ended. To ask is no use of it. */
    async isOpen(token: string): Promise<boolean> {
      return (await openRow(token)) !== undefined;
    },

    /** Makes a ticket that stands in for the secret once, within 30 s (`expiresAt`, Unix ms). */
    newTicket(token: string): { ticket: string; expiresAt: number } {
      const nonce = randomBytes(16).toString('base64url');
      const expiresAt = clock.now() + TICKET_MS;
      const mac = ticketMac(token, nonce, String(expiresAt)).toString('base64url');
      return { ticket: `${nonce}.${expiresAt}.${mac}`, expiresAt };
    },

    /** Whether a ticket of this session was good; it is used up by that. */
    async useTicket(token: string, ticket: string): Promise<boolean> {
      const [nonce = '', expiresAt = '', mac = ''] = ticket.split('.');
      if (!isSame(ticketMac(token, nonce, expiresAt), mac) || clock.now() >= Number(expiresAt)) return false;
      return (await counters.consume(`ticket:${nonce}`, 1, TICKET_MS)).allowed;
    },

    /** Ends a session on the server. */
    async close(trx: Transaction, token: string): Promise<void> {
      await trx.deleteFrom('admin_sessions').where('hash', '=', hashOf(token)).execute();
    },

    /** Ends every session. */
    async closeAll(trx: Transaction): Promise<void> {
      await trx.deleteFrom('admin_sessions').execute();
    },
  };
}

function isSame(mac: Buffer, given: string): boolean {
  const bytes = Buffer.from(given, 'base64url');
  return bytes.length === mac.length && timingSafeEqual(bytes, mac);
}
