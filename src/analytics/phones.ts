import { sql } from 'kysely';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { PhoneLines } from './tally.ts';

/** A part that is longer than this gets no more lines, in characters. */
const PART_MAX = 4_000;
/** Parts that are read at once; between two such portions others have their turn. */
const READ_TOGETHER = 100;

/** A phone number and how many messages a provider acknowledged for it. */
export interface PhoneCount {
  /** E.164 */
  phone: string;
  count: number;
}

/**
 * The numbers to which messages were sent, by the quarter-hour of their acceptance, a line for each message: adding to a long list touches its
 * end only, where a row for each number would touch a page for each message.
 */
export function phoneLines(database: Database) {
  interface Part {
    part: number;
    length: number;
  }
  const lastPart = database.prepare<{ projectId: number; start: number }, Part>((db, value) =>
    db
      .selectFrom('analytics_phones')
      .select(['part', sql<number>`length(phones)`.as('length')])
      .where('project_id', '=', value('projectId'))
      .where('start', '=', value('start'))
      .orderBy('part', 'desc')
      .limit(1),
  );
  const append = database.prepareChange<{ projectId: number; start: number; part: number; phones: string }>(
    (db, value) =>
      db
        .insertInto('analytics_phones')
        .values({
          project_id: value('projectId'),
          start: value('start'),
          part: value('part'),
          phones: value('phones'),
        })
        .onConflict((conflict) =>
          conflict.columns(['project_id', 'start', 'part']).doUpdateSet({
            phones: sql`analytics_phones.phones || excluded.phones`,
          }),
        ),
  );
  const parts = database.prepare<
    { projectId: number; start: number; part: number; to: number; limit: number },
    { start: number; part: number; phones: string }
  >((db, value) =>
    db
      .selectFrom('analytics_phones')
      .select(['start', 'part', 'phones'])
      .where('project_id', '=', value('projectId'))
      .where(sql<boolean>`(start, part) > (${value('start')}, ${value('part')})`)
      .where('start', '<', value('to'))
      .orderBy('start')
      .orderBy('part')
      .limit(value('limit')),
  );

  /** The lines of a time, in portions. */
  async function* read(executor: Executor, projectId: number, from: number, to: number) {
    let [start, part] = [from, -1];
    for (;;) {
      const rows = await parts(executor, { projectId, start, part, to, limit: READ_TOGETHER });
      yield rows;
      const last = rows.at(-1);
      if (!last || rows.length < READ_TOGETHER) return;
      ({ start, part } = last);
    }
  }

  return {
    /** Adds the numbers of a quarter-hour. */
    async add(trx: Transaction, { projectId, start, phones }: PhoneLines): Promise<void> {
      const [last] = await lastPart(trx, { projectId, start });
      let part = last?.part ?? 0;
      let room = PART_MAX - (last?.length ?? 0);
      for (let lines = '', at = 0; at < phones.length; at++) {
        if (room <= 0) {
          part += 1;
          room = PART_MAX;
        }
        const line = `${phones[at]}\n`;
        lines += line;
        room -= line.length;
        if (room > 0 && at < phones.length - 1) continue;
        await append(trx, { projectId, start, part, phones: lines });
        lines = '';
      }
    },

    /** The numbers with most messages in a time (Unix ms), of equal ones the smaller number first. */
    async top(projectId: number, from: number, to: number, limit: number): Promise<PhoneCount[]> {
      const counts = new Map<string, number>();
      for await (const rows of read(database.reader, projectId, from, to)) {
        for (const { phones } of rows) {
          for (const phone of phones.split('\n'))
            if (phone !== '') counts.set(phone, (counts.get(phone) ?? 0) + 1);
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      return highest(counts, limit);
    },

    /** Forgets a number: nothing says any more that messages were sent to it. Resolves to how many lines there were. */
    async forget(trx: Transaction, projectId: number, phone: string): Promise<number> {
      let forgotten = 0;
      for await (const rows of read(trx, projectId, 0, Number.MAX_SAFE_INTEGER)) {
        for (const { start, part, phones } of rows) {
          const lines = phones.split('\n');
          const kept = lines.filter((line) => line !== phone);
          if (kept.length === lines.length) continue;
          forgotten += lines.length - kept.length;
          await trx
            .updateTable('analytics_phones')
            .set({ phones: kept.join('\n') })
            .where('project_id', '=', projectId)
            .where('start', '=', start)
            .where('part', '=', part)
            .execute();
        }
      }
      return forgotten;
    },

    async remove(trx: Transaction, projectId: number, from: number, to: number): Promise<void> {
      await trx
        .deleteFrom('analytics_phones')
        .where('project_id', '=', projectId)
        .where('start', '>=', from)
        .where('start', '<', to)
        .execute();
    },

    /** When the oldest quarter-hour begins that is kept (Unix ms); undefined where there is none. */
    async oldest(trx: Transaction, projectId: number): Promise<number | undefined> {
      const row = await trx
        .selectFrom('analytics_phones')
        .select('start')
        .where('project_id', '=', projectId)
        .orderBy('start')
        .limit(1)
        .executeTakeFirst();
      return row?.start;
    },
  };
}

/** Those with the highest counts, without sorting all. */
function highest(counts: ReadonlyMap<string, number>, limit: number): PhoneCount[] {
  const top: PhoneCount[] = [];
  const isBelow = (a: PhoneCount, b: PhoneCount) =>
    a.count === b.count ? a.phone > b.phone : a.count < b.count;
  for (const [phone, count] of counts) {
    const each = { phone, count };
    const last = top[limit - 1];
    if (last && !isBelow(last, each)) continue;
    let at = Math.min(top.length, limit - 1);
    while (at > 0 && isBelow(top[at - 1]!, each)) {
      top[at] = top[at - 1]!;
      at -= 1;
    }
    top[at] = each;
  }
  return top;
}
