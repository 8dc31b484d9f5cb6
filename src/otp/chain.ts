import type { ChannelName } from '../messages/channel.ts';

/** No channel is begun with less life of the code left, in ms: the person could hardly use it. */
export const LIFE_WORTH_A_STEP_MS = 30_000;

/** Where a pending verification is on its route. Times are Unix ms. */
export interface Progress {
  /** The channels in order, as they were chosen at the send. */
  route: readonly ChannelName[];
  /** The place on the route, from 0. */
  step: number;
  expiresAt: number;
}

/** What becomes of a verification: it waits where it is, goes on by the channel at `step`, or has no way left. */
export type Decision = { is: 'stay' } | { is: 'move'; step: number } | { is: 'give up' };

/** Whether the channel at a place can be begun at the moment: set up, not known to refuse the address, not offline. */
export type Usable = (channel: ChannelName) => boolean;

/** The next place on a route that can be begun; undefined when there is none. Never goes back, never begins one twice. */
export function nextStep(
  { route, step, expiresAt }: Progress,
  now: number,
  usable: Usable,
): number | undefined {
  if (expiresAt - now < LIFE_WORTH_A_STEP_MS) return undefined;
  const next = route.findIndex((channel, place) => place > step && usable(channel));
  return next === -1 ? undefined : next;
}

/** The channel refused for good: the next one is used at once, else there is no way left. */
export function afterFailure(progress: Progress, now: number, usable: Usable): Decision {
  const step = nextStep(progress, now, usable);
  return step === undefined ? { is: 'give up' } : { is: 'move', step };
}

/**
 * The channel went offline with the message still waiting, or its waiting time has passed without a receipt: the next one
 * is used, else the message waits.
 */
export function orWait(progress: Progress, now: number, usable: Usable): Decision {
  const step = nextStep(progress, now, usable);
  return step === undefined ? { is: 'stay' } : { is: 'move', step };
}

/**
 * When the next channel is used if no receipt comes, for a step that begins now; undefined where none follows, or it would
 * begin too late.
 */
export function moveTime(
  { route, step, expiresAt }: Progress,
  now: number,
  waitMs: number,
): number | undefined {
  if (step >= route.length - 1) return undefined;
  const at = now + waitMs;
  return expiresAt - at < LIFE_WORTH_A_STEP_MS ? undefined : at;
}
