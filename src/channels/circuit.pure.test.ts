import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  afterFailure,
  type Circuit,
  CLOSED,
  FAILED_MESSAGES_TO_OPEN,
  type FailedTry,
  OPEN_MS,
  OUTAGES_TO_OPEN,
  phaseOf,
} from './circuit.ts';

const NOW = Date.UTC(2026, 0, 15);
const outage = (begunAt: number): FailedTry => ({ messageId: 'msg_1', failure: 'unavailable', begunAt });
const refusedForNow = (messageId: string, failure: FailedTry['failure'] = 'temporary'): FailedTry => ({
  messageId,
  failure,
  begunAt: NOW,
});
const all = (tries: readonly FailedTry[], from: Circuit = CLOSED) =>
  tries.reduce((circuit, tried) => afterFailure(circuit, tried, tried.begunAt), from);
/** A circuit that opened at NOW. */
const OPEN = all(Array.from({ length: OUTAGES_TO_OPEN }, () => outage(NOW)));

describe('a circuit', () => {
  test('opens after failures one after the other in which the channel could not send at all', () => {
    const tries = Array.from({ length: OUTAGES_TO_OPEN }, (_, i) => outage(NOW + i));
    expect(phaseOf(all(tries.slice(1)), NOW)).toBe('closed');
    expect(phaseOf(all(tries), NOW)).toBe('open');
  });

  test('counts failures of tries that were under way together once', () => {
    const first = afterFailure(CLOSED, outage(NOW), NOW + 10);
    const together = Array.from({ length: 50 }, (_, i) => outage(NOW + (i % 10)));
    const circuit = together.reduce((before, tried) => afterFailure(before, tried, NOW + 20), first);
    expect(phaseOf(circuit, NOW + 20)).toBe('closed');
  });

  test.each(['temporary', 'uncertain'] as const)(
    'opens after many messages with a %s failure, and never by one message that is tried again and again',
    (failure) => {
      const one = all(Array.from({ length: 100 }, () => refusedForNow('msg_1', failure)));
      expect(phaseOf(one, NOW)).toBe('closed');
      const many = Array.from({ length: FAILED_MESSAGES_TO_OPEN }, (_, i) =>
        refusedForNow(`msg_${i}`, failure),
      );
      expect(phaseOf(all(many.slice(1)), NOW)).toBe('closed');
      expect(phaseOf(all(many), NOW)).toBe('open');
    },
  );

  test('is half-open when its time has passed, and stays so until a try ends', () => {
    expect(phaseOf(OPEN, NOW + OPEN_MS.first - 1)).toBe('open');
    expect(phaseOf(OPEN, NOW + OPEN_MS.first)).toBe('half-open');
    expect(phaseOf(OPEN, NOW + 1_000_000_000)).toBe('half-open');
  });

  test('opens for twice as long each time its probe fails, up to a minute', () => {
    let circuit = OPEN;
    const lasted: number[] = [];
    for (let i = 0; i < 6; i++) {
      const probedAt = circuit.openUntil!;
      circuit = afterFailure(circuit, { ...refusedForNow('msg_9'), begunAt: probedAt }, probedAt);
      lasted.push(circuit.openUntil! - probedAt);
    }
    expect(lasted).toEqual([10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
  });

  test('learns nothing from tries that had begun before it opened', () => {
    const late = { ...outage(NOW - 1), failure: 'uncertain' as const };
    expect(afterFailure(OPEN, late, NOW + 1)).toBe(OPEN);
    expect(afterFailure(OPEN, late, NOW + OPEN_MS.first + 1)).toBe(OPEN);
  });
});

/** Any tries, in the order in which they end, with the pauses between them. */
const histories = fc.array(
  fc.record({
    pauseMs: fc.integer({ min: 0, max: 40_000 }),
    lastedMs: fc.integer({ min: 0, max: 30_000 }),
    end: fc.constantFrom('taken', 'unavailable', 'temporary', 'uncertain'),
    message: fc.integer({ min: 0, max: 15 }),
  }),
  { maxLength: 80 },
);

test('whatever happens: it opens only by failures, never for longer than a minute, and one answer closes it', () => {
  fc.assert(
    fc.property(histories, (tries) => {
      let circuit: Circuit = CLOSED;
      let failuresInARow = 0;
      let now = NOW;
      for (const { pauseMs, lastedMs, end, message } of tries) {
        now += pauseMs;
        if (end === 'taken') {
          circuit = CLOSED;
          failuresInARow = 0;
          expect(phaseOf(circuit, now)).toBe('closed');
          continue;
        }
        const before = circuit;
        const failure = end as FailedTry['failure'];
        circuit = afterFailure(
          circuit,
          { messageId: `msg_${message}`, failure, begunAt: now - lastedMs },
          now,
        );
        failuresInARow += 1;
        if (phaseOf(circuit, now) === 'open') {
          expect(failuresInARow).toBeGreaterThanOrEqual(Math.min(OUTAGES_TO_OPEN, FAILED_MESSAGES_TO_OPEN));
          expect(circuit.openUntil! - now).toBeLessThanOrEqual(OPEN_MS.most);
        }
        // Once open only time lets a message through, and only a try of the half-open circuit opens it again.
        if (phaseOf(before, now) === 'open') expect(circuit).toBe(before);
        if (before.openUntil !== undefined)
          expect(circuit.openUntil).toBeGreaterThanOrEqual(before.openUntil);
        expect(circuit.failed.length).toBeLessThanOrEqual(FAILED_MESSAGES_TO_OPEN);
      }
    }),
  );
});

test('a channel that fails for ever is tried once each minute at least', () => {
  let circuit = OPEN;
  for (let i = 0; i < 200; i++) {
    const probedAt = circuit.openUntil!;
    expect(phaseOf(circuit, probedAt)).toBe('half-open');
    circuit = afterFailure(circuit, outage(probedAt), probedAt);
    expect(circuit.openUntil! - probedAt).toBeLessThanOrEqual(OPEN_MS.most);
  }
});
