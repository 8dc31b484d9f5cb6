import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import type { MessageStatus, TimelineEntry } from './types.ts';

/**
 * A timeline is as long as this from the start, filled up with blanks, which JSON allows: a row that grew with each change
 * would split its page again and again.
 */
const TIMELINE_ROOM = 160;

/** The timeline of a message that was put into the outbox at `at` (Unix ms). */
export function newTimeline(
  at: number,
  reason: string | null = null,
  status: MessageStatus = 'queued',
): string {
  return JSON.stringify([[at, status, reason]]).padEnd(TIMELINE_ROOM);
}

/** So many of the newest entries are kept: a message may wait for long, for now this reason and now that. */
const TIMELINE_MAX = 40;
/** A timeline that is shorter than this holds fewer entries, whatever they say, and need not be counted. */
const TIMELINE_MAX_LENGTH = TIMELINE_MAX * `[0000000000000,"sent",null]`.length;

/**
 * Adds an entry, as {@link timelineEntry} writes it, to the JSON array in the column `timeline` without reading it first.
 * The oldest goes where there are too many.
 */
export function timelineAppender(engine: Database['engine']): (entry: string) => RawBuilder<string> {
  const isFull =
    engine === 'postgres'
      ? sql`jsonb_array_length(timeline::jsonb) >= ${sql.lit(TIMELINE_MAX)}`
      : sql`json_array_length(timeline) >= ${sql.lit(TIMELINE_MAX)}`;
  const shortened =
    engine === 'postgres' ? sql`(timeline::jsonb - 0)::text` : sql`json_remove(timeline, '$[0]')`;
  const timeline = sql`rtrim(case when length(timeline) >= ${sql.lit(TIMELINE_MAX_LENGTH)} and ${isFull} then ${shortened} else timeline end)`;
  return (entry) =>
    sql<string>`format(${sql.lit(`%-${TIMELINE_ROOM}s`)}, substr(${timeline}, 1, length(${timeline}) - 1) || ${entry})`;
}

/** A change as a timeline keeps it, with the end of the array. `at` is Unix ms. */
export function timelineEntry({ at, status, reason }: TimelineEntry): string {
  return `,${JSON.stringify([at, status, reason])}]`;
}

/** The changes in a timeline, oldest first. */
export function timelineIn(column: string): TimelineEntry[] {
  const entries = JSON.parse(column) as [number, MessageStatus, string | null][];
  return entries.map(([at, status, reason]) => ({ at, status, reason }));
}
