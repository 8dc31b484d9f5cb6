import { identityOf, spellingsOf } from '../../../addresses/phone.ts';
import type { Database } from '../../../database/database.ts';
import type { Clock } from '../../../lib/clock.ts';
import { DAY_MS, HOUR_MS } from '../../../lib/duration.ts';

/** Where a number is reached on WhatsApp; `jid` is null when nobody uses WhatsApp with it. */
export interface Listing {
  jid: string | null;
}

/** What WhatsApp has said of numbers, kept so that it is seldom asked. */
export interface NumberDirectory {
  /** Reads what is known, so that `isAbsent` can answer at once. */
  load(): Promise<void>;
  /** What is known of these numbers (E.164) and still believed. */
  find(phones: readonly string[]): Promise<Map<string, Listing>>;
  /** Keeps what WhatsApp has just said. */
  remember(listings: ReadonlyMap<string, Listing>): Promise<void>;
  /** Whether WhatsApp has lately said that nobody uses this number. */
  isAbsent(phone: string): boolean;
  /**
   * Forgets that WhatsApp has said that nobody uses this number, however it is spelled: there is proof of the contrary, or
   * an operator wants it to be asked again.
   */
  forgetAbsence(phone: string): Promise<void>;
  /** As `forgetAbsence`, at no cost where this process knows of none. */
  isProvenPresent(phone: string): void;
}

/** Who is on WhatsApp seldom leaves it, but who is not may join at any time. */
const PRESENT_MS = 7 * DAY_MS;
const ABSENT_MS = 6 * HOUR_MS;
/** Absent numbers held in memory; the oldest go first. */
const ABSENT_MAX = 10_000;

export function numberDirectory(database: Database, clock: Clock): NumberDirectory {
  /** By identity, since when and in which spelling. */
  const absent = new Map<string, { phone: string; at: number }>();
  const byPhone = database.prepare<{ phone: string }, { jid: string | null; checked_at: number }>(
    (db, value) =>
      db.selectFrom('whatsapp_numbers').select(['jid', 'checked_at']).where('phone', '=', value('phone')),
  );
  const save = database.prepare<{ phone: string; jid: string | null; checkedAt: number }, unknown>(
    (db, value) =>
      db
        .insertInto('whatsapp_numbers')
        .values({ phone: value('phone'), jid: value('jid'), checked_at: value('checkedAt') })
        .onConflict((conflict) =>
          conflict.column('phone').doUpdateSet((eb) => ({
            jid: eb.ref('excluded.jid'),
            checked_at: eb.ref('excluded.checked_at'),
          })),
        ),
  );

  function noteAbsent(phone: string, at: number): void {
    const identity = identityOf(phone);
    absent.delete(identity);
    absent.set(identity, { phone, at });
    if (absent.size > ABSENT_MAX) absent.delete(absent.keys().next().value!);
  }

  /** Another process may have had proof of the contrary: the next request is told so. */
  function lookAgain(phone: string): void {
    byPhone(database.reader, { phone }).then(
      ([row]) => {
        if (row?.jid !== null) absent.delete(identityOf(phone));
      },
      () => {},
    );
  }

  async function forgetAbsence(phone: string): Promise<void> {
    const known = absent.get(identityOf(phone))?.phone ?? phone;
    absent.delete(identityOf(phone));
    const spellings = [...new Set([phone, known].flatMap((one) => [one, ...spellingsOf(one)]))];
    await database.transaction(async (trx) => {
      await trx
        .deleteFrom('whatsapp_numbers')
        .where('phone', 'in', spellings)
        .where('jid', 'is', null)
        .execute();
    });
  }

  return {
    async load() {
      const rows = await database.reader
        .selectFrom('whatsapp_numbers')
        .select(['phone', 'checked_at'])
        .where('jid', 'is', null)
        .where('checked_at', '>', clock.now() - ABSENT_MS)
        .orderBy('checked_at')
        .limit(ABSENT_MAX)
        .execute();
      for (const { phone, checked_at } of rows) noteAbsent(phone, checked_at);
    },
    async find(phones) {
      const found = new Map<string, Listing>();
      for (const phone of phones) {
        const [row] = await byPhone(database.reader, { phone });
        if (!row) continue;
        const age = clock.now() - row.checked_at;
        if (age < (row.jid === null ? ABSENT_MS : PRESENT_MS)) found.set(phone, { jid: row.jid });
      }
      return found;
    },
    async remember(listings) {
      if (listings.size === 0) return;
      const checkedAt = clock.now();
      for (const [phone, { jid }] of listings) {
        if (jid === null) noteAbsent(phone, checkedAt);
        else absent.delete(identityOf(phone));
      }
      await database.transaction(async (trx) => {
        for (const [phone, { jid }] of listings) await save(trx, { phone, jid, checkedAt });
      });
    },
    isAbsent(phone) {
      const known = absent.get(identityOf(phone));
      if (known === undefined || clock.now() - known.at >= ABSENT_MS) return false;
      if (!database.isExclusive) lookAgain(known.phone);
      return true;
    },
    forgetAbsence,
    isProvenPresent(phone) {
      if (!absent.has(identityOf(phone))) return;
      // What is not forgotten now ends by itself.
      forgetAbsence(phone).catch(() => {});
    },
  };
}
