import type { SendFailure } from '../messages/channel.ts';

/** A circuit opens after so many failures one after the other in which the channel could not send at all. */
export const OUTAGES_TO_OPEN = 3;
/** It also opens after so many messages in a row that the channel did not take for now, each counted once. */
export const FAILED_MESSAGES_TO_OPEN = 10;
/** How long it stays open, at first and at most, in ms; twice as long each time the probe fails. */
export const OPEN_MS = { first: 5_000, most: 60_000 };

/** What is remembered of a channel's failures since it last took a message. Times are Unix ms. */
export interface Circuit {
  /** Failures in which it could not send at all; those that were under way together count once. */
  readonly outages: number;
  /** When the latest of them was counted. */
  readonly outageAt: number;
  /** Messages that it did not take for now. */
  readonly failed: readonly string[];
  /** Until then nothing is sent, and then one message at a time; undefined while closed. */
  readonly openUntil: number | undefined;
  /** How often it opened without taking a message in between. */
  readonly openings: number;
}

/** A try that failed for a reason that is the channel's, not the address's. */
export interface FailedTry {
  readonly messageId: string;
  readonly failure: Exclude<SendFailure, 'permanent' | 'deferred'>;
  /** Unix ms. */
  readonly begunAt: number;
}

/** `closed`: messages go out. `open`: none does. `half-open`: one does, and what becomes of it decides. */
export type Phase = 'closed' | 'open' | 'half-open';

/** A channel that works; also what is left once it has answered for a message. */
export const CLOSED: Circuit = {
  outages: 0,
  outageAt: Number.NEGATIVE_INFINITY,
  failed: [],
  openUntil: undefined,
  openings: 0,
};

/** Whether messages go out now. */
export function phaseOf({ openUntil }: Circuit, now: number): Phase {
  if (openUntil === undefined) return 'closed';
  return now < openUntil ? 'open' : 'half-open';
}

/** What a failed try changes. Tries from before the circuit opened say nothing new once it has. */
export function afterFailure(circuit: Circuit, tried: FailedTry, now: number): Circuit {
  if (circuit.openUntil !== undefined) {
    return tried.begunAt < circuit.openUntil ? circuit : opened(circuit, now);
  }
  const counted = count(circuit, tried, now);
  const isBroken = counted.outages >= OUTAGES_TO_OPEN || counted.failed.length >= FAILED_MESSAGES_TO_OPEN;
  return isBroken ? opened(counted, now) : counted;
}

function count(circuit: Circuit, { messageId, failure, begunAt }: FailedTry, now: number): Circuit {
  if (failure === 'unavailable') {
    if (begunAt < circuit.outageAt) return circuit;
    return { ...circuit, outages: circuit.outages + 1, outageAt: now };
  }
  if (circuit.failed.includes(messageId)) return circuit;
  return { ...circuit, failed: [...circuit.failed, messageId] };
}

function opened(circuit: Circuit, now: number): Circuit {
  const openMs = Math.min(OPEN_MS.most, OPEN_MS.first * 2 ** circuit.openings);
  return { ...circuit, openUntil: now + openMs, openings: circuit.openings + 1 };
}
