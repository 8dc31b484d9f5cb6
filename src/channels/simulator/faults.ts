import type { ChannelName } from '../../messages/channel.ts';

/** What shall go wrong on the virtual phone. All false and 0 is a phone in good health. */
export interface Fault {
  /** The channel is down: it takes nothing, and messages wait. Of one address by one channel: it is refused for good. */
  refuse: boolean;
  /** The provider takes the message, but the phone never gets it. */
  drop: boolean;
  /** The number is not on WhatsApp: the message fails for good. Other channels do not care. */
  notOnWhatsApp: boolean;
  /** How long the provider takes to acknowledge, in ms. */
  delayMs: number;
}

const NO_FAULT: Fault = { refuse: false, drop: false, notOnWhatsApp: false, delayMs: 0 };

/** To whom and to which channel a fault applies; to all where it does not say. */
export interface FaultPlace {
  /** E.164, or an e-mail address. */
  to?: string | undefined;
  /** The channel that the virtual phone stands in for. */
  channel?: ChannelName | undefined;
}

/** The faults that an administrator or a test has set; forgotten at a restart. */
export function simulatorFaults() {
  const faults = new Map<string, Fault>();
  const keyOf = ({ to = '*', channel = '*' as ChannelName }: FaultPlace) => `${to} ${channel}`;

  /** What happens to messages by this channel, whatever is set for single addresses. */
  const ofAll = (channel: ChannelName): Fault =>
    faults.get(keyOf({ channel })) ?? faults.get(keyOf({})) ?? NO_FAULT;

  return {
    /** Replaces the fault of one place. Nothing given means none there, whatever applies to all; for all, none anywhere. */
    set(place: FaultPlace, given: Partial<Fault>): Fault {
      const fault = { ...NO_FAULT, ...given };
      const isNone = !fault.refuse && !fault.drop && !fault.notOnWhatsApp && fault.delayMs === 0;
      const isEverywhere = place.to === undefined && place.channel === undefined;
      if (isNone && isEverywhere) faults.clear();
      else if (isNone) faults.delete(keyOf(place));
      else faults.set(keyOf(place), fault);
      return fault;
    },

    /** What happens to a message to this address by this channel: what is set for both, then for either, then for all. */
    of: (to: string, channel: ChannelName): Fault =>
      faults.get(keyOf({ to, channel })) ?? faults.get(keyOf({ to })) ?? ofAll(channel),

    ofAll,

    /** Whether an address is refused for good by a channel that takes messages to others. */
    refusesForGood: (to: string, channel: ChannelName): boolean =>
      faults.get(keyOf({ to, channel }))?.refuse ?? false,
  };
}

export type SimulatorFaults = ReturnType<typeof simulatorFaults>;
