import { setImmediate } from 'node:timers/promises';
import type { Database } from '../database/database.ts';
import type { EventConsumer } from '../events/consumer.ts';
import { BEGINNING, type EventFeed, isBefore, type StoredEvent } from '../events/feed.ts';
import type { Clock } from '../lib/clock.ts';
import { DAY_MS } from '../lib/duration.ts';
import { firstIdAt, timeOfId } from '../lib/id.ts';
import { addEvents, type FactReaders, isOfVerification } from './counting.ts';
import { dayOf } from './figures.ts';
import type { Rollups } from './rollups.ts';
import { Tally } from './tally.ts';

/** Days that are recounted in one reading of the events: the counts of so many are held in memory. */
const DAYS_TOGETHER = 7;
/** Events that are read at once; between two such portions others have their turn. */
const READ_TOGETHER = 1_000;

/** What one step did; days are given by their beginning (Unix ms, UTC). */
interface RebuildStep {
  /** Days that were recounted. */
  rebuilt: number[];
  /** Days that were left as they are, because verifications or messages of them are no longer stored. */
  left: number[];
  /** The day with which the next step begins; undefined after the last one. */
  next: number | undefined;
  /** The first day that can be recounted, and how many there are from it to today. */
  first: number;
  total: number;
}

export type Rebuilding = ReturnType<typeof rebuilding>;

/**
 * Recounts days from the events, a few at a time, while everything goes on. A day is counted in memory, from the events that
 * the consumer has handled, and then put in the place of what was there in one transaction: so figures are never half of
 * one and half of the other, and nothing is counted twice or left out.
 */
export function rebuilding(deps: {
  database: Database;
  clock: Clock;
  feed: EventFeed;
  consumer: EventConsumer;
  rollups: Rollups;
  readers: FactReaders;
  /** When the oldest message that is stored was accepted (Unix ms). */
  oldestMessageAt: () => Promise<number | undefined>;
}) {
  const { database, clock, feed, consumer, rollups, readers, oldestMessageAt } = deps;

  /**
   * The first day whose events are all stored. They are deleted from the oldest on, so that is any day where the very
   * first event is still there, and else the first day that begins after the oldest one.
   */
  async function firstDay(): Promise<number> {
    const oldest = await database.reader
      .selectFrom('events')
      .select(['seq', 'at'])
      .orderBy('seq')
      .limit(1)
      .executeTakeFirst();
    const messageAt = await oldestMessageAt();
    if (!oldest || messageAt === undefined) return dayOf(clock.now());
    const complete = oldest.seq === 1 ? 0 : dayOf(oldest.at + DAY_MS - 1);
    return Math.max(dayOf(messageAt), complete);
  }

  /** Counts the events about days from `from` on up to `to`. */
  function counting(from: number, to: number) {
    const tally = new Tally();
    const incomplete = new Set<number>();
    const [firstMessage, firstVerification, endVerification] = [
      firstIdAt('msg', from),
      firstIdAt('ver', from),
      firstIdAt('ver', to),
    ];
    // Demo data and imports are not in the order of their time, so all events are looked at.
    let position = BEGINNING;

    /** A message is never accepted before its verification was created. */
    function isAboutThem({ subject, messageId }: StoredEvent): boolean {
      if (isOfVerification(subject) && subject >= endVerification) return false;
      return messageId === null ? (subject ?? '') >= firstVerification : messageId >= firstMessage;
    }

    async function add(events: readonly StoredEvent[]): Promise<void> {
      const missing = await addEvents(tally, database.reader, events.filter(isAboutThem), {
        readers,
        breathe: setImmediate,
      });
      for (const id of missing) incomplete.add(dayOf(timeOfId(id.startsWith('ver_') ? 'ver' : 'msg', id)));
    }

    return {
      tally,
      incomplete,
      isUpTo: (cursor: string) => !isBefore(position, cursor),

      /** Counts what the consumer has handled and this has not. */
      async catchUp(): Promise<void> {
        const end = await consumer.cursor();
        while (isBefore(position, end)) {
          const events = (await feed.after(position, READ_TOGETHER)).filter(
            ({ cursor }) => !isBefore(end, cursor),
          );
          await add(events);
          position = events.length < READ_TOGETHER ? end : events.at(-1)!.cursor;
        }
      },
    };
  }

  return {
    /**
     * Recounts a few days. Remembers nothing, so steps may be repeated and left out.
     * @param from the day to begin with (Unix ms of its beginning); the first that can be recounted unless given
     */
    async step(from = 0): Promise<RebuildStep> {
      await consumer.begin();
      await consumer.catchUp();
      const first = await firstDay();
      const end = dayOf(clock.now()) + DAY_MS;
      const begin = Math.max(first, dayOf(from));
      const stop = Math.min(end, begin + DAYS_TOGETHER * DAY_MS);
      const step: RebuildStep = {
        rebuilt: [],
        left: [],
        next: stop < end ? stop : undefined,
        first,
        total: Math.max(0, (end - first) / DAY_MS),
      };
      if (begin >= stop) return step;
      const counted = counting(begin, stop);
      for (let day = begin; day < stop; day += DAY_MS) {
        for (let isDone = false; !isDone; ) {
          await counted.catchUp();
          isDone = await consumer.standStill(async (trx, cursor) => {
            if (!counted.isUpTo(cursor)) return false;
            if (counted.incomplete.has(day)) return true;
            await rollups.removeDay(trx, day);
            await rollups.add(trx, counted.tally.between(day, day + DAY_MS));
            return true;
          });
        }
        (counted.incomplete.has(day) ? step.left : step.rebuilt).push(day);
      }
      return step;
    },
  };
}
