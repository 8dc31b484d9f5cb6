import type { Admission } from './sender-health.ts';

/** A linked number as a choice for one message. */
export interface Candidate {
  sessionId: string;
  /** When it last wrote to this recipient (Unix ms); undefined: it would be a new chat. */
  lastWroteAt: number | undefined;
  /** Whether it may open a new chat. */
  newChats: Admission;
  /** Messages it may still send today. */
  leftToday: number;
  /** Until when WhatsApp has asked it to rest (Unix ms); 0: it has not. */
  restsUntil: number;
  /** Whether its last messages stayed without any answer from WhatsApp. */
  isSilent: boolean;
  /** Whether it has already tried this message and was refused. */
  wasRefused: boolean;
  /** When it could send (Unix ms), by its pace. */
  turnAt: number;
  /** Messages in its hands. */
  inHand: number;
  /** Its health, 0 to 100. */
  score: number;
}

/** The number that takes the message, or in plain words why none can, and when to ask again (Unix ms). */
export type Choice = { sessionId: string; isNewChat: boolean } | { reason: string; askAgainAt: number };

/**
 * Chooses among the linked numbers whose connection is open: the one that wrote to this recipient last, so that a
 * person sees one sender; otherwise the least loaded of those that may open a new chat.
 * @param restOfDayMs until daily caps begin anew
 */
export function chooseSession(candidates: readonly Candidate[], now: number, restOfDayMs: number): Choice {
  const able = candidates.filter(
    ({ leftToday, wasRefused, restsUntil }) => leftToday > 0 && !wasRefused && restsUntil <= now,
  );
  const known = able
    .filter(({ lastWroteAt, isSilent }) => lastWroteAt !== undefined && !isSilent)
    .sort((a, b) => b.lastWroteAt! - a.lastWroteAt!);
  if (known[0]) return { sessionId: known[0].sessionId, isNewChat: false };

  // A number that wrote to the recipient before needs no admission, but one that answers goes first.
  const open = able.filter(({ lastWroteAt, newChats }) => lastWroteAt !== undefined || newChats.open);
  const [best] = open.sort(
    (a, b) =>
      Number(a.isSilent) - Number(b.isSilent) ||
      a.turnAt - b.turnAt ||
      a.inHand - b.inHand ||
      b.score - a.score ||
      (a.sessionId < b.sessionId ? -1 : 1),
  );
  if (best) return { sessionId: best.sessionId, isNewChat: best.lastWroteAt === undefined };
  return { ...whyNone(candidates, able, now, restOfDayMs) };
}

function whyNone(
  candidates: readonly Candidate[],
  able: readonly Candidate[],
  now: number,
  restOfDayMs: number,
): { reason: string; askAgainAt: number } {
  if (candidates.length === 0) {
    return { reason: 'WHATSAPP_NOT_CONNECTED: no linked number is connected to WhatsApp.', askAgainAt: now };
  }
  const closed = able.flatMap(({ newChats }) => (newChats.open ? [] : [newChats]));
  const [first] = closed.sort((a, b) => a.until - b.until);
  if (first) return { reason: `WHATSAPP_NEW_CHATS_STOPPED: ${first.reason}`, askAgainAt: first.until };
  if (candidates.every(({ leftToday }) => leftToday <= 0)) {
    return {
      reason: 'WHATSAPP_DAILY_CAP: every linked number has sent what it may send today.',
      askAgainAt: now + restOfDayMs,
    };
  }
  const resting = candidates.map(({ restsUntil }) => restsUntil).filter((until) => until > now);
  if (resting.length > 0) {
    return {
      reason: 'WHATSAPP_TOO_MANY: WhatsApp asked the linked number to slow down; it pauses for a minute.',
      askAgainAt: Math.min(...resting),
    };
  }
  return {
    reason: 'WHATSAPP_REFUSED_NEW_CHAT: WhatsApp refused to open this chat from every linked number.',
    askAgainAt: now,
  };
}
