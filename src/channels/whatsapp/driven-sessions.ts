import { randomUUID } from 'node:crypto';
import type { Agent } from 'node:https';
import type { Database } from '../../database/database.ts';
import type { Keyring } from '../../database/keyring.ts';
import { ConflictError } from '../../errors/errors.ts';
import type { EventRecorder } from '../../events/record.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { AuthStore } from './auth-store.ts';
import { loadWithBaileys } from './library.ts';
import type { LinkedSession } from './linked-session.ts';
import { quietLibsignal } from './quiet-libsignal.ts';
import type { SessionRepository, StoredSession } from './repository.ts';
import type { MessageText, SessionEvents } from './session.ts';
import type { WebVersion } from './web-version.ts';

/** How long a lease lasts without renewal, and how long its holder trusts it, in ms. */
const LEASE_MS = 30_000;
const LEASE_TRUSTED_MS = 20_000;

export interface DrivenSessionsOptions {
  database: Database;
  keyring: Keyring;
  events: EventRecorder;
  clock: Clock;
  log: Logger;
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
  lease: number;
  /** When the lease was last renewed, Unix ms. */
  renewedAt: number;
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
  async take(stored: StoredSession): Promise<Driven | undefined> {
    const { database, clock, log } = this.#options;
    const { id } = stored;
    // With the first session that is driven, and before its lease keeps others from driving it.
    const { LinkedSession } = await loadWithBaileys(() => import('./linked-session.ts'));
    const now = clock.now();
    const lease = await database.transaction((trx) =>
      this.#repository.lease(trx, id, {
        owner: this.#owner,
        until: now + LEASE_MS,
        now,
        force: database.isExclusive,
      }),
    );
    if (lease === undefined) return undefined;
    const taken = this.#driven.get(id);
    if (taken) return taken;
    this.#endQuiet ??= quietLibsignal();
    const auth = await this.authOf(id, lease);
    const session = new LinkedSession({
      stored,
      auth,
      clock,
      log,
      url: this.#options.url,
      version: this.#options.version,
      agentFor: this.#options.agentFor,
      messageText: this.#options.messageText ?? (async () => undefined),
      random: this.#options.random ?? Math.random,
      keep: (changes, events) =>
        database.transaction(async (trx) => {
          if (Object.keys(changes).length > 0) await this.#repository.update(trx, id, changes);
          for (const event of events) await this.#options.events.record(trx, event);
        }),
      onState: (about, change) => this.#tell('state', about, change),
      onOpen: (about, socket) => this.#tell('open', about, socket),
      onClosed: (about) => this.#tell('closed', about),
    });
    const driven: Driven = { session, lease, renewedAt: now, auth };
    this.#driven.set(id, driven);
    await session.load();
    return driven;
  }

  /** A session's keys; they can be written only by who has the lease. */
  async authOf(id: string, lease?: number): Promise<AuthStore> {
    const { authStore } = await loadWithBaileys(() => import('./auth-store.ts'));
    const { database, keyring, clock } = this.#options;
    return authStore({
      database,
      keyring,
      clock,
      sessionId: id,
      checkLease: async (trx) => {
        await database.serialize(trx, id);
        if (database.isExclusive) return;
        if (lease !== undefined && (await this.#repository.holds(trx, id, this.#owner, lease))) return;
        throw new ConflictError('Another node drives this session now.');
      },
    });
  }

  /** Ends the connection of a session and gives its lease back. */
  async letGo(session: LinkedSession, isHandedOver = false): Promise<void> {
    await session.stop({ isHandedOver });
    this.#driven.delete(session.id);
    await this.#options.database
      .transaction((trx) => this.#repository.release(trx, session.id, this.#owner))
      .catch((error: unknown) =>
        this.#options.log.warn({ session: session.id, err: error }, 'a lease was not given back'),
      );
  }

  /** The session is no more. */
  forget(id: string): void {
    this.#driven.delete(id);
  }

  /** Renews every lease, and steps down where one is no longer sure. */
  async renew(): Promise<void> {
    const { database, clock } = this.#options;
    for (const driven of this.all()) {
      const now = clock.now();
      const claim = { owner: this.#owner, until: now + LEASE_MS, now, force: false };
      const lease = await database
        .transaction((trx) => this.#repository.lease(trx, driven.session.id, claim))
        .catch(() => undefined);
      if (lease === driven.lease) driven.renewedAt = now;
      else if (lease !== undefined || clock.now() - driven.renewedAt > LEASE_TRUSTED_MS) {
        await this.letGo(driven.session, true);
      }
    }
  }

  /** Lets go of all of them. */
  async stop(): Promise<void> {
    await Promise.all(this.all().map(({ session }) => this.letGo(session)));
    this.#endQuiet?.();
  }
}
