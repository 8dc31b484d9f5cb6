import { spellingsOf } from '../addresses/phone.ts';
import { type EventFeed, isBefore, type StoredEvent } from '../events/feed.ts';
import { type LogRow, ofStored } from './entries.ts';
import type { LogFilter, LogList, LogScope } from './list.ts';

/** Events that are read at once, and that one call looks at. */
const READ_TOGETHER = 200;
const LOOKED_AT_MAX = 2_000;
const TRACES_MAX = 1_000;

/** The form of the cursors of what is new. */
export const FOLLOW_CURSOR = /^\d{1,9}\.\d{1,15}\.\d{1,15}$/;

export type LogFollow = ReturnType<typeof logFollow>;

/** What was recorded since, in the order of the commits: nothing is left out, and nothing comes twice. */
export function logFollow(deps: {
  feed: EventFeed;
  list: LogList;
  tracesOf: (projectId: number, identity: string, limit: number) => Promise<string[]>;
}) {
  const { feed, list, tracesOf } = deps;

  /** Whether an entry is one of those that a filter selects. */
  async function matcher({ projectId, isAdmin }: LogScope, filter: LogFilter) {
    const { types, subject, phone, actor, from, to } = filter;
    const traces = new Set(phone && (await tracesOf(projectId, phone.identity, TRACES_MAX)));
    const macs = phone ? list.phonesInAudit(phone.identity) : [];
    const spellings = phone ? spellingsOf(phone.e164) : [];
    const isOfPhone = (row: LogRow, { messageId, data }: StoredEvent) =>
      traces.has(row.subject ?? '') ||
      traces.has(messageId ?? '') ||
      macs.includes(row.phone ?? '') ||
      spellings.includes(String(data?.from));
    return (row: LogRow, event: StoredEvent): boolean =>
      (row.projectId === projectId || (isAdmin && row.projectId === null)) &&
      (types === undefined || types.includes(row.type)) &&
      (subject === undefined || row.subject === subject || event.messageId === subject) &&
      (actor === undefined || row.actor === actor) &&
      (phone === undefined || isOfPhone(row, event)) &&
      (from === undefined || row.at >= from) &&
      (to === undefined || row.at < to);
  }

  return {
    /**
     * Entries behind a cursor, oldest first; with none where no cursor is given. `next` is the cursor to go on from; `more`
     * says whether there is more to read now.
     */
    async after(
      scope: LogScope,
      filter: LogFilter,
      cursor: string | undefined,
    ): Promise<{ rows: LogRow[]; next: string; more: boolean }> {
      const end = await feed.end();
      // A backup was restored: what is new now has numbers from before.
      let next = cursor === undefined || isBefore(end, cursor) ? end : cursor;
      const rows: LogRow[] = [];
      if (next === end) return { rows, next, more: false };
      const matches = await matcher(scope, filter);
      for (let looked = 0; looked < LOOKED_AT_MAX; looked += READ_TOGETHER) {
        const events = await feed.after(next, READ_TOGETHER);
        const entries = events.map((event) => ({ event, row: ofStored(event) }));
        const acts = await list.actsOf(
          entries.filter(({ row }) => row.actor !== null).map(({ row }) => row.seq),
        );
        for (const { event, row } of entries) {
          const entry = acts.get(row.seq) ?? row;
          if (matches(entry, event)) rows.push(entry);
        }
        next = events.at(-1)?.cursor ?? next;
        if (events.length < READ_TOGETHER) return { rows, next, more: false };
      }
      return { rows, next, more: true };
    },
  };
}
