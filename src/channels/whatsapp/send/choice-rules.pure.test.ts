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
    leftToday: 1,
    restsUntil: 0,
    isSilent: false,
    wasRefused: false,
    turnAt: NOW,
    inHand: 1,
    score: 50,
    ...changes,
  };
}

/** The choice among candidates in this order and in the other one, which must be the same. */
function choose(...candidates: Candidate[]) {
  const choice = chooseSession(candidates, NOW, REST_MS);
  expect(chooseSession([...candidates].reverse(), NOW, REST_MS)).toEqual(choice);
  return choice;
}

describe('the number that sends', () => {
  test('is of several that know the recipient the one that wrote last', () => {
    const [first, last] = [candidate('ses_a', { lastWroteAt: 1 }), candidate('ses_b', { lastWroteAt: 2 })];
    expect(choose(first, last)).toEqual({ sessionId: 'ses_b', isNewChat: false });
  });

  test('is one that answers, even for a new chat, before a silent one that knows the recipient', () => {
    const silent = candidate('ses_a', { lastWroteAt: 1, isSilent: true });
    expect(choose(silent, candidate('ses_b', { turnAt: NOW + 9_000, score: 1 }))).toEqual({
      sessionId: 'ses_b',
      isNewChat: true,
    });
  });

  test('is a silent one that knows the recipient where no other may open a chat', () => {
    const silent = candidate('ses_a', { lastWroteAt: 1, isSilent: true, newChats: stopped(NOW + 1) });
    expect(choose(silent, candidate('ses_b', { newChats: stopped(NOW + 1) }))).toEqual({
      sessionId: 'ses_a',
      isNewChat: false,
    });
  });

  test.each([
    ['its turn', { turnAt: NOW + 1, inHand: 0, score: 100 }, {}],
    ['what it has in hand, of equal turns', { inHand: 2, score: 100 }, {}],
    ['its health, of equal loads', { score: 49 }, {}],
    ['its id, of equals', {}, {}],
  ])('for a new chat is chosen by %s', (_by, worse, better) => {
    expect(choose(candidate('ses_b', worse), candidate('ses_a', better))).toEqual({
      sessionId: 'ses_a',
      isNewChat: true,
    });
  });

  test('may have one message left today, and have rested until this very moment', () => {
    expect(choose(candidate('ses_a', { leftToday: 1, restsUntil: NOW }))).toMatchObject({
      sessionId: 'ses_a',
    });
  });

  test('is none that has spent its day, was refused, rests, or may open no chat', () => {
    for (const trouble of [
      { leftToday: 0 },
      { wasRefused: true },
      { restsUntil: NOW + 1 },
      { newChats: stopped(NOW + 1) },
    ]) {
      expect(choose(candidate('ses_a', trouble))).toHaveProperty('reason');
    }
  });
});

describe('when there is none', () => {
  const cases: [string, Candidate[], string, number][] = [
    ['none is connected', [], 'WHATSAPP_NOT_CONNECTED: no linked number is connected to WhatsApp.', NOW],
    [
      'new chats are stopped, the first of them to open again is named',
      [
        candidate('ses_a', { newChats: stopped(NOW + 9) }),
        candidate('ses_b', { newChats: stopped(NOW + 5) }),
      ],
      `WHATSAPP_NEW_CHATS_STOPPED: Stopped until ${NOW + 5}.`,
      NOW + 5,
    ],
    [
      'one is stopped and the other has spent its day',
      [
        candidate('ses_a', { newChats: stopped(NOW + 9) }),
        candidate('ses_b', { leftToday: 0, newChats: stopped(NOW + 1) }),
      ],
      `WHATSAPP_NEW_CHATS_STOPPED: Stopped until ${NOW + 9}.`,
      NOW + 9,
    ],
    [
      'all have spent their day',
      [candidate('ses_a', { leftToday: 0 }), candidate('ses_b', { leftToday: -1 })],
      'WHATSAPP_DAILY_CAP: every linked number has sent what it may send today.',
      NOW + REST_MS,
    ],
    [
      'some rest, the first to be back is waited for',
      [
        candidate('ses_a', { restsUntil: NOW + 9 }),
        candidate('ses_b', { restsUntil: NOW + 7 }),
        candidate('ses_c', { leftToday: 0 }),
      ],
      'WHATSAPP_TOO_MANY: WhatsApp asked the linked number to slow down; it pauses for a minute.',
      NOW + 7,
    ],
    [
      'every number was refused',
      [candidate('ses_a', { wasRefused: true }), candidate('ses_b', { wasRefused: true, restsUntil: NOW })],
      'WHATSAPP_REFUSED_NEW_CHAT: WhatsApp refused to open this chat from every linked number.',
      NOW,
    ],
  ];
  test.each(cases)('because %s, it says so and when to ask again', (_why, candidates, reason, askAgainAt) => {
    expect(choose(...candidates)).toEqual({ reason, askAgainAt });
  });
});
