import { expect, onTestFinished, test } from 'vitest';
import { settle, testClock } from '../../../../test/support/test-clock.ts';
import { openTestDatabase } from '../../../../test/support/test-database.ts';
import type { Database } from '../../../database/database.ts';
import { numberDirectory } from './number-directory.ts';

const PHONE = '+5511987654321';
/** The same line, as WhatsApp spells it. */
const FOLDED = '+551187654321';

/** The directories of two processes on one database, of which the first has heard that nobody uses the number. */
async function twoDirectories() {
  const { database, close } = await openTestDatabase();
  onTestFinished(close);
  const clock = testClock();
  const shared = new Proxy(database, {
    get: (target, name) => (name === 'isExclusive' ? false : Reflect.get(target, name)),
  }) as Database;
  const [first, second] = [numberDirectory(shared, clock), numberDirectory(shared, clock)];
  await first.remember(new Map([[PHONE, { jid: null }]]));
  await second.load();
  expect([first.isAbsent(PHONE), second.isAbsent(PHONE)]).toEqual([true, true]);
  return { first, second };
}

test.each([PHONE, FOLDED])(
  'a sign of life of %s, however it is spelled, makes WhatsApp be asked again',
  async (spelling) => {
    const { first } = await twoDirectories();
    await first.forgetAbsence(spelling);
    expect(first.isAbsent(PHONE)).toBe(false);
    expect(await first.find([PHONE])).toEqual(new Map());
  },
);

test('what one process has heard of a number that another one has found absent counts for both', async () => {
  const { first, second } = await twoDirectories();
  await second.forgetAbsence(FOLDED);
  expect(await first.find([PHONE])).toEqual(new Map());
  // The first one looks again when it is asked, for the next time.
  first.isAbsent(PHONE);
  await settle();
  expect(first.isAbsent(PHONE)).toBe(false);
});

test('a message or receipt costs nothing for a number that nobody holds absent', async () => {
  const { first } = await twoDirectories();
  first.isProvenPresent('+4915100000001');
  first.isProvenPresent(FOLDED);
  await settle();
  expect(first.isAbsent(PHONE)).toBe(false);
});
