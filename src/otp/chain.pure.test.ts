import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CHANNEL_NAMES, type ChannelName } from '../messages/channel.ts';
import { afterFailure, LIFE_WORTH_A_STEP_MS, moveTime, nextStep, orWait, type Progress } from './chain.ts';

const NOW = Date.UTC(2026, 0, 15);
const ALL = () => true;
const at = (step: number, lifeMs = 300_000): Progress => ({
  route: ['whatsapp', 'sms', 'email'],
  step,
  expiresAt: NOW + lifeMs,
});

describe('the next channel of a route', () => {
  test('is the first after the present one that can be begun', () => {
    expect(nextStep(at(0), NOW, ALL)).toBe(1);
    expect(nextStep(at(0), NOW, (name) => name === 'email')).toBe(2);
    expect(nextStep(at(1), NOW, (name) => name === 'whatsapp')).toBeUndefined();
    expect(nextStep(at(2), NOW, ALL)).toBeUndefined();
  });

  test('is not begun with less than 30 seconds of life', () => {
    expect(nextStep(at(0, LIFE_WORTH_A_STEP_MS), NOW, ALL)).toBe(1);
    expect(nextStep(at(0, LIFE_WORTH_A_STEP_MS - 1), NOW, ALL)).toBeUndefined();
  });

  test('follows a refusal at once, and without one there is no way left', () => {
    expect(afterFailure(at(0), NOW, ALL)).toEqual({ is: 'move', step: 1 });
    expect(afterFailure(at(2), NOW, ALL)).toEqual({ is: 'give up' });
  });

  test('follows a channel that went offline or reported nothing, and without one the message waits', () => {
    expect(orWait(at(1), NOW, ALL)).toEqual({ is: 'move', step: 2 });
    expect(orWait(at(2), NOW, ALL)).toEqual({ is: 'stay' });
  });

  test('is due after the waiting time, unless none follows or it would come too late', () => {
    expect(moveTime(at(0), NOW, 25_000)).toBe(NOW + 25_000);
    expect(moveTime(at(2), NOW, 25_000)).toBeUndefined();
    expect(moveTime(at(0, 55_000), NOW, 25_000)).toBe(NOW + 25_000);
    expect(moveTime(at(0, 54_999), NOW, 25_000)).toBeUndefined();
  });
});

test('whatever happens, no step is begun twice, none after the end, never more than the route, and never one before', () => {
  const names = fc.uniqueArray(fc.constantFrom(...CHANNEL_NAMES), { minLength: 1 });
  const happening = fc.record({
    what: fc.constantFrom(afterFailure, orWait),
    usable: fc.subarray([...CHANNEL_NAMES]),
    passMs: fc.integer({ min: 0, max: 60_000 }),
  });
  fc.assert(
    fc.property(
      names,
      fc.integer({ min: 0, max: 300_000 }),
      fc.array(happening, { maxLength: 20 }),
      (route: ChannelName[], lifeMs, story) => {
        const begun = [0];
        let now = NOW;
        for (const { what, usable, passMs } of story) {
          now += passMs;
          const progress = { route, step: begun.at(-1)!, expiresAt: NOW + lifeMs };
          const decision = what(progress, now, (name) => usable.includes(name));
          if (decision.is !== 'move') continue;
          expect(NOW + lifeMs - now).toBeGreaterThanOrEqual(LIFE_WORTH_A_STEP_MS);
          expect(usable).toContain(route[decision.step]);
          begun.push(decision.step);
        }
        expect(begun).toEqual([...new Set(begun)].sort((a, b) => a - b));
        expect(begun.length).toBeLessThanOrEqual(route.length);
      },
    ),
  );
});
