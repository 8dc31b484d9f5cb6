import type { Readable } from 'node:stream';
import type { Troubles } from '../background/troubles.ts';
import { WotpError } from '../errors/errors.ts';
import { type EventFeed, isBefore, type Mark, type StoredEvent } from '../events/feed.ts';
import type { Caller } from '../http/caller.ts';
import type { Clock, Timer } from '../lib/clock.ts';
import { commentFrame, eventFrame, readStreamId, resetFrame, retryFrame } from './frames.ts';
import { Subscriber, type Subscription } from './subscriber.ts';

/** Events that are read at once. */
const PAGE = 100;
/** Commits within so many ms are read together. */
const GATHER_MS = 20;
const HEARTBEAT_MS = 15_000;
/** How long a client may take nothing of what waits for it, in ms. */
const UNREAD_MAX_MS = 30_000;
/** How long a client waits before it connects again, in ms; at a stop it is spread up to twice that. */
const RECONNECT_MS = 2_000;
/** When somebody who is one too many may try again, in seconds. */
const RETRY_AFTER_SECONDS = 30;

/** Names the work in the log. */
export const READING = 'reading events for the stream';

export interface BroadcastOptions {
  feed: EventFeed;
  /** Calls the listener when an event of this process is committed; returns what ends that. */
  onCommit: (listener: () => void) => () => void;
  /** Which of these callers may go on reading. */
  stillAllowed: (callers: readonly Caller[]) => Promise<ReadonlySet<Caller>>;
  clock: Clock;
  troubles: Troubles;
  /** Streams that one caller may have open, and all of them together. */
  max: { perCaller: number; inAll: number };
}

/**
 * Sends the events of the feed to the clients of this process. The feed is read once for all clients that are up to date;
 * one that is behind, since it asked for earlier events or reads slowly, reads for itself until it has caught up.
 */
export class EventBroadcast {
  readonly #options: BroadcastOptions;
  readonly #all = new Set<Subscriber>();
  /** Those that have got everything up to `#mark`. */
  readonly #live = new Set<Subscriber>();
  #mark: Mark = { cursor: '', at: 0 };
  /** Where a live subscriber was when it joined, for those that were ahead of the others. */
  readonly #ahead = new Map<Subscriber, string>();
  #reading: Promise<void> | undefined;
  #wakeTimer: Timer | undefined;
  #nextHeartbeatAt = 0;
  #stopListening = () => {};
  #isStopped = false;

  constructor(options: BroadcastOptions) {
    this.#options = options;
  }

  /** Clients that are connected now. */
  get size(): number {
    return this.#all.size;
  }

  start(): void {
    this.#stopListening = this.#options.onCommit(() => this.#wake());
  }

