import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from './clock.ts';

const START = Date.UTC(2026, 0, 15);

beforeEach(() => {
  vi.useFakeTimers({ now: START });
});
afterEach(() => {
  vi.useRealTimers();
});

describe("the machine's clock", () => {
  test('goes with the time of day, in whole milliseconds', () => {
    const clock = systemClock();
    expect(clock.now()).toBe(START);
    vi.advanceTimersByTime(1_234);
    expect(clock.now()).toBe(START + 1_234);
    expect(Number.isInteger(clock.now())).toBe(true);
  });

  test('follows the time of day when that is put forward', () => {
    const clock = systemClock();
    vi.setSystemTime(START + 3_600_000);
    expect(clock.now()).toBe(START + 3_600_000);
    vi.advanceTimersByTime(10);
    expect(clock.now()).toBe(START + 3_600_010);
  });

  test('never goes back when the time of day is put back, and goes on meanwhile', () => {
    const clock = systemClock();
    vi.advanceTimersByTime(5_000);
    expect(clock.now()).toBe(START + 5_000);
    vi.setSystemTime(START - 3_600_000);
    expect(clock.now()).toBe(START + 5_000);
    vi.advanceTimersByTime(700);
    expect(clock.now()).toBe(START + 5_700);
  });

  test('calls back once, when the time has come', () => {
    const callback = vi.fn();
    systemClock().setTimeout(callback, 1_000);
    vi.advanceTimersByTime(999);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(5_000);
    expect(callback).toHaveBeenCalledTimes(1);
  });

  test('does not call back once canceled; canceling again and too late is safe', () => {
    const callback = vi.fn();
    const clock = systemClock();
    const canceled = clock.setTimeout(callback, 1_000);
    canceled.cancel();
    canceled.cancel();
    vi.advanceTimersByTime(5_000);
    expect(callback).not.toHaveBeenCalled();
    const run = clock.setTimeout(callback, 1_000);
    vi.advanceTimersByTime(1_000);
    run.cancel();
    expect(callback).toHaveBeenCalledTimes(1);
  });

  test('a waiting timer does not keep the process alive', () => {
    vi.useRealTimers();
    const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const timer = systemClock().setTimeout(() => {}, 60_000);
    expect(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout')).toHaveLength(before);
    timer.cancel();
  });
});
