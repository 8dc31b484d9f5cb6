import { randomInt } from 'node:crypto';
import { DAY_MS, HOUR_MS } from '../lib/duration.ts';

const DAYS = 14;

/** Where demo phones are: how mobile numbers look there (`#` is any digit), the offset from UTC, and how many there are. */
const PLACES: { numbers: string; utcOffsetHours: number; share: number }[] = [
  { numbers: '+62812########', utcOffsetHours: 7, share: 30 },
  { numbers: '+5511987######', utcOffsetHours: -3, share: 18 },
  { numbers: '+9198########', utcOffsetHours: 5.5, share: 18 },
  { numbers: '+49151########', utcOffsetHours: 1, share: 12 },
  { numbers: '+5255########', utcOffsetHours: -6, share: 8 },
  { numbers: '+234803#######', utcOffsetHours: 1, share: 6 },
  { numbers: '+447400######', utcOffsetHours: 0, share: 5 },
  { numbers: '+1212555####', utcOffsetHours: -5, share: 3 },
];
const SHARES = PLACES.reduce((sum, { share }) => sum + share, 0);

/** How busy each hour of a day is, from midnight, where people live. */
const HOURS = [12, 7, 4, 3, 3, 6, 14, 30, 48, 60, 66, 70, 74, 70, 64, 62, 66, 74, 86, 98, 100, 86, 56, 28];
const BUSIEST = 100;
const WEEKEND = 0.7;

/** A mobile number of one of several countries (E.164), and its offset from UTC. */
export function demoPhone(): { e164: string; utcOffsetHours: number } {
  let at = randomInt(SHARES);
  const place = PLACES.find(({ share }) => {
    at -= share;
    return at < 0;
  })!;
  const e164 = place.numbers.replace(/#/g, () => String(randomInt(10)));
  return { e164, utcOffsetHours: place.utcOffsetHours };
}

/** A moment (Unix ms) of the two weeks before `end`, more likely in the busy hours of the place and on weekdays. */
export function demoMoment(end: number, utcOffsetHours: number): number {
  for (;;) {
    const time = end - randomInt(DAYS * DAY_MS);
    const local = new Date(time + utcOffsetHours * HOUR_MS);
    const isWeekend = local.getUTCDay() % 6 === 0;
    const busy = HOURS[local.getUTCHours()]! * (isWeekend ? WEEKEND : 1);
    if (randomInt(BUSIEST) < busy) return time;
  }
}
