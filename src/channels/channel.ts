/** Every channel the product knows; which of them are set up is the server's configuration. */
export const CHANNEL_NAMES = ['whatsapp', 'cloud_api', 'email', 'sms', 'http', 'simulator'] as const;

/** Those that this version can send by; the others are kept for what is to come, and refused as not set up. */
export const OFFERED_CHANNELS: readonly ChannelName[] = ['whatsapp', 'simulator'];

export type ChannelName = (typeof CHANNEL_NAMES)[number];

/** A message on its way out. A channel knows nothing of verifications. */
export interface OutgoingMessage {
  /** Stored before the first byte leaves, and the same at every try: the receiver can tell a repetition by it. */
  id: string;
  projectId: string;
  /** E.164. */
  to: string;
  text: string;
}

/** What a channel can tell of a message. */
export interface ChannelCapabilities {
  /** Says when the phone has taken the message. */
  deliveryReceipts: boolean;
  /** Says when the person has opened it. */
  readReceipts: boolean;
  /** Messages it can have in hand at the same time; may change while it runs. */
  readonly concurrency: number;
  /** Messages it is given at once while the process is busy: more for a channel that prepares many together. */
  readonly portion?: number;
}

/** Takes what a channel learns after `send` has returned. */
export interface ReceiptListener {
  /** Safe to call late, twice, out of order, and for ids that are unknown. */
  onReceipt(messageId: string, status: 'delivered' | 'read'): void;
}

/**
 * Why a try failed. `permanent`: no later try can succeed. `unavailable`: the channel cannot send at all just now,
 * which costs the message no attempt. `temporary`: another try may succeed.
 */
export type SendFailure = 'permanent' | 'temporary' | 'unavailable';

/** A try that failed. `reason` is shown in the message's timeline. */
export class SendError extends Error {
  readonly failure: SendFailure;
  readonly reason: string;
  /** When it is worth another look, in ms from now; only with `unavailable`, and only where it is known. */
  readonly retryAfterMs: number | undefined;

  constructor(failure: SendFailure, reason: string, cause?: unknown, retryAfterMs?: number) {
    super(reason, cause === undefined ? undefined : { cause });
    this.name = 'SendError';
    this.failure = failure;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** One way to reach a phone. */
export interface Channel {
  readonly name: ChannelName;
  readonly capabilities: ChannelCapabilities;

  /**
   * Why the channel can send nothing at all just now, in the same words as long as it is so. Messages then stay in
   * the queue, untried, and their timeline says it once.
   */
  readonly waitReason?: string | undefined;

  /**
   * Hands a message to the provider and resolves once the provider has acknowledged it.
   * @param signal aborted when the try has taken too long or the server stops
   * @throws SendError
   */
  send(message: OutgoingMessage, signal: AbortSignal): Promise<void>;

  /** Begins to work; may be called once. */
  start(receipts: ReceiptListener): Promise<void>;
  /** Ends all work. Safe before `start` and twice. */
  stop(): Promise<void>;
}
