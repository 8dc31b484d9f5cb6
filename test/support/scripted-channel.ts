import type {
  Accepted,
  Channel,
  ChannelCapabilities,
  ChannelName,
  OutgoingMessage,
  Readiness,
  ReceiptListener,
} from '../../src/messages/channel.ts';

/** A message in the channel's hands, and what the test can let become of it. */
export interface Try {
  message: OutgoingMessage;
  signal: AbortSignal;
  /** The provider acknowledges. */
  acknowledge(providerId?: string): void;
  fail(error: unknown): void;
}

/**
 * A channel of which the test plays the far end: each message that is handed over waits in `tries` until the test
 * lets it succeed or fail, or is dealt with by `onTry`.
 */
export class ScriptedChannel implements Channel {
  readonly name: ChannelName;
  readonly reaches: Channel['reaches'];
  readonly capabilities: ChannelCapabilities;
  /** Every try so far, oldest first. */
  readonly tries: Try[] = [];
  /** Called with each try as it begins. */
  onTry: ((attempt: Try) => void) | undefined;
  /** Whether what `unready` says is learnt without a try. */
  hasOwnLinks = true;
  /** Whether it reports by our id what it took. */
  reportsWhatItTook = false;
  receipts: ReceiptListener | undefined;
  /** Why it takes nothing at the moment. */
  waitReason: string | undefined;
  /** Projects that it does not send for now, and why. */
  readonly unready = new Map<number, Readiness>();
  /** Tries that neither the test nor the signal has ended, now and at most. */
  inHand = 0;
  inHandMax = 0;
  stops = 0;

  constructor(name: ChannelName, concurrency = 10, portion?: number) {
    this.name = name;
    this.reaches = name === 'email' ? 'email' : 'phone';
    this.capabilities = { receipts: 'read', concurrency, portion };
  }

  /** Why it refuses an address, as far as it knows without asking. */
  refusal: (to: string) => string | undefined = () => undefined;

  refuses(to: string): string | undefined {
    return this.refusal(to);
  }

  readiness(projectId: number): Readiness {
    return this.unready.get(projectId) ?? { state: 'ready' };
  }

  send(message: OutgoingMessage, signal: AbortSignal): Promise<Accepted> {
    this.inHand += 1;
    this.inHandMax = Math.max(this.inHandMax, this.inHand);
    return new Promise<Accepted>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      const attempt: Try = {
        message,
        signal,
        acknowledge: (providerId) => resolve(providerId === undefined ? {} : { providerId }),
        fail: reject,
      };
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
