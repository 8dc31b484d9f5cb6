import type { Database } from '../../database/database.ts';
import type { Clock } from '../../lib/clock.ts';
import { DAY_MS, HOUR_MS } from '../../lib/duration.ts';

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
}

/** Who is on WhatsApp seldom leaves it, but who is not may join at any time. */
const PRESENT_MS = 7 * DAY_MS;
const ABSENT_MS = 6 * HOUR_MS;
/** Absent numbers held in memory; the oldest go first. */
const ABSENT_MAX = 10_000;

export function numberDirectory(database: Database, clock: Clock): NumberDirectory {
  const absentSince = new Map<string, number>();
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
    absentSince.delete(phone);
    absentSince.set(phone, at);
    if (absentSince.size > ABSENT_MAX) absentSince.delete(absentSince.keys().next().value!);
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
        else absentSince.delete(phone);
      }
      await database.transaction(async (trx) => {
        for (const [phone, { jid }] of listings) await save(trx, { phone, jid, checkedAt });
      });
    },
    isAbsent(phone) {
      const since = absentSince.get(phone);
      return since !== undefined && clock.now() - since < ABSENT_MS;
    },
  };
}
