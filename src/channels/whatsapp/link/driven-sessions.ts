import { randomUUID } from 'node:crypto';
import type { Agent } from 'node:https';
import type { Troubles } from '../../../background/troubles.ts';
import type { Database, Transaction } from '../../../database/database.ts';
import type { Keyring } from '../../../database/keyring.ts';
import type { EventRecorder } from '../../../events/record.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { AuthStore } from './auth-store.ts';
import { LEASE_MS, type Lease, LeaseLostError, lease } from './lease.ts';
import { loadWithBaileys } from './library.ts';
import type { LinkedSession } from './linked-session.ts';
import { quietLibsignal } from './quiet-libsignal.ts';
import type { SessionRepository } from './repository.ts';
import type { MessageText, SessionEvents } from './session.ts';
import type { WebVersion } from './web-version.ts';

export interface DrivenSessionsOptions {
  database: Database;
  keyring: Keyring;
  events: EventRecorder;
  clock: Clock;
  /** This machine's own clock, where `clock` is one that machines share; by it a lease is trusted. */
  machineClock: Clock;
  log: Logger;
  troubles: Troubles;
  /** WhatsApp's own address unless given. */
  url?: string | undefined;
  version: WebVersion;
  agentFor: (proxy: string) => Agent;
  messageText?: MessageText;
  /** From 0 up to 1; for the waits between attempts. */
  random?: () => number;
}

/** A session that this process drives. */
export interface Driven {
  session: LinkedSession;
  lease: Lease;
  auth: AuthStore;
}

/** Tells what happens to a session. */
export type Tell = <E extends keyof SessionEvents>(event: E, ...args: SessionEvents[E]) => void;

/** The sessions that this process drives. Each is driven by one process at a time, by a lease in its row. */
export class DrivenSessions {
  readonly #options: DrivenSessionsOptions;
  readonly #repository: SessionRepository;
  readonly #tell: Tell;
  readonly #owner = randomUUID();
  readonly #driven = new Map<string, Driven>();
  #endQuiet: (() => void) | undefined;

  constructor(options: DrivenSessionsOptions, repository: SessionRepository, tell: Tell) {
    this.#options = options;
    this.#repository = repository;
    this.#tell = tell;
  }

  /** In the order in which they were taken. */
  all(): Driven[] {
    return [...this.#driven.values()];
  }

  get(id: string): Driven | undefined {
    return this.#driven.get(id);
  }

  /** Takes the lease of a session; undefined while another process has it. */
  async take(id: string): Promise<Driven | undefined> {
    const { database, clock, machineClock, log } = this.#options;
    // With the first session that is driven, and before its lease keeps others from driving it.
    const { LinkedSession } = await loadWithBaileys(() => import('./linked-session.ts'));
    const begunAt = machineClock.now();
    const now = clock.now();
    const claim = { owner: this.#owner, until: now + LEASE_MS, now, force: database.isExclusive };
    const claimed = await database.transaction(async (trx) => {
      // A write of the last holder that is under way is waited for; later ones are refused.
      await database.serialize(trx, id);
      return this.#repository.lease(trx, id, claim);
    });
    if (claimed === undefined) return undefined;
    const taken = this.#driven.get(id);
    if (taken) return taken;
    this.#endQuiet ??= quietLibsignal();
    const held = lease({
      database,
      repository: this.#repository,
      machineClock,
      owner: this.#owner,
      sessionId: id,
      number: claimed.number,
      begunAt,
      onUnsure: () => this.#stepDown(id),
    });
    const auth = await this.authOf(id, held);
    const session = new LinkedSession({
      stored: claimed.stored,
      auth,
      lease: held,
      clock,
      log,
      url: this.#options.url,
      version: this.#options.version,
      agentFor: this.#options.agentFor,
      messageText: this.#options.messageText ?? (async () => undefined),
      random: this.#options.random ?? Math.random,
      isOurs: () => database.transaction((trx) => held.holds(trx)),
      keep: (changes, events) =>
        database.transaction(async (trx) => {
          await held.check(trx);
          if (Object.keys(changes).length > 0) await this.#repository.update(trx, id, changes);
          for (const event of events) await this.#options.events.record(trx, event);
        }),
      claimNumber: (phone) =>
        database.transaction(async (trx) => {
          await held.check(trx);
          // Two sessions that link the same number at once: the second one sees the first.
          await database.serialize(trx, `number ${phone}`);
          const holder = await this.#repository.holderOf(trx, phone, id);
          if (holder === undefined) await this.#repository.update(trx, id, { phone });
          return holder;
        }),
      onLeaseLost: () => this.#stepDown(id),
      onState: (about, change) => this.#tell('state', about, change),
      onOpen: (about, socket) => this.#tell('open', about, socket),
      onClosed: (about) => this.#tell('closed', about),
    });
    const driven: Driven = { session, lease: held, auth };
    this.#driven.set(id, driven);
    await session.load();
    return driven;
  }

  /** A session's keys; they can be written only by who has the lease. */
  async authOf(id: string, held?: Lease): Promise<AuthStore> {
    const { authStore } = await loadWithBaileys(() => import('./auth-store.ts'));
    const { database, keyring, clock } = this.#options;
    return authStore({
      database,
      keyring,
      clock,
      sessionId: id,
      checkLease: async (trx) => {
        if (!held) throw new LeaseLostError();
        await held.check(trx);
      },
    });
  }

  /** In the transaction of a write for a session: whether this process drives it, and does until the transaction ends. */
  async holds(trx: Transaction, id: string): Promise<boolean> {
    return (await this.#driven.get(id)?.lease.holds(trx)) ?? false;
  }

  /** Ends the connection of a session and gives its lease back. */
  async letGo(session: LinkedSession, isHandedOver = false): Promise<void> {
    const held = this.#driven.get(session.id)?.lease;
    await session.stop({ isHandedOver });
    this.#driven.delete(session.id);
    if (!held) return;
    held.end();
    await this.#options.database
      .transaction((trx) => this.#repository.release(trx, session.id, this.#owner, held.number))
      .catch((error: unknown) =>
        this.#options.log.warn({ session: session.id, err: error }, 'lease not released'),
      );
  }

  /** The session is no more. */
  forget(id: string): void {
    this.#driven.get(id)?.lease.end();
    this.#driven.delete(id);
  }

  /** Renews every lease, in one statement, and steps down where one has passed to another process. */
  async renew(): Promise<void> {
    const { database, clock, machineClock } = this.#options;
    const driven = this.all();
    if (driven.length === 0) return;
    const begunAt = machineClock.now();
    const claim = { owner: this.#owner, until: clock.now() + LEASE_MS };
    const ids = driven.map(({ session }) => session.id);
    const renewed = await database.transaction((trx) => this.#repository.renew(trx, ids, claim));
    for (const { session, lease: held } of driven) {
      if (renewed.get(session.id) === held.number) held.renewed(begunAt);
      else this.#stepDown(session.id);
    }
  }

  /** Lets go of all of them. */
  async stop(): Promise<void> {
    await Promise.all(this.all().map(({ session }) => this.letGo(session)));
    this.#endQuiet?.();
  }

  /** Drives a session no more that another process drives, or may drive soon; what becomes of it is no longer ours to say. */
  #stepDown(id: string): void {
    const driven = this.#driven.get(id);
    if (!driven) return;
    const { log } = this.#options;
    log.warn({ session: id }, 'WhatsApp session released: its lease was not renewed in time');
    this.letGo(driven.session, true).catch((error: unknown) =>
      log.error({ session: id, err: error }, 'WhatsApp session not released'),
    );
  }
}
