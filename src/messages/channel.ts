import type { ChannelName } from '../config/channel-names.ts';

export { CHANNEL_NAMES, type ChannelName } from '../config/channel-names.ts';

/** A message on its way out. A channel knows nothing of verifications. */
export interface OutgoingMessage {
  /** Stored before the first byte leaves, and the same at every try: the receiver can tell a repetition by it. */
  id: string;
  projectId: number;
  /** E.164, or an e-mail address, as the channel reaches. */
  to: string;
  /** What the person reads, with the code in it. */
  text: string;
  /** In mock mode the channel that the virtual phone stands in for. */
  plays?: ChannelName;
  /** The code alone, for a channel that has a place of its own for it; absent where the message carries none. */
  code?: string;
  /** BCP 47; absent where nobody has said. */
  locale?: string | undefined;
  /** Of an e-mail; made by the channel where absent. */
  subject?: string | undefined;
  html?: string | undefined;
  /** From then on it is worth nothing (Unix ms). */
  expiresAt: number;
}

/** What a channel can tell of a message. */
export interface ChannelCapabilities {
  /** The most that it learns after the provider has taken a message: nothing, that it arrived, or that it was opened too. */
  readonly receipts: 'none' | 'delivered' | 'read';
  /** Messages it can have under way at the same time; may change while it runs. */
  readonly concurrency: number;
  /** Messages it is given at once while the process is busy: more for a channel that prepares many together. */
  readonly portion?: number;
}

/** What the provider said when it took a message. */
export interface Accepted {
  /** What the provider calls the message; its receipts may come under this name only. */
  providerId?: string;
}

/** Names a message: by its own id, or by the one that the provider gave it. */
export type MessageName =
  | { messageId: string; providerId?: undefined }
  | { providerId: string; messageId?: undefined };

/**
 * What a channel learnt of a message after it was sent. `sent`: the provider has it, which matters only where its answer was
 * lost. `disowned`: the recipient has read it, and says that they did not ask for it.
 */
export type Receipt = MessageName & {
  status: 'sent' | 'delivered' | 'read' | 'failed' | 'disowned';
  /** Why it failed, as the timeline shows it. */
  reason?: string;
};

/** Takes what a channel learns after `send` has returned. */
export interface ReceiptListener {
  /**
   * Safe to call late, twice, out of order, and for ids that are unknown. Resolves once it is on disk, so that a provider is
   * told only then that its report arrived; who does not wait for it need not handle the rejection either.
   */
  onReceipt(receipt: Receipt): Promise<void>;
}

/**
 * Why a try failed. `permanent`: no later try can succeed. `unavailable`: the channel cannot send at all just now,
 * which costs the message no attempt. `temporary`: another try may succeed. `deferred`: the same, but only this recipient
 * is to be tried later, so the channel works. `uncertain`: the answer was lost and the provider may have taken the message,
 * so it is not tried again; receipts or the route decide.
 */
export type SendFailure = 'permanent' | 'temporary' | 'deferred' | 'unavailable' | 'uncertain';

/** A try that failed. `reason` is shown in the message's timeline. */
export class SendError extends Error {
  readonly failure: SendFailure;
  readonly reason: string;
  /** When it is worth another try, in ms from now; only with `unavailable`, `temporary` and `deferred`, and only where it is known. */
  readonly retryAfterMs: number | undefined;

  constructor(failure: SendFailure, reason: string, cause?: unknown, retryAfterMs?: number) {
    super(reason, cause === undefined ? undefined : { cause });
    this.name = 'SendError';
    this.failure = failure;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * Whether a channel sends the messages of a project now. `waiting`: it will in a moment, such as after a reconnection.
 * `offline`: not until somebody does something about it.
 */
export type Readiness =
  | { state: 'ready'; reason?: undefined }
  | { state: 'waiting' | 'offline'; reason: string };

/** One way to reach a person. */
export interface Channel {
  readonly name: ChannelName;
  /** Which kind of address it reaches. */
  readonly reaches: 'phone' | 'email';
  readonly capabilities: ChannelCapabilities;
  /**
   * Whether each project sends over links of its own, whose readiness the channel learns without a try. Where not, one try
   * finds out for all whether it sends again.
   */
  readonly hasOwnLinks?: boolean;
  /**
   * Whether the provider would deliver a message twice that it is handed twice, and reports by our id what it has taken. What
   * a process was sending when it died then waits for such a report, as long as its claim holds, before it is sent again.
   */
  readonly reportsWhatItTook?: boolean;

  /**
   * Why the channel can send nothing at all just now, in the same words as long as it is so. Messages then stay in
   * the queue, untried, and their timeline says it once.
   */
  readonly waitReason?: string | undefined;

  /**
   * Whether it sends the messages of a project now, in the same words as long as it is so.
   * @param plays in mock mode the channel that the virtual phone stands in for
   */
  readiness(projectId: number, plays?: ChannelName): Readiness;

  /** Why a message to this address cannot succeed, as far as is known without asking; undefined when nothing is known. */
  refuses?(to: string): string | undefined;

  /** What the provider says of this sender when it is asked, a sentence each; what it does not tell is said too. */
  about?(signal: AbortSignal): Promise<readonly string[]>;

  /**
   * Hands a message to the provider and resolves once the provider has acknowledged it.
   * @param signal aborted when the try has taken too long or the server stops
   * @throws SendError
   */
  send(message: OutgoingMessage, signal: AbortSignal): Promise<Accepted>;

  /** Begins to work; may be called once. */
  start(receipts: ReceiptListener): Promise<void>;
  /** Ends all work. Safe before `start` and twice. */
  stop(): Promise<void>;
}
