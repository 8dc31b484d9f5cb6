import { DAY_MS, HOUR_MS } from '../lib/duration.ts';
import { QUARTER_MS } from './figures.ts';

/** A time during which a zone has one offset from UTC; all in ms. */
export interface Segment {
  from: number;
  to: number;
  offset: number;
}

/** No place is further from UTC. */
const OFFSET_MAX_MS = 14 * HOUR_MS;

/** Whether this is the name of a time zone (IANA), such as Asia/Jakarta. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return /^[A-Za-z]/.test(name);
  } catch {
    return false;
  }
}

/** The days and offsets of a time zone, as this server's time zone data has them. */
export function timeZone(name: string) {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: name,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });

  /** What has to be added to UTC at a time (Unix ms). */
  function offsetAt(time: number): number {
    const parts: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {};
    for (const { type, value } of format.formatToParts(time)) parts[type] = Number(value);
    const { year, month, day, hour, minute, second } = parts;
    const local = Date.UTC(year!, month! - 1, day!, hour!, minute!, second!);
    return local - Math.floor(time / 1000) * 1000;
  }

  const dayAt = (time: number) => Math.floor((time + offsetAt(time)) / DAY_MS);

  /** When a day begins, which need not be at 0:00: the first quarter-hour of it. Days are counted from 1970. */
  function startOf(day: number): number {
    let time = day * DAY_MS - OFFSET_MAX_MS;
    while (dayAt(time) < day) time += QUARTER_MS;
    return time;
  }

  return {
    dayAt,
    startOf,

    /** The times of one offset that a time is made of. Looks once a day: no zone changes twice within one. */
    segments(from: number, to: number): Segment[] {
      const found: Segment[] = [];
      let start = from;
      let offset = offsetAt(from);
      for (let time = from; time < to; ) {
        const next = Math.min(time + DAY_MS, to);
        if (offsetAt(next) !== offset) {
          let [low, high] = [time, next];
          while (high - low > QUARTER_MS) {
            const middle = low + Math.floor((high - low) / 2 / QUARTER_MS) * QUARTER_MS;
            if (offsetAt(middle) === offset) low = middle;
            else high = middle;
          }
          if (high < to) {
            found.push({ from: start, to: high, offset });
            start = high;
            offset = offsetAt(high);
          }
        }
        time = next;
      }
      found.push({ from: start, to, offset });
      return found;
    },
  };
}

export type TimeZone = ReturnType<typeof timeZone>;

/** A day, counted from 1970, as 2026-11-23. */
export const dateOf = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10);
/** The day, counted from 1970, of a date such as 2026-11-23. */
export const dayNumber = (date: string): number => Math.floor(Date.parse(date) / DAY_MS);
