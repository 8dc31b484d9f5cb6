import { type Channel, type ReceiptListener, SendError } from '../channels/channel.ts';
import type { Transaction } from '../database/database.ts';
import { DatabaseError } from '../errors/errors.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import { isForeseen } from '../lib/foreseen.ts';
import type { Logger } from '../lib/logger.ts';
import { pause } from '../lib/pause.ts';
import type { Troubles } from '../lib/troubles.ts';
import { LEASE_MS, type MessageService } from './service.ts';
import type { ClaimedMessage, Receipt } from './types.ts';

/** How long one try may take before it counts as failed, in ms. */
export const SEND_TIMEOUT_MS = 30_000;
/** Without any word from others the outbox is looked at this often, in ms. */
const POLL_MS = 1_000;
/** Wake-ups that come close together share one look, in ms. */
const GATHER_MS = 20;
/** How long a message waits when its channel cannot send at all, in ms. */
const CHANNEL_DOWN_DELAY_MS = 2_000;
/** The share of time the process may be busy before requests go first. */
const BUSY_UTILIZATION = 0.8;
/** While requests go first, so many messages are claimed for a channel, and so seldom (in ms). */
const BUSY_CLAIM = 20;
const BUSY_GATHER_MS = 100;
/** With so many messages under way, what became of them is written down together, this much later (in ms). */
const MANY_IN_FLIGHT = 16;
const OUTCOMES_GATHER_MS = 20;
/** So many receipts share a transaction at most. */
const RECEIPTS_TOGETHER = 100;
/** While the database cannot take what became of messages, it is asked again this often, in ms. */
const WRITE_AGAIN_MS = 1_000;
/** How long stop waits for tries under way before it gives their messages back, in ms. */
const STOP_GRACE_MS = 5_000;

/** What may fail again and again, by its name in the log. */
const READ_OUTBOX = 'reading the outbox';
const RECORD_OUTCOME = 'recording the outcome of a try';
const RECORD_RECEIPTS = 'recording receipts';
const OPTED_OUT = 'PHONE_OPTED_OUT: this number asked for no more messages.';
const UNREADABLE = 'The stored code of this message cannot be read.';

export interface DispatcherOptions {
  messages: MessageService;
  channels: readonly Channel[];
  clock: Clock;
  log: Logger;
  troubles: Troubles;
  /** Whether a phone (E.164) wants no messages from a project; asked before every try. */
  isOptedOut: (projectId: string, phone: string) => Promise<boolean>;
  /** Runs in the transaction in which a message failed for good. */
  onUndeliverable: (trx: Transaction, message: ClaimedMessage, reason: string) => Promise<void>;
}

interface Flight {
  message: ClaimedMessage;
  abort: AbortController;
  done: Promise<void>;
}

/**
 * Takes what is due from the outbox and hands it to the channels. Each channel has its own room, so a slow one
 * delays no other. A wake-up only shortens the wait; the poll is what is relied on.
 */
export class Dispatcher implements ReceiptListener {
  readonly #messages: MessageService;
  readonly #channels: readonly Channel[];
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #troubles: Troubles;
  readonly #isOptedOut: DispatcherOptions['isOptedOut'];
  readonly #onUndeliverable: DispatcherOptions['onUndeliverable'];
  readonly #flights = new Map<Channel, Set<Flight>>();
  /** Channels for which more was due than was claimed at the last look. */
  readonly #unclaimed = new Set<Channel>();
  #state: 'new' | 'running' | 'stopped' = 'new';
  readonly #stopSignal = new AbortController();
  #timer: { timer: Timer; at: number } | undefined;
  #pass: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #gatherMs = GATHER_MS;
  #utilization = performance.eventLoopUtilization();
  #receipts: Receipt[] = [];
  #recording: Promise<void> | undefined;
  #outcomes: (() => void)[] = [];
  /** The wait until the next try to write, while the database cannot. */
  #outage: Promise<void> | undefined;

  constructor({ messages, channels, clock, log, troubles, isOptedOut, onUndeliverable }: DispatcherOptions) {
    this.#messages = messages;
    this.#channels = channels;
    this.#clock = clock;
    this.#log = log;
    this.#troubles = troubles;
    this.#isOptedOut = isOptedOut;
    this.#onUndeliverable = onUndeliverable;
    for (const channel of channels) this.#flights.set(channel, new Set());
  }

