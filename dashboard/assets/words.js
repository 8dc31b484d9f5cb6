// How times, durations and phone numbers are written, in the reader's own locale.

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const clockWithSeconds = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const fullTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });
const longDay = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const shortDay = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

/** `21:04` */
export const clockTime = (at) => clock.format(new Date(at));
/** `21:04:10` */
export const clockTimeWithSeconds = (at) => clockWithSeconds.format(new Date(at));
/** Date and time in full, for tooltips. */
export const timeInFull = (at) => fullTime.format(new Date(at));

function daysAgo(at) {
  return Math.round((new Date().setHours(0, 0, 0, 0) - new Date(at).setHours(0, 0, 0, 0)) / 86_400_000);
}

/** `Today`, `Yesterday`, `Monday, 3 March`. */
export function dayName(at) {
  return { 0: 'Today', 1: 'Yesterday' }[daysAgo(at)] ?? longDay.format(new Date(at));
}

/** The time of today's moments, the day of earlier ones. */
export function shortTime(at) {
  return daysAgo(at) === 0 ? clockTime(at) : shortDay.format(new Date(at));
}

/** A countdown: `4:59`. */
export function countdown(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** A wait: `42 s`, `3 min`, `2 h`. */
export function wait(seconds) {
  if (seconds < 90) return `${seconds} s`;
  return seconds < 5_400 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3_600)} h`;
}

// Calling codes have one, two or three digits, and none begins another.
const CALLING_CODE = /^\+(1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})(\d{5,})$/;

// Where the rest is cut into groups, by its length.
const CUTS = { 7: [3], 8: [4], 9: [3, 6], 10: [3, 6], 11: [3, 7], 12: [4, 8] };

/** `+6281234566034` -> `+62 812 3456 6034`: groups for the eye, the same in every country. */
export function prettyPhone(e164) {
  const [, code, rest] = CALLING_CODE.exec(e164) ?? [];
  const cuts = CUTS[rest?.length];
  if (!cuts) return e164;
  return [`+${code}`, ...[0, ...cuts].map((from, index) => rest.slice(from, cuts[index]))].join(' ');
}
