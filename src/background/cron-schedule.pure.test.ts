import { pino } from 'pino';
import { expect, test } from 'vitest';
import { settle, testClock } from '../../test/support/test-clock.ts';
import { CronSchedule } from './cron-schedule.ts';
import { troubleLog } from './troubles.ts';

const MINUTE_MS = 60_000;

function scheduled(pattern: string, run: () => Promise<unknown>) {
  const clock = testClock();
  const lines: string[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const schedule = new CronSchedule(pattern, { name: 'the work', run }, clock, troubleLog({ log, clock }));
  return { clock, lines, schedule };
}

test('work runs at each moment of its pattern, also when that is weeks away', async () => {
  const times: number[] = [];
  const { clock, schedule } = scheduled('0 0 1 3,4 *', async () => times.push(clock.now()));
  schedule.start();
  schedule.start();
  for (let day = 0; day < 100; day++) await clock.advance(24 * 60 * MINUTE_MS);
  expect(times.map((time) => new Date(time).getMonth())).toEqual([2, 3]);
  expect(times.map((time) => new Date(time).toTimeString().slice(0, 5))).toEqual(['00:00', '00:00']);
  await schedule.stop();
});

test('a moment that falls into a run is left out, and a failure is logged and tried again the next time', async () => {
  const ends: ((error?: Error) => void)[] = [];
  const { clock, lines, schedule } = scheduled(
    '*/5 * * * *',
    () => new Promise<void>((resolve, reject) => ends.push((error) => (error ? reject(error) : resolve()))),
  );
  schedule.start();
  await clock.advance(12 * MINUTE_MS);
  expect(ends).toHaveLength(1);
  ends[0]!(new Error('no room'));
  await settle();
  expect(lines.join('')).toContain('the work failed; trying again at the next scheduled time');
  await clock.advance(5 * MINUTE_MS);
  expect(ends).toHaveLength(2);
  ends[1]!();
  await schedule.stop();
});

test('stop waits for the run under way, and none follows', async () => {
  let end = () => {};
  let runs = 0;
  const { clock, schedule } = scheduled('* * * * *', async () => {
    runs += 1;
    await new Promise<void>((resolve) => {
      end = resolve;
    });
  });
  schedule.start();
  await clock.advance(MINUTE_MS);
  let stopped = false;
  const stop = schedule.stop().then(() => {
    stopped = true;
  });
  await settle();
  expect(stopped).toBe(false);
  end();
  await stop;
  await clock.advance(60 * MINUTE_MS);
  expect(runs).toBe(1);
});