  /** Messages that are in the channels' hands. */
  get inFlight(): number {
    return [...this.#flights.values()].reduce((sum, flights) => sum + flights.size, 0);
  }

  async start(): Promise<void> {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    for (const channel of this.#channels) await channel.start(this);
    this.#lookAgainIn(0);
  }

  /** Takes no more messages, waits a moment for those under way, gives the rest back. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const wasRunning = this.#state === 'running';
    this.#state = 'stopped';
    this.#stopSignal.abort();
    this.#timer?.timer.cancel();
    this.#writeOutcomes();
    await this.#pass;
    if (!wasRunning) return;
    const flights = [...this.#flights.values()].flatMap((set) => [...set]);
    const grace = this.#clock.setTimeout(() => {
      for (const flight of flights) flight.abort.abort(new SendError('unavailable', 'server stopping'));
    }, STOP_GRACE_MS);
    await Promise.all(flights.map((flight) => flight.done));
    grace.cancel();
    for (const channel of this.#channels) await channel.stop();
    await this.#recording;
  }

  /** Something was put into the outbox: look soon. */
  wake(): void {
    this.#lookAgainIn(this.#gatherMs);
  }

  onReceipt(messageId: string, status: 'delivered' | 'read'): void {
    this.#receipts.push({ messageId, status });
    this.#recording ??= this.#recordReceipts();
  }

  /** Receipts that come while others are being written share the next transaction. */
  async #recordReceipts(): Promise<void> {
    while (this.#receipts.length > 0) {
      await this.#turnToWrite();
      const receipts = this.#receipts.splice(0, RECEIPTS_TOGETHER);
      try {
        await this.#whenWritable(() => this.#messages.recordReceipts(receipts));
        this.#troubles.succeeded(RECORD_RECEIPTS);
      } catch (error) {
        this.#troubles.failed(RECORD_RECEIPTS, error, {
          message: 'receipts were not recorded',
          fields: { receipts },
        });
      }
    }
    // In the same step that saw nothing waiting, so that a receipt that comes next begins anew.
    this.#recording = undefined;
  }

  #lookAgainIn(delayMs: number): void {
    if (this.#state !== 'running') return;
    const at = this.#clock.now() + delayMs;
    if (this.#timer && this.#timer.at <= at) return;
    this.#timer?.timer.cancel();
    const timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      this.#pass ??= this.#look().finally(() => {
        this.#pass = undefined;
      });
    }, delayMs);
    this.#timer = { timer, at };
  }

  /** Whether the process has been busy since the last look; then requests go first, and messages go in small portions. */
  #isBusy(): boolean {
    const before = this.#utilization;
    this.#utilization = performance.eventLoopUtilization();
    return performance.eventLoopUtilization(this.#utilization, before).utilization > BUSY_UTILIZATION;
  }

  async #look(): Promise<void> {
    let more = false;
    const isBusy = this.#isBusy();
    this.#gatherMs = isBusy ? BUSY_GATHER_MS : GATHER_MS;
    try {
      await this.#messages.recoverClaims(this.#clock.now());
      for (const channel of this.#channels) {
        if (channel.waitReason !== undefined) {
          more ||= await this.#messages.noteWaiting(channel.name, channel.waitReason);
          continue;
        }
        const { concurrency, portion = BUSY_CLAIM } = channel.capabilities;
        const free = concurrency - this.#flights.get(channel)!.size;
        const room = isBusy ? Math.min(portion, free) : free;
        if (room <= 0) {
          // Room comes when something that is under way ends; a channel without any is asked at the next poll.
          more ||= concurrency > free;
          continue;
        }
        const claimed = await this.#messages.claimDue(channel.name, room);
        for (const message of claimed) this.#launch(channel, message);
        if (claimed.length < room) {
          this.#unclaimed.delete(channel);
          continue;
        }
        this.#unclaimed.add(channel);
        more = true;
      }
      this.#troubles.succeeded(READ_OUTBOX);
    } catch (error) {
      this.#troubles.failed(READ_OUTBOX, error, {
        message: 'the outbox could not be read; it is tried again',
      });
    }
    this.#lookAgainIn(more ? this.#gatherMs : POLL_MS);
  }

  #launch(channel: Channel, message: ClaimedMessage): void {
    const flights = this.#flights.get(channel)!;
    const abort = new AbortController();
    const flight: Flight = {
      message,
      abort,
      done: this.#send(channel, message, abort)
        .then(() => this.#troubles.succeeded(RECORD_OUTCOME))
        .catch((error: unknown) => {
          // The lease ends by itself and the message is tried again.
          this.#troubles.failed(RECORD_OUTCOME, error, {
            message: 'the outcome of a try was not recorded',
            fields: { messageId: message.id },
          });
        })
        .finally(() => {
          flights.delete(flight);
          this.#refill(channel);
        }),
    };
    flights.add(flight);
  }

  /** A channel that takes portions gets the next before it has run out of work, however busy the process is. */
  #refill(channel: Channel): void {
    const { portion } = channel.capabilities;
    if (portion === undefined || !this.#unclaimed.has(channel)) return;
    if (this.#flights.get(channel)!.size <= portion / 2) this.#lookAgainIn(0);
  }

  async #send(channel: Channel, message: ClaimedMessage, abort: AbortController): Promise<void> {
    const timeout = this.#clock.setTimeout(
      () => abort.abort(new SendError('temporary', 'no answer within 30 seconds')),
      SEND_TIMEOUT_MS,
    );
    try {
      const { id, projectId, phone: to, text } = message;
      if (text === undefined) throw new SendError('permanent', UNREADABLE);
      if (await this.#isOptedOut(projectId, to)) throw new SendError('permanent', OPTED_OUT);
      await settleOrAbort(channel.send({ id, projectId, to, text }, abort.signal), abort.signal);
    } catch (error) {
      await this.#recordFailure(message, error);
      return;
    } finally {
      timeout.cancel();
    }
    await this.#turnToWrite();
    await this.#whenWritable(() => this.#messages.markSent(message));
  }

  /**
   * Runs a write, and again while the database cannot take it, for as long as a claim lasts. One that was carried out
   * though the database could not say so changes nothing when it is repeated.
   */
  async #whenWritable(write: () => Promise<void>): Promise<void> {
    const giveUpAt = this.#clock.now() + LEASE_MS;
    for (;;) {
      try {
        return await write();
      } catch (error) {
        const { signal } = this.#stopSignal;
        if (!(error instanceof DatabaseError) || signal.aborted || this.#clock.now() >= giveUpAt) throw error;
        // All who wait go on together, and share one sync to disk.
        this.#outage ??= pause(this.#clock, WRITE_AGAIN_MS, signal).finally(() => {
          this.#outage = undefined;
        });
        await this.#outage;
      }
    }
  }

  /** Comes at once, unless much is under way: then many write in the same moment and share one sync to disk. */
  #turnToWrite(): Promise<void> {
    if (this.inFlight < MANY_IN_FLIGHT || this.#state !== 'running') return Promise.resolve();
    return new Promise((resolve) => {
      this.#outcomes.push(resolve);
      if (this.#outcomes.length > 1) return;
      this.#clock.setTimeout(() => this.#writeOutcomes(), OUTCOMES_GATHER_MS);
    });
  }

  #writeOutcomes(): void {
    for (const write of this.#outcomes.splice(0)) write();
  }

  async #recordFailure(message: ClaimedMessage, error: unknown): Promise<void> {
    const failure =
      error instanceof SendError ? error : new SendError('temporary', 'unexpected error', error);
    if (failure.failure === 'unavailable') {
      const delayMs = failure.retryAfterMs ?? CHANNEL_DOWN_DELAY_MS;
      await this.#whenWritable(() => this.#messages.release(message, failure.reason, delayMs));
      return;
    }
    // Nobody has to do anything about a number that takes no message.
    const level = failure.failure === 'permanent' ? 'info' : isForeseen(failure) ? 'warn' : 'error';
    this.#log[level](
      { err: failure, messageId: message.id, attempts: message.attempts },
      'a try to send failed',
    );
    const { failure: kind, reason } = failure;
    await this.#whenWritable(() =>
      this.#messages.markTryFailed(message, kind, reason, (trx) =>
        this.#onUndeliverable(trx, message, reason),
      ),
    );
  }
}

/** Settles with `work`, or rejects with the signal's reason as soon as it is aborted. */
function settleOrAbort(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
