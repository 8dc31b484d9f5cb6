import { PROMISED_TYPES } from '../events/data.ts';

/** Whether an entry of an endpoint's `events` names anything: a type, all of a kind such as `otp.*`, or `*`. */
export function isFilter(entry: string): boolean {
  return PROMISED_TYPES.some((type) => includes(entry, type));
}

/** Whether an endpoint with these `events` wants a type. */
export function wants(events: readonly string[], type: string): boolean {
  return PROMISED_TYPES.includes(type) && events.some((entry) => includes(entry, type));
}

function includes(entry: string, type: string): boolean {
  if (entry === '*' || entry === type) return true;
  return entry.endsWith('.*') && type.startsWith(entry.slice(0, -1));
}
