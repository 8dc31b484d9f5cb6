// How times and durations are written, in the reader's own locale.

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

/** A wait: `42 s`, `3 min`, `2 h`, `3 days`. */
export function wait(seconds) {
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 5_400) return `${Math.ceil(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.ceil(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} days`;
}

/** What a channel is called. */
const CHANNELS = {
  whatsapp: 'WhatsApp',
  cloud_api: 'WhatsApp Cloud API',
  email: 'E-mail',
  sms: 'SMS',
  http: 'HTTP provider',
  simulator: 'Virtual phone',
};

/** The name of a channel, as people know it. */
export const channelName = (name) => CHANNELS[name] ?? name;
