import { DAY_MS, MINUTE_MS } from '../lib/duration.ts';

/** The shortest time that is counted for itself, in ms: every time zone begins its days and hours with one. */
export const QUARTER_MS = 15 * MINUTE_MS;
/** How long the times are that rows count, in minutes. Each begins with a multiple of its length since 1970 (UTC). */
export const QUARTER = 15;
const HOUR = 60;
const DAY = 1440;
/** So long that a year is read in a dozen of them. */
const BLOCK = 32 * DAY;

/**
 * The lengths of the rows that count the same, the longest first: a period is read in as few rows as possible. What goes by
 * the day or the hour of a time zone is read in hours at most.
 */
export const LENGTHS = { byZone: [HOUR, QUARTER], others: [BLOCK, DAY, QUARTER] } as const;

export const quarterOf = (time: number): number => time - (time % QUARTER_MS);
export const dayOf = (time: number): number => time - (time % DAY_MS);
/** The beginning of the time of so many minutes in which a time (Unix ms) lies. */
export const startOf = (time: number, minutes: number): number => time - (time % (minutes * MINUTE_MS));

/** What conversion is broken down by. */
export const DIMENSIONS = ['country', 'prefix', 'channel', 'template', 'purpose', 'hour'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export const lengthsOf = (dimension: Dimension): readonly number[] =>
  dimension === 'hour' ? LENGTHS.byZone : LENGTHS.others;

/** What delivery times are broken down by. */
export const DELIVERY_DIMENSIONS = ['channel', 'country'] as const;
export type DeliveryDimension = (typeof DELIVERY_DIMENSIONS)[number];

/** The key of what has no such property, or is no longer known. No purpose or template can have this name. */
export const NONE = '(none)';
/** The key of all that come after a day's most keys. */
export const OTHER = '(other)';

/** So many keys of a project have rows of their own on one day (UTC), those first that come first. */
export const KEYS_MAX: Partial<Record<Dimension, number>> = { prefix: 200, template: 50, purpose: 50 };

/** A prefix is a plus and so many digits: the country, and what mostly is the operator or the area. */
export const PREFIX_DIGITS = 6;

/** Bins of the delivery times within a doubling. */
const BINS_PER_DOUBLING = 8;

/** The bin of a time in ms: bin 0 holds what took 1 ms at most, each next one reaches 9 % further. */
export function binOf(ms: number): number {
  return ms <= 1 ? 0 : Math.ceil(Math.log2(ms) * BINS_PER_DOUBLING - 1e-9);
}

/** The longest time in a bin, in whole ms. */
export function binEnd(bin: number): number {
  return Math.round(2 ** (bin / BINS_PER_DOUBLING));
}
