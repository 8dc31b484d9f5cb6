import type {
  Channel,
  ChannelCapabilities,
  ChannelName,
  OutgoingMessage,
  ReceiptListener,
} from '../../src/channels/channel.ts';

/** A message in the channel's hands, and what the test can let become of it. */
export interface Try {
  message: OutgoingMessage;
  signal: AbortSignal;
  /** The provider acknowledges. */
  acknowledge(): void;
  fail(error: unknown): void;
}

/**
 * A channel of which the test plays the far end: each message that is handed over waits in `tries` until the test
 * lets it succeed or fail, or is dealt with by `onTry`.
 */
export class ScriptedChannel implements Channel {
  readonly name: ChannelName;
  readonly capabilities: ChannelCapabilities;
  /** Every try so far, oldest first. */
  readonly tries: Try[] = [];
  /** Called with each try as it begins. */
  onTry: ((attempt: Try) => void) | undefined;
  receipts: ReceiptListener | undefined;
  /** Why it takes nothing at the moment. */
  waitReason: string | undefined;
  /** Tries that neither the test nor the signal has ended, now and at most. */
  inHand = 0;
  inHandMax = 0;
  stops = 0;

  constructor(name: ChannelName, concurrency = 10, portion?: number) {
    this.name = name;
    this.capabilities = { deliveryReceipts: true, readReceipts: true, concurrency, portion };
  }

  send(message: OutgoingMessage, signal: AbortSignal): Promise<void> {
    this.inHand += 1;
    this.inHandMax = Math.max(this.inHandMax, this.inHand);
    return new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      const attempt: Try = { message, signal, acknowledge: resolve, fail: reject };
      this.tries.push(attempt);
      this.onTry?.(attempt);
    }).finally(() => {
      this.inHand -= 1;
    });
  }

  async start(receipts: ReceiptListener): Promise<void> {
    this.receipts = receipts;
  }

  async stop(): Promise<void> {
    this.stops += 1;
  }
}
