import { type RawBuilder, sql } from 'kysely';
import type { Database } from '../database/database.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../lib/duration.ts';
import { binEnd, type DeliveryDimension, type Dimension, LENGTHS, QUARTER, startOf } from './figures.ts';
import type { Segment, TimeZone } from './zone.ts';

/** A time (Unix ms) that begins and ends with a quarter-hour; `to` is not part of it. */
export interface Period {
  from: number;
  to: number;
}

export interface DayCounts {
  /** Counted from 1970, in the time zone that was asked for. */
  day: number;
  messages: number;
  successful: number;
  failed: number;
}

export interface Conversion {
  key: string;
  sent: number;
  delivered: number;
  verified: number;
}

export interface DeliveryTimes {
  key: string;
  messages: number;
  averageMs: number;
  p50Ms: number;
  p90Ms: number;
  p95Ms: number;
  p99Ms: number;
}

/** Rows of one length whose times make up a period together. */
interface Span extends Period {
  minutes: number;
}

/** A period in rows of these lengths (in minutes, the longest first): the longest that lie in it, and shorter ones around them. */
function spansOf({ from, to }: Period, [minutes, ...shorter]: readonly number[]): Span[] {
  if (from >= to || minutes === undefined) return [];
  const first = startOf(from + minutes * MINUTE_MS - 1, minutes);
  const last = startOf(to, minutes);
  if (first >= last) return spansOf({ from, to }, shorter);
  return [
    { minutes, from: first, to: last },
    ...spansOf({ from, to: first }, shorter),
    ...spansOf({ from: last, to }, shorter),
  ];
}

/** The same, for rows that are added up by the hour or day of a time zone: an hour of UTC may be two halves there. */
const spansInZone = ({ from, to, offset }: Segment): Span[] =>
  spansOf({ from, to }, offset % HOUR_MS === 0 ? LENGTHS.byZone : [QUARTER]);

const sum = (column: string) => sql<number>`cast(sum(${sql.ref(column)}) as bigint)`;

