import type { Database, Transaction } from '../database/database.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import type { Suppression } from '../opt-outs/suppression.ts';
import { readOptOut } from '../opt-outs/words.ts';
import { withoutCodes } from './without-codes.ts';

/** What a person wrote back. */
export interface InboundText {
  projectId: number;
  /** E.164. */
  from: string;
  text: string;
  /** The linked number it was written to; absent on the virtual phone. */
  sessionId?: string;
}

/** What a text asked for, in its only words: no more messages, or messages again. */
export interface Wish {
  wish: 'stop' | 'start';
  /** Whether it was not so before. */
  hasChanged: boolean;
  /** What tells the person that it opted out, in the language of the word; undefined for `start`. */
  answer: string | undefined;
}

/**
 * Takes what people write back: every text becomes the event `message.received`, without what looks like a code, and
 * STOP and START take effect. Resolves to what was asked for, if anything.
 */
export function inboundTexts(deps: {
  database: Database;
  events: EventRecorder;
  suppression: Suppression;
  clock: Clock;
}) {
  const { database, events, suppression, clock } = deps;

  async function obey(wish: Wish['wish'], { projectId, from, sessionId }: InboundText): Promise<boolean> {
    return database.transaction(async (trx) => {
      const hasChanged =
        wish === 'stop'
          ? await suppression.add(trx, projectId, from, clock.now())
          : await suppression.remove(trx, projectId, from);
      const type = wish === 'stop' ? 'number.opted_out' : 'number.opted_in';
      const data = { from, ...(sessionId !== undefined && { sessionId }) };
      if (hasChanged) await events.record(trx, { type, projectId, data });
      return hasChanged;
    });
  }

  return {
    /**
     * @param isOurs asked in the transaction that records the text: false where another process takes it
     * @returns undefined where it is not ours
     */
    async take(
      inbound: InboundText,
      isOurs: (trx: Transaction) => Promise<boolean> = async () => true,
    ): Promise<{ wish: Wish | undefined } | undefined> {
      const { projectId, from, text, sessionId } = inbound;
      const asked = readOptOut(text);
      const data = {
        from,
        text: asked ? text : withoutCodes(text),
        ...(sessionId !== undefined && { sessionId }),
      };
      const isTaken = await database.transaction(async (trx) => {
        if (!(await isOurs(trx))) return false;
        await events.record(trx, { type: 'message.received', projectId, data });
        return true;
      });
      if (!isTaken) return undefined;
      if (!asked) return { wish: undefined };
      const hasChanged = await obey(asked.wish, inbound);
      const answer = asked.wish === 'stop' ? asked.answer : undefined;
      return { wish: { wish: asked.wish, hasChanged, answer } };
    },
  };
}
