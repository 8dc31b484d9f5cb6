const USUAL_MOST_MS = 60 * 60 * 1000;

/**
 * `Retry-After` (RFC 9110, 10.2.3), seconds or a date, in ms from now. Undefined where it says nothing.
 * @param now Unix ms
 * @param mostMs what a longer time becomes; an hour unless given
 */
export function retryAfterMs(
  header: string | undefined,
  now: number,
  mostMs = USUAL_MOST_MS,
): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d{1,9}$/.test(header.trim()) ? Number(header) * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), mostMs);
}