  /** Ends every stream; its client is asked to connect again in a moment. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopListening();
    this.#wakeTimer?.cancel();
    for (const subscriber of this.#all) {
      subscriber.end(retryFrame(Math.round(RECONNECT_MS * (1 + Math.random()))));
    }
    await this.#reading;
  }

  /**
   * Opens a stream: from behind the event that `lastEventId` names, or from now on.
   * @throws WotpError RATE_LIMIT_EXCEEDED when the caller has too many streams open, SERVICE_UNAVAILABLE when all have
   */
  async open(subscription: Subscription, lastEventId: string | undefined): Promise<Readable> {
    const { feed, clock, max } = this.#options;
    this.#refuseTooMany(subscription.caller, max);
    const subscriber: Subscriber = new Subscriber(subscription, {
      mark: this.#mark,
      now: () => clock.now(),
      onEnd: () => this.#forget(subscriber),
    });
    if (this.#all.size === 0) this.#nextHeartbeatAt = clock.now() + HEARTBEAT_MS;
    // Counted before anything is awaited, so that many that come together are not too many.
    this.#all.add(subscriber);
    try {
      const newest = await feed.newest();
      const asked = lastEventId === undefined ? newest : readStreamId(lastEventId);
      const isHeld = asked !== undefined && (lastEventId === undefined || (await feed.holds(asked)));
      subscriber.mark = isHeld ? asked : newest;
      subscriber.send(retryFrame(RECONNECT_MS));
      subscriber.send(
        isHeld
          ? commentFrame('connected', subscriber.mark)
          : resetFrame('The events after this id are no longer available.', newest, clock.now()),
      );
    } catch (error) {
      subscriber.stream.destroy();
      throw error;
    }
    void this.#catchUp(subscriber);
    return subscriber.stream;
  }

  /** Reads what is new and sends it to those that are up to date. Never twice at the same time. */
  read(): Promise<void> {
    this.#reading ??= this.#sendNews().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** Ends the streams of callers that may no longer read and of clients that do not, and sends heartbeats. */
  async look(): Promise<void> {
    const { clock, stillAllowed } = this.#options;
    if (this.#all.size === 0) return;
    for (const { stream, fullSince } of this.#all) {
      if (fullSince !== undefined && clock.now() - fullSince >= UNREAD_MAX_MS) stream.destroy();
    }
    if (clock.now() >= this.#nextHeartbeatAt) this.#sendHeartbeats();
    const callers = [...new Set([...this.#all].map(({ caller }) => caller))];
    // What cannot be asked is not allowed.
    let allowed: ReadonlySet<Caller> = new Set();
    try {
      allowed = await stillAllowed(callers);
    } finally {
      const asked = new Set(callers);
      for (const subscriber of this.#all) {
        const { caller } = subscriber;
        if (asked.has(caller) && !allowed.has(caller)) subscriber.end();
      }
    }
  }

  #refuseTooMany({ name }: Caller, { perCaller, inAll }: BroadcastOptions['max']): void {
    const details = { retryAfterSeconds: RETRY_AFTER_SECONDS };
    const own = [...this.#all].filter(({ caller }) => caller.name === name).length;
    if (own >= perCaller) {
      const message = `This caller already has ${own} event streams open. Close one, or select more event types on one stream.`;
      throw new WotpError('RATE_LIMIT_EXCEEDED', message, details);
    }
    if (this.#all.size >= inAll) {
      const message = `The server already has ${this.#all.size} event streams open. Try again later.`;
      throw new WotpError('SERVICE_UNAVAILABLE', message, details);
    }
  }

  #forget(subscriber: Subscriber): void {
    this.#all.delete(subscriber);
    this.#leave(subscriber);
  }

  #leave(subscriber: Subscriber): void {
    this.#live.delete(subscriber);
    this.#ahead.delete(subscriber);
  }

  #join(subscriber: Subscriber): void {
    if (this.#live.size === 0) this.#mark = subscriber.mark;
    else if (isBefore(this.#mark.cursor, subscriber.mark.cursor)) {
      this.#ahead.set(subscriber, subscriber.mark.cursor);
    }
    this.#live.add(subscriber);
    // What was committed while nobody was live has woken nobody.
    this.#wake();
  }

  #wake(): void {
    if (this.#live.size === 0 || this.#wakeTimer || this.#isStopped) return;
    const { clock, troubles } = this.#options;
    this.#wakeTimer = clock.setTimeout(async () => {
      this.#wakeTimer = undefined;
      try {
        // A reading under way may have looked before the commit.
        await this.#reading;
        await this.read();
      } catch (error) {
        troubles.failed(READING, error);
      }
    }, GATHER_MS);
  }

  async #sendNews(): Promise<void> {
    while (this.#live.size > 0 && !this.#isStopped) {
      const from = this.#mark;
      const events = await this.#options.feed.after(from.cursor, PAGE);
      const last = events.at(-1);
      if (!last) break;
      // All have left meanwhile, and others have joined somewhere else.
      if (this.#mark !== from) continue;
      this.#mark = last;
      this.#sendToLive(events, last);
      // What is committed from now on wakes it again.
      if (events.length < PAGE) break;
      await turn();
    }
    this.#options.troubles.succeeded(READING);
  }

  #sendToLive(events: readonly StoredEvent[], last: Mark): void {
    const bytesByAudience = new Map<string, Buffer>();
    for (const subscriber of this.#live) {
      const { audience } = subscriber;
      const ahead = this.#ahead.get(subscriber);
      if (ahead === undefined) {
        // One buffer for all that get the same, so that a thousand clients cost no memory of their own.
        const bytes = bytesByAudience.get(audience) ?? Buffer.from(framesFor(subscriber, events));
        bytesByAudience.set(audience, bytes);
        subscriber.send(bytes);
      } else {
        const news = events.filter(({ cursor }) => isBefore(ahead, cursor));
        subscriber.send(framesFor(subscriber, news));
        if (isBefore(last.cursor, ahead)) continue;
        this.#ahead.delete(subscriber);
      }
      subscriber.mark = last;
      if (subscriber.fullSince === undefined) continue;
      this.#leave(subscriber);
      void this.#catchUp(subscriber);
    }
  }

  /** Sends what is behind a subscriber's mark, as fast as it reads, until it is where the others are. */
  async #catchUp(subscriber: Subscriber): Promise<void> {
    try {
      for (;;) {
        await subscriber.room();
        if (subscriber.isEnded) return;
        const target = this.#live.size > 0 ? this.#mark : undefined;
        if (target && !isBefore(subscriber.mark.cursor, target.cursor)) break;
        const events = await this.#options.feed.after(subscriber.mark.cursor, PAGE);
        const last = events.at(-1);
        if (!last && !target && this.#live.size === 0) break;
        subscriber.send(framesFor(subscriber, events));
        // Where nothing is left in between, it is where the others were.
        subscriber.mark = last ?? target ?? subscriber.mark;
        await turn();
      }
      if (!subscriber.isEnded) this.#join(subscriber);
    } catch (error) {
      this.#options.troubles.failed(READING, error);
      // The client connects again and goes on from what it has.
      subscriber.end();
    }
  }

  #sendHeartbeats(): void {
    this.#nextHeartbeatAt = this.#options.clock.now() + HEARTBEAT_MS;
    for (const subscriber of this.#all) {
      if (subscriber.fullSince !== undefined) continue;
      const isUpToDate = this.#live.has(subscriber);
      subscriber.send(commentFrame('heartbeat', isUpToDate ? subscriber.mark : undefined));
    }
  }
}

/** What a subscriber gets of these events. A restore took away some of what it has seen. */
function framesFor(subscriber: Subscriber, events: readonly StoredEvent[]): string {
  let frames = '';
  for (const event of events) {
    if (event.type === 'database.restored') frames += resetFrame('A backup was restored.', event, event.at);
    if (subscriber.wants(event)) frames += eventFrame(event);
  }
  return frames;
}

/** Lets what else waits go on, and what was written leave. */
const turn = () => new Promise((resolve) => setImmediate(resolve));
