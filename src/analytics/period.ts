import { ValidationError } from '../errors/errors.ts';
import { DAY_MS } from '../lib/duration.ts';
import { isDate, readTime } from '../lib/rfc3339.ts';
import { QUARTER_MS, quarterOf } from './figures.ts';
import type { Period } from './reading.ts';
import { dayNumber, type TimeZone } from './zone.ts';

/** Days that are counted where nothing is said. */
const DEFAULT_DAYS = 30;
/** The longest period. */
const DAYS_MAX = 3_660;

/** A + of an offset that was not escaped in a query arrives as a space. */
const repaired = (text: string) => text.replace(/ (\d\d:\d\d)$/, '+$1');

/** Whether a text is a date or a time in RFC 3339. */
export const isMoment = (text: string): boolean => isDate(text) || readTime(repaired(text)) !== undefined;

/**
 * Reads a period: from the beginning of the quarter-hour of `from` to the end of that of `to`. A date is that day in the
 * time zone, as `to` with all of it. Without `to` it ends now, without `from` it has 30 days.
 * @param names what the two are called in the query
 * @throws ValidationError where it has no length or is longer than ten years
 */
export function readPeriod(
  given: { from: string | undefined; to: string | undefined },
  { zone, now, names }: { zone: TimeZone; now: number; names: [from: string, to: string] },
): Period {
  const end = quarterOf(now) + QUARTER_MS;
  const to = given.to === undefined ? end : endOf(given.to, zone);
  const from =
    given.from === undefined
      ? zone.startOf(zone.dayAt(to - 1) - (DEFAULT_DAYS - 1))
      : beginningOf(given.from, zone);
  if (from >= to) {
    const message = `The time in \`${names[0]}\` must be before that in \`${names[1]}\`.`;
    throw new ValidationError(message, [{ path: names[0], message }]);
  }
  if (to - from > DAYS_MAX * DAY_MS) {
    const message = `A period can have ten years at most: give a later \`${names[0]}\`.`;
    throw new ValidationError(message, [{ path: names[0], message }]);
  }
  return { from, to };
}

function beginningOf(text: string, zone: TimeZone): number {
  const time = isDate(text) ? zone.startOf(dayNumber(text)) : readTime(repaired(text))!;
  return Math.floor(time / QUARTER_MS) * QUARTER_MS;
}

function endOf(text: string, zone: TimeZone): number {
  const time = isDate(text) ? zone.startOf(dayNumber(text) + 1) : readTime(repaired(text))!;
  return Math.ceil(time / QUARTER_MS) * QUARTER_MS;
}
