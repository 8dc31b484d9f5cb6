/** What a time may look like, in words that follow "must be". */
export const TIME_ALLOWED = 'a time in RFC 3339, such as 2026-11-23T12:00:00Z or 2026-11-23T19:00:00+07:00';

const TIME =
  /^(\d{4}-\d\d-\d\d)[T ]((?:[01]\d|2[0-3]):[0-5]\d)(?::([0-5]\d|60)(\.\d+)?)?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i;

/**
 * Reads a time in RFC 3339 (5.6): with any offset, `T` and `Z` in either case, a space for the `T`; as ISO 8601 also
 * without seconds. A leap second (5.7) is read as the second after it, as Unix time counts; it can only be the last one
 * of a month in UTC.
 * @returns Unix ms; undefined for everything else, such as a day that is not in the calendar
 */
export function readTime(text: string): number | undefined {
  const [, date = '', minute, second = '00', fraction = '', offset = ''] = TIME.exec(text) ?? [];
  if (minute === undefined || !isDate(date)) return undefined;
  const at = (seconds: string) =>
    Date.parse(`${date}T${minute}:${seconds}${fraction}${offset.toUpperCase()}`);
  if (second !== '60') return at(second);
  const after = at('59') + 1000;
  return new Date(after).toISOString().includes('-01T00:00:00.') ? after : undefined;
}

/** Whether the calendar has this day, written as 2026-11-23. `Date` reads the 31st of a shorter month as the 1st. */
export function isDate(text: string): boolean {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const at = Date.parse(text);
  return !Number.isNaN(at) && new Date(at).toISOString().startsWith(text);
}
