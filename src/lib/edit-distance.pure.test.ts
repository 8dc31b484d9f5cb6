import { expect, it } from 'vitest';
import { editDistance } from './edit-distance.ts';

it.each([
  ['', '', 0],
  ['PORT', 'PORT', 0],
  ['', 'PORT', 4],
  ['TRUST_PROXI', 'TRUST_PROXY', 1],
  ['BACKUP_CRN', 'BACKUP_CRON', 1],
  ['BACKPU_CRON', 'BACKUP_CRON', 1],
  ['PUBLIC_URI', 'PUBLIC_URL', 1],
  ['kitten', 'sitting', 3],
])('from "%s" to "%s" it is %i', (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
  expect(editDistance(b, a)).toBe(distance);
});