/** Reads the figures of one project. */
export function analyticsReading({ reader }: Database) {
  const messageRows = (projectId: number, { minutes, from, to }: Span) =>
    reader
      .selectFrom('analytics_messages')
      .where('project_id', '=', projectId)
      .where('minutes', '=', minutes)
      .where('start', '>=', from)
      .where('start', '<', to)
      .select([
        sum('messages').as('messages'),
        sum('successful').as('successful'),
        sum('failed').as('failed'),
      ]);

  const conversionRows = (projectId: number, dimension: Dimension, { minutes, from, to }: Span) =>
    reader
      .selectFrom('analytics_conversion')
      .where('project_id', '=', projectId)
      .where('dimension', '=', dimension)
      .where('minutes', '=', minutes)
      .where('start', '>=', from)
      .where('start', '<', to)
      .select([sum('sent').as('sent'), sum('delivered').as('delivered'), sum('verified').as('verified')]);

  const deliveryRows = (projectId: number, dimension: DeliveryDimension, { minutes, from, to }: Span) =>
    reader
      .selectFrom('analytics_delivery')
      .where('project_id', '=', projectId)
      .where('dimension', '=', dimension)
      .where('minutes', '=', minutes)
      .where('start', '>=', from)
      .where('start', '<', to);

  /** The hour of a day or the day, counted from 1970, in which a row begins. */
  const localUnit = (offset: number, unitMs: number): RawBuilder<number> =>
    sql`(start + ${sql.lit(offset)}) / ${sql.lit(unitMs)}`;

  return {
    /** What became of the messages of each day of a time zone; days without any are left out. */
    async days(projectId: number, period: Period, zone: TimeZone): Promise<DayCounts[]> {
      const days = new Map<number, DayCounts>();
      for (const segment of zone.segments(period.from, period.to)) {
        for (const span of spansInZone(segment)) {
          const rows = await messageRows(projectId, span)
            .select(localUnit(segment.offset, DAY_MS).as('day'))
            .groupBy('day')
            .execute();
          for (const row of rows) addTo(days, row.day, row);
        }
      }
      return [...days.values()].sort((a, b) => a.day - b.day);
    },

    /** What became of the messages of a period. */
    async messages(projectId: number, period: Period): Promise<Omit<DayCounts, 'day'>> {
      const all = { messages: 0, successful: 0, failed: 0 };
      for (const span of spansOf(period, LENGTHS.byZone)) {
        const row = await messageRows(projectId, span).executeTakeFirstOrThrow();
        // Where there is no row the sums are null.
        if (row.messages !== null) add(all, row, ['messages', 'successful', 'failed']);
      }
      return all;
    },

    /** By country, prefix, channel, template or purpose: those with most verifications first. */
    async conversion(
      projectId: number,
      dimension: Exclude<Dimension, 'hour'>,
      period: Period,
    ): Promise<Conversion[]> {
      const keys = new Map<string, Conversion>();
      for (const span of spansOf(period, LENGTHS.others)) {
        const rows = await conversionRows(projectId, dimension, span).select('key').groupBy('key').execute();
        for (const row of rows) {
          const found = keys.get(row.key);
          if (found) add(found, row, ['sent', 'delivered', 'verified']);
          else keys.set(row.key, row);
        }
      }
      return [...keys.values()].sort((a, b) => b.sent - a.sent || (a.key < b.key ? -1 : 1));
    },

    /** By the hour of the day in a time zone, `00` to `23`. */
    async conversionByHour(projectId: number, period: Period, zone: TimeZone): Promise<Conversion[]> {
      const hours = Array.from({ length: 24 }, (_, hour) => ({
        key: String(hour).padStart(2, '0'),
        sent: 0,
        delivered: 0,
        verified: 0,
      }));
      for (const segment of zone.segments(period.from, period.to)) {
        const hour = sql<number>`${localUnit(segment.offset, HOUR_MS)} % 24`;
        for (const span of spansInZone(segment)) {
          const rows = await conversionRows(projectId, 'hour', span)
            .select(hour.as('hour'))
            .groupBy('hour')
            .execute();
          for (const row of rows) add(hours[row.hour]!, row, ['sent', 'delivered', 'verified']);
        }
      }
      return hours;
    },

    /** How long messages took, in all and by channel or country; most messages first. */
    async deliveryTimes(
      projectId: number,
      dimension: DeliveryDimension,
      period: Period,
    ): Promise<{ all: DeliveryTimes | undefined; byKey: DeliveryTimes[] }> {
      const all = new Histogram();
      const keys = new Map<string, Histogram>();
      for (const span of spansOf(period, LENGTHS.others)) {
        const rows = await deliveryRows(projectId, dimension, span)
          .select(['key', 'bin', sum('messages').as('messages'), sum('total_ms').as('totalMs')])
          .groupBy(['key', 'bin'])
          .execute();
        for (const { key, bin, messages, totalMs } of rows) {
          const histogram = keys.get(key) ?? new Histogram();
          keys.set(key, histogram);
          histogram.add(bin, messages, totalMs);
          all.add(bin, messages, totalMs);
        }
      }
      return {
        all: all.times('all'),
        byKey: [...keys]
          .map(([key, histogram]) => histogram.times(key)!)
          .sort((a, b) => b.messages - a.messages || (a.key < b.key ? -1 : 1)),
      };
    },

    /** The mean time from acceptance to receipt, in ms; undefined where no message has a receipt. */
    async averageDeliveryMs(projectId: number, period: Period): Promise<number | undefined> {
      let [messages, totalMs] = [0, 0];
      for (const span of spansOf(period, LENGTHS.others)) {
        const row = await deliveryRows(projectId, 'channel', span)
          .select([sum('messages').as('messages'), sum('total_ms').as('totalMs')])
          .executeTakeFirstOrThrow();
        messages += row.messages ?? 0;
        totalMs += row.totalMs ?? 0;
      }
      return messages === 0 ? undefined : totalMs / messages;
    },
  };
}

export type AnalyticsReading = ReturnType<typeof analyticsReading>;

function addTo(days: Map<number, DayCounts>, day: number, row: Omit<DayCounts, 'day'>): void {
  const { messages, successful, failed } = row;
  const found = days.get(day);
  if (found) add(found, row, ['messages', 'successful', 'failed']);
  else days.set(day, { day, messages, successful, failed });
}

function add<K extends string>(to: Record<K, number>, from: Record<K, number>, fields: readonly K[]): void {
  for (const field of fields) to[field] += from[field];
}

/** Delivery times by bins. */
class Histogram {
  readonly #bins = new Map<number, number>();
  #messages = 0;
  #totalMs = 0;

  add(bin: number, messages: number, totalMs: number): void {
    this.#bins.set(bin, (this.#bins.get(bin) ?? 0) + messages);
    this.#messages += messages;
    this.#totalMs += totalMs;
  }

  times(key: string): DeliveryTimes | undefined {
    if (this.#messages === 0) return undefined;
    const bins = [...this.#bins].sort(([a], [b]) => a - b);
    const percentile = (share: number) => {
      let left = Math.ceil(this.#messages * share);
      const found = bins.find(([, count]) => {
        left -= count;
        return left <= 0;
      });
      return binEnd(found![0]);
    };
    return {
      key,
      messages: this.#messages,
      averageMs: Math.round(this.#totalMs / this.#messages),
      p50Ms: percentile(0.5),
      p90Ms: percentile(0.9),
      p95Ms: percentile(0.95),
      p99Ms: percentile(0.99),
    };
  }
}
