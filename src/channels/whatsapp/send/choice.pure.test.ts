import { describe, expect, test } from 'vitest';
import { type Candidate, chooseSession } from './choice.ts';

const NOW = 1_000_000;
const REST_MS = 3_600_000;
const stopped = (until: number) => ({ open: false as const, reason: `Stopped until ${until}.`, until });

function candidate(sessionId: string, changes: Partial<Candidate> = {}): Candidate {
  return {
    sessionId,
    lastWroteAt: undefined,
    newChats: { open: true },
    leftToday: 10,
    restsUntil: 0,
    isSilent: false,
    wasRefused: false,
    turnAt: NOW,
    inHand: 0,
    score: 100,
    ...changes,
  };
}

const choose = (...candidates: Candidate[]) => chooseSession(candidates, NOW, REST_MS);

describe('the number that sends', () => {
  test('is the one that wrote to the person last, however busy it is', () => {
    const sticky = candidate('ses_a', { lastWroteAt: 900, turnAt: NOW + 5000, inHand: 50, score: 10 });
    expect(choose(sticky, candidate('ses_b', { lastWroteAt: 800 }), candidate('ses_c'))).toEqual({
      sessionId: 'ses_a',
      isNewChat: false,
    });
  });

  test('may go on with known chats while new ones are stopped', () => {
    const locked = candidate('ses_a', { lastWroteAt: 900, newChats: stopped(NOW + 1) });
    expect(choose(locked)).toEqual({ sessionId: 'ses_a', isNewChat: false });
  });

  test('is otherwise the one whose turn comes first, then the least loaded, then the healthiest', () => {
    const later = candidate('ses_a', { turnAt: NOW + 1 });
    const loaded = candidate('ses_b', { inHand: 2 });
    const weak = candidate('ses_c', { score: 50 });
    const best = candidate('ses_d');
    const order = [later, loaded, weak, best];
    const chosen: string[] = [];
    while (order.length > 0) {
      const choice = choose(...order) as { sessionId: string; isNewChat: boolean };
      expect(choice.isNewChat).toBe(true);
      chosen.push(choice.sessionId);
      order.splice(
        order.findIndex(({ sessionId }) => sessionId === choice.sessionId),
        1,
      );
    }
    expect(chosen).toEqual(['ses_d', 'ses_c', 'ses_b', 'ses_a']);
  });

  test('is another one when the last sender has stopped answering, refused, or spent its day', () => {
    for (const trouble of [
      { isSilent: true },
      { wasRefused: true },
      { restsUntil: NOW + 1 },
      { leftToday: 0 },
    ]) {
      expect(choose(candidate('ses_a', { lastWroteAt: 900, ...trouble }), candidate('ses_b'))).toEqual({
        sessionId: 'ses_b',
        isNewChat: true,
      });
    }
  });

  test('that does not answer is better than none', () => {
    expect(choose(candidate('ses_a', { isSilent: true }))).toMatchObject({ sessionId: 'ses_a' });
  });
});

describe('when there is none, the reason says why', () => {
  test.each([
    [[], 'WHATSAPP_NOT_CONNECTED', NOW],
    [
      [
        candidate('ses_a', { newChats: stopped(NOW + 9) }),
        candidate('ses_b', { newChats: stopped(NOW + 5) }),
      ],
      `WHATSAPP_NEW_CHATS_STOPPED: Stopped until ${NOW + 5}.`,
      NOW + 5,
    ],
    [[candidate('ses_a', { leftToday: 0 })], 'WHATSAPP_DAILY_CAP', NOW + REST_MS],
    [[candidate('ses_a', { restsUntil: NOW + 7 })], 'WHATSAPP_TOO_MANY', NOW + 7],
    [[candidate('ses_a', { wasRefused: true })], 'WHATSAPP_REFUSED_NEW_CHAT', NOW],
  ] as [Candidate[], string, number][])('%#: %s', (candidates, reason, askAgainAt) => {
    const choice = choose(...candidates) as { reason: string; askAgainAt: number };
    expect(choice.reason).toContain(reason);
    expect(choice.askAgainAt).toBe(askAgainAt);
  });
});
