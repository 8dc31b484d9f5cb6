import { Readable } from 'node:stream';
import type { Mark } from '../events/feed.ts';
import type { Caller } from '../http/caller.ts';

/** What may wait in memory for a client, in bytes; more is read again from the database when the client has caught up. */
const WAITING_MAX_BYTES = 64 * 1024;

/** What a subscriber gets. */
export interface Subscription {
  caller: Caller;
  projectId: number;
  types: readonly string[];
}

/** One client of the stream: what it gets, how far it has come, and the bytes that wait for it. */
export class Subscriber {
  readonly caller: Caller;
  /** The same for all that get the same events. */
  readonly audience: string;
  /** What is sent to the client; ends when it is gone. */
  readonly stream: Readable;
  /** It has all that it wants up to here. */
  mark: Mark;
  /** Since when (ms of the clock) its buffer is full; undefined while there is room. */
  fullSince: number | undefined;
  readonly #projectId: number;
  readonly #types: ReadonlySet<string>;
  readonly #now: () => number;
  #onRoom: (() => void) | undefined;
  #hasEnded = false;

  constructor(
    { caller, projectId, types }: Subscription,
    { mark, now, onEnd }: { mark: Mark; now: () => number; onEnd: () => void },
  ) {
    this.caller = caller;
    this.audience = `${projectId} ${types.join()}`;
    this.mark = mark;
    this.#projectId = projectId;
    this.#types = new Set(types);
    this.#now = now;
    this.stream = new Readable({
      highWaterMark: WAITING_MAX_BYTES,
      read: () => this.#hasRoom(),
      destroy: (error, done) => {
        onEnd();
        this.#hasRoom();
        done(error);
      },
    });
  }

  /** Whether nothing more is sent. */
  get isEnded(): boolean {
    return this.#hasEnded || this.stream.destroyed;
  }

  /** Whether an event is for it. One of the installation has no project, and only administrators select its type. */
  wants({ projectId, type }: { projectId: number | null; type: string }): boolean {
    return (projectId === null || projectId === this.#projectId) && this.#types.has(type);
  }

  /** Hands over bytes, whether or not there is room for them. */
  send(bytes: Buffer | string): void {
    if (this.isEnded || bytes.length === 0) return;
    if (!this.stream.push(bytes)) this.fullSince ??= this.#now();
  }

  /** Resolves when there is room for more, or the client is gone. */
  async room(): Promise<void> {
    while (this.fullSince !== undefined && !this.isEnded) {
      await new Promise<void>((resolve) => {
        this.#onRoom = resolve;
      });
    }
  }

  /** Ends the stream after what waits; at once when that is too much already. */
  end(lastBytes = ''): void {
    if (this.fullSince !== undefined) this.stream.destroy();
    if (this.isEnded) return;
    this.send(lastBytes);
    this.#hasEnded = true;
    this.stream.push(null);
    this.#onRoom?.();
  }

  #hasRoom(): void {
    this.fullSince = undefined;
    this.#onRoom?.();
  }
}
