import { pino } from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
import { type TestClock, testClock } from '../../test/support/test-clock.ts';
import { Alarm } from './alarm.ts';
import { troubleLog } from './troubles.ts';

let clock: TestClock;
let start: number;
let logLines: string[];
/** The runs so far: when each began, in ms from the start, and how to end it. */
let runs: { at: number; finish(next?: number): void; fail(error: Error): void }[];
let alarm: Alarm;

beforeEach(() => {
  clock = testClock();
  start = clock.now();
  logLines = [];
  runs = [];
  const log = pino({ base: null }, { write: (line: string) => void logLines.push(line) });
  const run = () =>
    new Promise<number | undefined>((finish, fail) => {
      runs.push({
        at: clock.now() - start,
        finish: (next) => finish(next === undefined ? undefined : start + next),
        fail,
      });
    });
  const troubles = troubleLog({ log, clock });
  alarm = new Alarm({ name: 'ringing', atLeastMs: 5_000, run }, clock, troubles);
});

const times = () => runs.map(({ at }) => at);

describe('an alarm', () => {
  test('looks at its start, and then at least so often', async () => {
    alarm.start();
    await clock.advance(0);
    runs[0]!.finish();
    await clock.advance(5_000);
    runs[1]!.finish();
    await clock.advance(4_999);
    expect(times()).toEqual([0, 5_000]);
    await clock.advance(1);
    expect(times()).toEqual([0, 5_000, 10_000]);
  });

  test('runs when the run before said that more is due, at once where that is past', async () => {
    alarm.start();
    await clock.advance(0);
    runs[0]!.finish(1_234);
    await clock.advance(2_000);
    runs[1]!.finish(1_000);
    await clock.advance(0);
    expect(times()).toEqual([0, 1_234, 2_000]);
  });

  test('runs when it is asked to, the earliest time first', async () => {
    alarm.start();
    await clock.advance(0);
    runs[0]!.finish(4_000);
    await clock.advance(0);
    alarm.wakeAt(start + 3_000);
    alarm.wakeAt(start + 2_000);
    alarm.wakeAt(start + 4_500);
    await clock.advance(2_500);
    expect(times()).toEqual([0, 2_000]);
  });

  test('hears what it is asked during a run, and never runs twice at the same time', async () => {
    alarm.start();
    await clock.advance(0);
    alarm.wakeAt(start + 100);
    await clock.advance(1_000);
    expect(times()).toEqual([0]);
    runs[0]!.finish();
    await clock.advance(0);
    expect(times()).toEqual([0, 1_000]);
  });

  test('sees within so long that the clock was set forward', async () => {
    alarm.start();
    await clock.advance(0);
    runs[0]!.finish(3_600_000);
    await clock.advance(4_999);
    expect(times()).toEqual([0]);
    await clock.advance(1);
    expect(times()).toEqual([0, 5_000]);
  });

  test('goes on a second after a run that failed, which is logged', async () => {
    alarm.start();
    await clock.advance(0);
    alarm.wakeAt(start);
    runs[0]!.fail(new Error('no bell'));
    await clock.advance(999);
    expect(times()).toEqual([0]);
    await clock.advance(1);
    expect(times()).toEqual([0, 1_000]);
    expect(logLines).toHaveLength(1);
    expect(logLines[0]).toContain('ringing failed; trying again');
  });

  test('does nothing before its start, nor after its stop, which waits for the run under way', async () => {
    alarm.wakeAt(start);
    await clock.advance(10_000);
    expect(runs).toEqual([]);
    alarm.start();
    await clock.advance(0);
    let hasStopped = false;
    const stopped = alarm.stop().then(() => {
      hasStopped = true;
    });
    await clock.advance(0);
    expect(hasStopped).toBe(false);
    runs[0]!.finish(0);
    await stopped;
    alarm.wakeAt(clock.now());
    await clock.advance(10_000);
    expect(runs).toHaveLength(1);
  });

  test('can be stopped before its start, and twice', async () => {
    await alarm.stop();
    alarm.start();
    await alarm.stop();
    await clock.advance(10_000);
    expect(runs).toEqual([]);
  });
});
