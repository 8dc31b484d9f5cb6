import { Periodic } from '../background/periodic.ts';
import type { Troubles } from '../background/troubles.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Clock } from '../lib/clock.ts';
import { BEGINNING, type EventFeed, type StoredEvent } from './feed.ts';

/** Without any word from others the feed is looked at this often, in ms. */
const POLL_MS = 1_000;
/** Events that share a transaction at most. */
const TOGETHER_MAX = 200;
/** The lock that everything takes which moves a consumer's cursor. */
const lockOf = (name: string) => `event consumer ${name}`;

export interface ConsumerOptions {
  database: Database;
  feed: EventFeed;
  clock: Clock;
  troubles: Troubles;
  /** Its name in the database; never to be changed. */
  name: string;
  /** Where it begins when it runs for the first time. */
  from: 'beginning' | 'now';
  /**
   * Handles events in the order of their commits. What it writes and how far it has come are committed together, so each
   * event takes effect once, whatever ends the process. It may be called again with the same events after it was undone.
   */
  handle: (trx: Transaction, events: readonly StoredEvent[]) => Promise<void>;
  /**
   * Called with events before the transaction that handles these very ones, where no other process reads the feed
   * (`database.isExclusive`); may be called again with the same ones, as `handle`.
   */
  beforehand?: ((events: readonly StoredEvent[]) => Promise<void>) | undefined;
  /** Whether there is anything to do for events now; while there is not, none are read. Always unless given. */
  isWanted?: () => Promise<boolean>;
  /** Events that share a transaction at most; 200 unless given. */
  togetherMax?: number;
  /** How often the feed is looked at, in ms; each second unless given. */
  pollMs?: number;
}

/** Reads the event feed and makes something of it in tables of its own. On many nodes it runs on one at a time. */
export class EventConsumer {
  readonly #options: ConsumerOptions;
  readonly #poll: Periodic;
  readonly #readCursor;
  readonly #setCursor;
  #isStopped = false;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    const { name, clock, troubles, database, pollMs = POLL_MS } = options;
    this.#readCursor = database.prepare<{ name: string }, { cursor: string }>((db, value) =>
      db.selectFrom('event_consumers').select('cursor').where('name', '=', value('name')),
    );
    this.#setCursor = database.prepareChange<{ name: string; cursor: string }>((db, value) =>
      db
        .updateTable('event_consumers')
        .set({ cursor: value('cursor') })
        .where('name', '=', value('name')),
    );
    const work = { name: `reading events (${name})`, intervalMs: pollMs, run: () => this.catchUp() };
    this.#poll = new Periodic(work, clock, troubles);
  }

  /** Begins where it ended. */
  async start(): Promise<void> {
    await this.begin();
    this.#poll.start();
  }

  /** Takes its place in the feed where it has none yet, so that `catchUp` can be called without a start. */
  async begin(): Promise<void> {
    const { database, name, from, feed } = this.#options;
    const cursor = from === 'now' ? await feed.end() : BEGINNING;
    await database.transaction((trx) =>
      trx
        .insertInto('event_consumers')
        .values({ name, cursor })
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    );
  }

  /** Resolves when nothing is being handled and nothing will be. */
  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#poll.stop();
  }

  /** Leaves out what was committed up to now, for one that was not wanted before. */
  async skipToEnd(trx: Transaction): Promise<void> {
    const { database, feed, name } = this.#options;
    await database.serialize(trx, lockOf(name));
    const cursor = await feed.end(trx);
    await trx.updateTable('event_consumers').set({ cursor }).where('name', '=', name).execute();
  }

  /** How far it has come. */
  cursor(): Promise<string> {
    return this.#cursor(this.#options.database.reader);
  }

  /**
   * Runs `work` in a transaction during which no event is handled, on no node; it is given how far the consumer has come.
   * As every transaction it may run more than once.
   */
  standStill<T>(work: (trx: Transaction, cursor: string) => Promise<T>): Promise<T> {
    const { database, name } = this.#options;
    return database.transaction(async (trx) => {
      await database.serialize(trx, lockOf(name));
      return work(trx, await this.#cursor(trx));
    });
  }

  /** Handles all that can be read now. */
  async catchUp(): Promise<void> {
    const { database, beforehand, isWanted } = this.#options;
    while (!this.#isStopped) {
      // The cheap look first: most find nothing, and on WODB a transaction would sync.
      if (isWanted && !(await isWanted())) return;
      const cursor = await this.#cursor(database.reader);
      const events = await this.#after(cursor, database.reader, database.isExclusive ? undefined : 1);
      if (events.length === 0) return;
      if (database.isExclusive) {
        await beforehand?.(events);
        await this.#handleSome(async (trx) => ((await this.#cursor(trx)) === cursor ? events : []));
      } else await this.#handleSome(async (trx) => this.#after(await this.#cursor(trx), trx));
    }
  }

  async #handleSome(read: (trx: Transaction) => Promise<readonly StoredEvent[]>): Promise<void> {
    const { database, name, handle } = this.#options;
    await database.transaction(async (trx) => {
      await database.serialize(trx, lockOf(name));
      const events = await read(trx);
      const last = events.at(-1);
      if (!last) return;
      await handle(trx, events);
      await this.#setCursor(trx, { name, cursor: last.cursor });
    });
  }

  #after(cursor: string, executor: Executor, limit = this.#options.togetherMax ?? TOGETHER_MAX) {
    return this.#options.feed.after(cursor, limit, executor);
  }

  async #cursor(executor: Executor): Promise<string> {
    const [row] = await this.#readCursor(executor, { name: this.#options.name });
    return row?.cursor ?? BEGINNING;
  }
}
