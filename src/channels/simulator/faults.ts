/** What shall go wrong on the virtual phone. All false and 0 is a phone in good health. */
export interface Fault {
  /** The channel is down: it takes nothing, and messages wait. */
  refuse: boolean;
  /** The provider takes the message, but the phone never gets it. */
  drop: boolean;
  /** The number is not on WhatsApp: the message fails for good. */
  notOnWhatsApp: boolean;
  /** How long the provider takes to acknowledge, in ms. */
  delayMs: number;
}

const NO_FAULT: Fault = { refuse: false, drop: false, notOnWhatsApp: false, delayMs: 0 };

/** The faults that an administrator or a test has set; forgotten at a restart. */
export function simulatorFaults() {
  let general = NO_FAULT;
  const ofNumbers = new Map<string, Fault>();
  const isNone = (fault: Fault) =>
    !fault.refuse && !fault.drop && !fault.notOnWhatsApp && fault.delayMs === 0;

  return {
    /** Replaces the fault of one number (E.164), or of all that have none of their own. Nothing given means none. */
    set(to: string | undefined, given: Partial<Fault>): Fault {
      const fault = { ...NO_FAULT, ...given };
      if (to === undefined) general = fault;
      else if (isNone(fault)) ofNumbers.delete(to);
      else ofNumbers.set(to, fault);
      return fault;
    },
    /** What happens to a message to this number. */
    of: (to: string): Fault => ofNumbers.get(to) ?? general,
  };
}

export type SimulatorFaults = ReturnType<typeof simulatorFaults>;
