import type { Troubles } from '../background/troubles.ts';
import { DatabaseError, StoppingError } from '../errors/errors.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import { isForeseen } from '../lib/foreseen.ts';
import type { Logger } from '../lib/logger.ts';
import { pause } from '../lib/pause.ts';
import { type Accepted, type Channel, type ChannelName, type Receipt, SendError } from './channel.ts';
import { LEASE_MS, type MessageService } from './service.ts';
import { settleOrAbort } from './settle-or-abort.ts';
import type { ClaimedMessage } from './types.ts';

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
/** How long stop goes on recording the receipts that wait, in ms. */
const STOP_RECORDING_MS = 2_000;

/** What may fail again and again, by its name in the log. */
const READ_OUTBOX = 'reading the outbox';
const RECORD_OUTCOME = 'recording the outcome of a send';
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
  isOptedOut: (projectId: number, phone: string) => Promise<boolean>;
  /** Whether no other process sends from this outbox, so that the claims that are left at the start are a dead one's. */
  isAlone: boolean;
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
export class Dispatcher {
  readonly #messages: MessageService;
  readonly #channels: readonly Channel[];
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #troubles: Troubles;
  readonly #isOptedOut: DispatcherOptions['isOptedOut'];
  readonly #isAlone: boolean;
  readonly #flights = new Map<Channel, Set<Flight>>();
  /** Channels for which more was due than was claimed at the last look. */
  readonly #unclaimed = new Set<Channel>();
  #state: 'new' | 'prepared' | 'running' | 'stopped' = 'new';
  /** Projects that a channel could not send for when it was last asked. */
  readonly #waiting = new Map<Channel, Set<number>>();
  readonly #stopSignal = new AbortController();
  #timer: { timer: Timer; at: number } | undefined;
  #pass: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #earlyAt = 0;
  #gatherMs = GATHER_MS;
  #utilization = performance.eventLoopUtilization();
  #receipts: {
    receipt: Receipt & { channel: ChannelName };
    resolve: () => void;
    reject: (error: unknown) => void;
  }[] = [];
  #recording: Promise<void> | undefined;
  /** Receipts that are not being recorded by then are left (Unix ms). */
  #recordUntil = Number.POSITIVE_INFINITY;
  #outcomes: (() => void)[] = [];
  /** The wait until the next try to write, while the database cannot. */
  #outage: Promise<void> | undefined;

  constructor({ messages, channels, clock, log, troubles, isOptedOut, isAlone }: DispatcherOptions) {
    this.#messages = messages;
    this.#channels = channels;
    this.#clock = clock;
    this.#log = log;
    this.#troubles = troubles;
    this.#isOptedOut = isOptedOut;
    this.#isAlone = isAlone;
    for (const channel of channels) this.#flights.set(channel, new Set());
  }

  /** Messages that are in the channels' hands. */
  get inFlight(): number {
    return [...this.#flights.values()].reduce((sum, flights) => sum + flights.size, 0);
  }

  /** Takes receipts, and takes back what a dead process was sending; sends nothing yet. */
  async prepare(): Promise<void> {
    if (this.#state !== 'new') return;
    this.#state = 'prepared';
    this.#messages.whenQueued(() => this.wake());
    // Not yet what a report may still say was taken.
    const except = this.#channels.filter((each) => each.reportsWhatItTook).map(({ name }) => name);
    if (this.#isAlone) await this.#messages.recoverClaims(Number.POSITIVE_INFINITY, except);
    for (const channel of this.#channels) {
      await channel.start({ onReceipt: (receipt) => this.#received(channel.name, receipt) });
    }
  }

  /** Begins to send. */
  async start(): Promise<void> {
    await this.prepare();
    if (this.#state !== 'prepared') return;
    this.#state = 'running';
    this.#lookAgainIn(0);
  }

  /** Takes no more messages, waits a moment for those under way, gives the rest back. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const wasPrepared = this.#state !== 'new';
    this.#state = 'stopped';
    this.#stopSignal.abort();
    this.#timer?.timer.cancel();
    this.#writeOutcomes();
    await this.#pass;
    if (!wasPrepared) return;
    const flights = [...this.#flights.values()].flatMap((set) => [...set]);
    const grace = this.#clock.setTimeout(() => {
      for (const flight of flights) flight.abort.abort(new SendError('unavailable', 'server stopping'));
    }, STOP_GRACE_MS);
    await Promise.all(flights.map((flight) => flight.done));
    grace.cancel();
    for (const channel of this.#channels) await channel.stop();
    this.#recordUntil = this.#clock.now() + STOP_RECORDING_MS;
    await this.#recording;
  }

  /** Something was put into the outbox: look soon. */
  wake(): void {
    this.#lookAgainIn(this.#gatherMs);
  }

  #received(channel: ChannelName, receipt: Receipt): Promise<void> {
    const kept = new Promise<void>((resolve, reject) => {
      this.#receipts.push({ receipt: { channel, ...receipt }, resolve, reject });
    });
    // It is logged below, so that who does not wait need not handle it.
    kept.catch(() => {});
    this.#recording ??= this.#recordReceipts();
    return kept;
  }

  /** Receipts that come while others are being written share the next transaction. */
  async #recordReceipts(): Promise<void> {
    while (this.#receipts.length > 0) {
      await this.#turnToWrite();
      if (this.#clock.now() >= this.#recordUntil) {
        this.#leaveReceipts();
        break;
      }
      const entries = this.#receipts.splice(0, RECEIPTS_TOGETHER);
      const receipts = entries.map(({ receipt }) => receipt);
      try {
        await this.#whenWritable(() => this.#messages.recordReceipts(receipts));
        for (const { resolve } of entries) resolve();
        this.#troubles.succeeded(RECORD_RECEIPTS);
      } catch (error) {
        for (const { reject } of entries) reject(error);
        this.#troubles.failed(RECORD_RECEIPTS, error, {
          message: 'receipts not recorded',
          fields: { receipts },
        });
      }
    }
    // In the same step that saw nothing waiting, so that a receipt that comes next begins anew.
    this.#recording = undefined;
  }

  /** Refuses the receipts that wait, so that whoever can repeat them does: a stop must not last as long as they do. */
  #leaveReceipts(): void {
    const left = this.#receipts.splice(0);
    for (const { reject } of left) reject(new StoppingError());
    if (left.length > 0) this.#log.warn({ receipts: left.length }, 'receipts left unrecorded by the stop');
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
      const now = this.#clock.now();
      await this.#messages.recoverClaims(now);
      if (now >= this.#earlyAt) {
        this.#earlyAt = now + POLL_MS / 2;
        await this.#messages.recordEarlyReceipts();
      }
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
        const except = await this.#stillWaiting(channel);
        const claimed = await this.#messages.claimDue(channel.name, room, except);
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
        message: 'outbox not read; trying again',
      });
    }
    this.#lookAgainIn(more ? this.#gatherMs : POLL_MS);
  }

  /** The projects that a channel still cannot send for, whose messages are told why; one that it can is tried again. */
  async #stillWaiting(channel: Channel): Promise<number[]> {
    const waiting = this.#waiting.get(channel);
    if (!waiting) return [];
    for (const projectId of waiting) {
      const { state, reason } = channel.readiness(projectId);
      if (state === 'ready') waiting.delete(projectId);
      else await this.#messages.noteWaiting(channel.name, reason, projectId);
    }
    return [...waiting];
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
            message: 'outcome of a send not recorded',
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
    let accepted: Accepted;
    try {
      const { id, projectId, address: to, plays, text, code, locale, subject, html, expiresAt } = message;
      if (text === undefined) throw new SendError('permanent', UNREADABLE);
      if (await this.#isOptedOut(projectId, to)) throw new SendError('permanent', OPTED_OUT);
      accepted = await settleOrAbort(
        channel.send(
          { id, projectId, to, plays, text, code, locale, subject, html, expiresAt },
          abort.signal,
        ),
        abort.signal,
        this.#clock,
      );
    } catch (error) {
      await this.#recordFailure(channel, message, error);
      return;
    } finally {
      timeout.cancel();
    }
    await this.#turnToWrite();
    await this.#whenWritable(() => this.#messages.markSent(message, accepted));
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

  async #recordFailure(channel: Channel, message: ClaimedMessage, error: unknown): Promise<void> {
    const failure =
      error instanceof SendError ? error : new SendError('temporary', 'unexpected error', error);
    if (failure.failure === 'unavailable') {
      if (channel.hasOwnLinks && channel.readiness(message.projectId).state !== 'ready') {
        const waiting = this.#waiting.get(channel) ?? new Set();
        this.#waiting.set(channel, waiting.add(message.projectId));
      }
      const delayMs = failure.retryAfterMs ?? CHANNEL_DOWN_DELAY_MS;
      await this.#whenWritable(() => this.#messages.release(message, failure.reason, delayMs));
      return;
    }
    // Nobody has to do anything about a number that takes no message.
    const level = failure.failure === 'permanent' ? 'info' : isForeseen(failure) ? 'warn' : 'error';
    this.#log[level]({ err: failure, messageId: message.id, attempts: message.attempts }, 'send failed');
    const { failure: kind, reason } = failure;
    if (kind === 'uncertain') {
      await this.#whenWritable(() => this.#messages.markSent(message, { reason }));
      return;
    }
    await this.#whenWritable(() => this.#messages.markTryFailed(message, kind, reason, failure.retryAfterMs));
  }
}
