import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Clock } from '../lib/clock.ts';
import { Periodic } from '../lib/periodic.ts';
import type { Troubles } from '../lib/troubles.ts';
import { BEGINNING, type EventFeed, type StoredEvent } from './feed.ts';

/** Without any word from others the feed is looked at this often, in ms. */
const POLL_MS = 1_000;
/** Events that share a transaction at most. */
const TOGETHER_MAX = 200;

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
}

/** Reads the event feed and makes something of it in tables of its own. On many nodes it runs on one at a time. */
export class EventConsumer {
  readonly #options: ConsumerOptions;
  readonly #poll: Periodic;

  constructor(options: ConsumerOptions) {
    this.#options = options;
    const { name, clock, troubles } = options;
    const work = { name: `reading events (${name})`, intervalMs: POLL_MS, run: () => this.catchUp() };
    this.#poll = new Periodic(work, clock, troubles);
  }

  /** Begins where it ended. */
  async start(): Promise<void> {
    const { database, name, from, feed } = this.#options;
    const cursor = from === 'now' ? await feed.end() : BEGINNING;
    await database.transaction((trx) =>
      trx
        .insertInto('event_consumers')
        .values({ name, cursor })
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    );
    this.#poll.start();
  }

  /** Resolves when nothing is being handled and nothing will be. */
  stop(): Promise<void> {
    return this.#poll.stop();
  }

  /** Handles all that can be read now. */
  async catchUp(): Promise<void> {
    // The cheap look first: most find nothing, and on WODB a transaction would sync.
    while (await this.#hasNews()) await this.#handleSome();
  }

  async #hasNews(): Promise<boolean> {
    const { database, feed } = this.#options;
    return (await feed.after(await this.#cursor(database.reader), 1)).length > 0;
  }

  async #handleSome(): Promise<void> {
    const { database, feed, name, handle } = this.#options;
    await database.transaction(async (trx) => {
      await database.serialize(trx, `event consumer ${name}`);
      const events = await feed.after(await this.#cursor(trx), TOGETHER_MAX, trx);
      const last = events.at(-1);
      if (!last) return;
      await handle(trx, events);
      const { cursor } = last;
      await trx.updateTable('event_consumers').set({ cursor }).where('name', '=', name).execute();
    });
  }

  async #cursor(executor: Executor): Promise<string> {
    const { name } = this.#options;
    const row = await executor
      .selectFrom('event_consumers')
      .select('cursor')
      .where('name', '=', name)
      .executeTakeFirst();
    return row?.cursor ?? BEGINNING;
  }
}
