import { pino } from 'pino';
import { beforeEach, describe, expect, test } from 'vitest';
import { settle, type TestClock, testClock } from '../../test/support/test-clock.ts';
import { Periodic } from './periodic.ts';
import { troubleLog } from './troubles.ts';

let clock: TestClock;
let logLines: string[];
let runs: { finish(): void; fail(error: Error): void }[];
let work: Periodic;

beforeEach(() => {
  clock = testClock();
  logLines = [];
  runs = [];
  const log = pino({ base: null }, { write: (line: string) => void logLines.push(line) });
  const run = () =>
    new Promise<void>((finish, fail) => {
      runs.push({ finish, fail });
    });
  work = new Periodic({ name: 'counting sheep', intervalMs: 1_000, run }, clock, troubleLog({ log, clock }));
});

describe('periodic work', () => {
  test('runs first after one interval, and then an interval after each end', async () => {
    work.start();
    await clock.advance(999);
    expect(runs).toHaveLength(0);
    await clock.advance(1);
    expect(runs).toHaveLength(1);
    await clock.advance(700);
    runs[0]!.finish();
    await clock.advance(999);
    expect(runs).toHaveLength(1);
    await clock.advance(1);
    expect(runs).toHaveLength(2);
  });

  test('never runs twice at the same time, however long it takes', async () => {
    work.start();
    await clock.advance(60_000);
    expect(runs).toHaveLength(1);
  });

  test('goes on after a run that failed, which is logged', async () => {
    work.start();
    await clock.advance(1_000);
    runs[0]!.fail(new Error('lost count'));
    await clock.advance(1_000);
    expect(runs).toHaveLength(2);
    expect(logLines).toHaveLength(1);
    expect(logLines[0]).toMatch(/counting sheep.*|lost count/);
    expect(JSON.parse(logLines[0]!)).toMatchObject({ level: 50, err: { message: 'lost count' } });
  });

  test('stops when the run under way is over, and runs no more', async () => {
    work.start();
    await clock.advance(1_000);
    let stops = 0;
    const count = () => {
      stops += 1;
    };
    const both = [work.stop().then(count), work.stop().then(count)];
    await settle();
    expect(stops).toBe(0);
    runs[0]!.finish();
    await Promise.all(both);
    await clock.advance(60_000);
    expect(runs).toHaveLength(1);
  });

  test('stops at once between runs', async () => {
    work.start();
    await clock.advance(500);
    await work.stop();
    await clock.advance(60_000);
    expect(runs).toHaveLength(0);
  });

  test('stopped before it was started never runs', async () => {
    await work.stop();
    work.start();
    await clock.advance(60_000);
    expect(runs).toHaveLength(0);
  });

  test('started twice runs once an interval', async () => {
    work.start();
    work.start();
    await clock.advance(1_000);
    expect(runs).toHaveLength(1);
  });
});
