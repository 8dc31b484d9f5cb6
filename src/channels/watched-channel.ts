import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/logger.ts';
import {
  type Accepted,
  type Channel,
  type ChannelCapabilities,
  type OutgoingMessage,
  type Readiness,
  type ReceiptListener,
  SendError,
} from '../messages/channel.ts';
import { afterFailure, type Circuit, CLOSED, phaseOf } from './circuit.ts';
import { type Figures, trackRecord } from './track-record.ts';

/** The words of an open circuit. Nothing of the failures is in them: those were about messages of all projects. */
const PAUSED = 'paused after repeated failures';
const PROBING = 'trying again with one message after repeated failures';

export interface WatchedChannelOptions {
  clock: Clock;
  log: Logger;
}

/**
 * A channel with its health: how its tries end and how long they take, and a circuit breaker, which keeps messages away
 * from a channel that fails again and again, and lets one through from time to time to find out whether it works again.
 */
export class WatchedChannel implements Channel {
  readonly name: Channel['name'];
  readonly reaches: Channel['reaches'];
  readonly hasOwnLinks: boolean;
  readonly reportsWhatItTook: boolean;
  readonly refuses: Channel['refuses'];
  readonly about: Channel['about'];
  readonly #channel: Channel;
  readonly #options: WatchedChannelOptions;
  readonly #record = trackRecord();
  #circuit: Circuit = CLOSED;
  #takenAt: number | undefined;

  constructor(channel: Channel, options: WatchedChannelOptions) {
    this.name = channel.name;
    this.reaches = channel.reaches;
    this.hasOwnLinks = channel.hasOwnLinks ?? false;
    this.reportsWhatItTook = channel.reportsWhatItTook ?? false;
    this.refuses = channel.refuses?.bind(channel);
    this.about = channel.about?.bind(channel);
    this.#channel = channel;
    this.#options = options;
  }

  get #phase() {
    return phaseOf(this.#circuit, this.#options.clock.now());
  }

  get figures(): Figures {
    return this.#record.figures();
  }

  /** When the message was handed over that the provider took last (Unix ms). */
  get takenAt(): number | undefined {
    return this.#takenAt;
  }

  get capabilities(): ChannelCapabilities {
    const { capabilities } = this.#channel;
    return this.#phase === 'half-open' ? { receipts: capabilities.receipts, concurrency: 1 } : capabilities;
  }

  get waitReason(): string | undefined {
    return this.#phase === 'open' ? PAUSED : this.#channel.waitReason;
  }

  /** While the circuit is open the channel is offline, so that the route goes on at once. */
  readiness(projectId: number): Readiness {
    const own = this.#channel.readiness(projectId);
    const phase = this.#phase;
    if (phase === 'closed' || own.state === 'offline') return own;
    return phase === 'open'
      ? { state: 'offline', reason: own.reason === undefined ? PAUSED : `${PAUSED}: ${own.reason}` }
      : { state: 'waiting', reason: PROBING };
  }

  async send(message: OutgoingMessage, signal: AbortSignal): Promise<Accepted> {
    const { clock } = this.#options;
    const begunAt = clock.now();
    try {
      const accepted = await this.#channel.send(message, signal);
      this.#record.succeeded(clock.now() - begunAt);
      this.#takenAt = Math.max(begunAt, this.#takenAt ?? begunAt);
      this.#answered();
      return accepted;
    } catch (error) {
      this.#failed(message.id, begunAt, error, signal);
      throw error;
    }
  }

  start(receipts: ReceiptListener): Promise<void> {
    return this.#channel.start(receipts);
  }

  stop(): Promise<void> {
    return this.#channel.stop();
  }

  #failed(messageId: string, begunAt: number, error: unknown, signal: AbortSignal): void {
    const failure = error instanceof SendError ? error.failure : 'temporary';
    // The server stops, which is not the channel's doing.
    if (signal.aborted && failure === 'unavailable') return;
    // The provider has answered for this address alone, so it works.
    if (failure === 'permanent' || failure === 'deferred') {
      this.#answered();
      return;
    }
    this.#record.failed();
    // Links of projects are supervised by the channel itself; those of one project say nothing of another's.
    if (this.hasOwnLinks) return;
    const { clock, log } = this.#options;
    const before = this.#circuit;
    this.#circuit = afterFailure(before, { messageId, failure, begunAt }, clock.now());
    const { openUntil, openings } = this.#circuit;
    if (openUntil === undefined || openings === before.openings) return;
    log.warn(
      { err: error, channel: this.name, forMs: openUntil - clock.now() },
      `channel ${PAUSED}; messages go on by the next channel of their route`,
    );
  }

  #answered(): void {
    if (this.#circuit.openUntil !== undefined) {
      this.#options.log.info({ channel: this.name }, 'channel works again');
    }
    this.#circuit = CLOSED;
  }
}
