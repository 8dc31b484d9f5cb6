import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isFinal, statesBefore } from './state-machine.ts';
import { MESSAGE_STATUSES, type MessageStatus } from './types.ts';

/** How far along each state is; every ending comes after every state it can end. */
const RANK: Record<MessageStatus, number> = {
  queued: 0,
  sending: 1,
  sent: 2,
  delivered: 3,
  read: 4,
  failed: 5,
  expired: 5,
  canceled: 5,
};
const statesAfter = (status: MessageStatus) =>
  MESSAGE_STATUSES.filter((next) => statesBefore(next).includes(status));

describe('the states of a message', () => {
  test('only move forward, but for a try that is given up', () => {
    for (const status of MESSAGE_STATUSES) {
      for (const next of statesAfter(status)) {
        if (status === 'sending' && next === 'queued') continue;
        expect(RANK[next], `${status} -> ${next}`).toBeGreaterThan(RANK[status]);
      }
    }
  });

  test('once a provider has taken it, it is never sent again', () => {
    const reached = new Set<MessageStatus>(['sent']);
    for (const status of reached) for (const next of statesAfter(status)) reached.add(next);
    expect(reached.has('queued')).toBe(false);
    expect(reached.has('sending')).toBe(false);
  });

  test('are final where nothing can follow', () => {
    expect(MESSAGE_STATUSES.filter(isFinal)).toEqual(['read', 'failed', 'expired', 'canceled']);
  });

  test('are never entered from themselves, so that a doubled receipt changes nothing', () => {
    for (const status of MESSAGE_STATUSES) expect(statesBefore(status)).not.toContain(status);
  });

  test('a message that has left is never canceled or expired: only what waits or is tried can be', () => {
    for (const left of ['sent', 'delivered', 'read'] as const) {
      expect(statesBefore('canceled')).not.toContain(left);
      expect(statesBefore('expired')).not.toContain(left);
    }
  });

  test('whatever is reported, in whatever order, ends in one final state at most', () => {
    const reports = fc.array(fc.constantFrom(...MESSAGE_STATUSES), { maxLength: 30, size: 'max' });
    fc.assert(
      fc.property(reports, (reported) => {
        let status: MessageStatus = 'queued';
        let ended: MessageStatus | undefined;
        for (const next of reported) {
          if (statesBefore(next).includes(status)) status = next;
          if (ended) expect(status).toBe(ended);
          if (isFinal(status)) ended = status;
        }
      }),
    );
  });
});
