import { randomUUID } from 'node:crypto';
import type { Agent } from 'node:https';
import type { Database, Transaction } from '../../database/database.ts';
import type { Keyring } from '../../database/keyring.ts';
import { ConflictError, NotFoundError } from '../../errors/errors.ts';
import type { EventRecorder } from '../../events/record.ts';
import type { Clock } from '../../lib/clock.ts';
import { HOUR_MS } from '../../lib/duration.ts';
import { newId } from '../../lib/id.ts';
import type { Logger } from '../../lib/logger.ts';
import { Periodic } from '../../lib/periodic.ts';
import type { AuthStore } from './auth-store.ts';
import type { AuthFiles } from './import.ts';
import { type LetterBox, letterBox } from './letter-box.ts';
import type { LinkedSession } from './linked-session.ts';
import { quietLibsignal } from './quiet-libsignal.ts';
import {
  type LinkingCode,
  type SessionRepository,
  type StoredSession,
  sessionRepository,
} from './repository.ts';
import type { MessageText, Session, SessionEvents, SessionState, Sessions } from './session.ts';
import { alreadyLinked, type Command, type SessionCommands, sessionCommands } from './session-commands.ts';
import type { WebVersion } from './web-version.ts';

/** How long a lease lasts without renewal, and how long its holder trusts it, in ms. */
const LEASE_MS = 30_000;
const LEASE_TRUSTED_MS = 20_000;
const LEASE_CHECK_MS = 5_000;
/** How often a node looks for commands that others have left for its sessions, in ms. */
const COMMANDS_CHECK_MS = 1_000;
const PHONE_CHECK_MS = HOUR_MS;

/** States in which no phone is linked, or none that WhatsApp lets send. */
const OFFLINE: readonly SessionState[] = ['new', 'pairing', 'logged_out', 'banned'];

export interface WhatsAppSessionsOptions {
  database: Database;
  keyring: Keyring;
  events: EventRecorder;
  clock: Clock;
  log: Logger;
  /** In mock mode nothing is connected. */
  mockMode: boolean;
  /** WhatsApp's own address unless given. */
  url?: string | undefined;
  version: WebVersion;
  /** The number to link by pairing code, without +, where that is configured in place of QR codes. */
  pairingDigits?: string | undefined;
  agentFor: (proxy: string) => Agent;
  messageText?: MessageText;
  /** From 0 up to 1; for the waits between attempts. */
  random?: () => number;
}

/** A session as the operator sees it. */
export interface SessionView extends StoredSession {
  warning: string | null;
  pairingCode: LinkingCode | null;
}

interface Driven {
  session: LinkedSession;
  lease: number;
  /** When the lease was last renewed, Unix ms. */
  renewedAt: number;
  auth: AuthStore;
}

/**
 * All WhatsApp sessions: those that this process drives, and what the operator can do with each. A session is driven
 * by one process at a time, by a lease in its row.
 */
export class WhatsAppSessions implements Sessions {
  readonly #options: WhatsAppSessionsOptions;
  readonly #repository: SessionRepository;
  readonly #letterBox: LetterBox<Command>;
  readonly #commands: SessionCommands;
  readonly #stopSignal = new AbortController();
  readonly #owner = randomUUID();
  readonly #driven = new Map<string, Driven>();
  /** Sessions of every process, as their rows were when last read. */
  #known = new Map<string, StoredSession>();
  readonly #listeners: { [E in keyof SessionEvents]: ((...args: SessionEvents[E]) => void)[] } = {
    state: [],
    open: [],
    closed: [],
  };
  readonly #background: Periodic[];
  #endQuiet: (() => void) | undefined;
  #isStarted = false;
  #isReady = false;
  #isStopped = false;

  constructor(options: WhatsAppSessionsOptions) {
    this.#options = options;
    this.#repository = sessionRepository(options.keyring);
    const { clock, log, database } = options;
    this.#letterBox = letterBox(options);
    this.#commands = sessionCommands({
      ...options,
      letGo: (session) => this.#stopDriving(this.#driven.get(session.id)!),
      forget: (session, actor) => this.#forget(session, actor),
    });
    const periodic = (name: string, intervalMs: number, run: () => Promise<void>) =>
      new Periodic({ name, intervalMs, run }, clock, log);
    this.#background = [
      periodic('looking for linked phones', PHONE_CHECK_MS, async () => {
        for (const { session } of this.#driven.values()) session.checkPhone();
      }),
    ];
    if (!database.isExclusive) {
      this.#background.push(periodic('leases of sessions', LEASE_CHECK_MS, () => this.#checkLeases()));
      this.#background.push(
        periodic('commands from other nodes', COMMANDS_CHECK_MS, async () => this.#answerOthers()),
      );
    }
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  all(): readonly Session[] {
    return [...this.#driven.values()].map(({ session }) => session);
  }

  on<E extends keyof SessionEvents>(event: E, listener: (...args: SessionEvents[E]) => void): void {
    this.#listeners[event].push(listener);
  }

  /** Whether a number is linked in the project, so that what is accepted now can be sent, now or soon. */
  isLinked(projectId: string): boolean {
    return this.#everywhere().some(
      (session) =>
        session.projectId === projectId && session.phone !== null && !OFFLINE.includes(session.state),
    );
  }

  /** Whether a session is connected at this moment. */
  get isConnected(): boolean {
    return this.#everywhere().some(({ state }) => state === 'open');
  }

  /** What is wrong with the links to WhatsApp, in a sentence without numbers or ids; undefined when all is well. */
  get linkProblem(): string | undefined {
    const states = this.#everywhere().map(({ state }) => state);
    if (states.every((state) => OFFLINE.includes(state))) return 'No WhatsApp number is linked.';
    const working = states.filter((state) => state === 'open').length;
    if (working === 0) return 'No linked WhatsApp number is connected at the moment.';
    return working === states.length
      ? undefined
      : `${working} of ${states.length} WhatsApp sessions are connected.`;
  }

  /**
   * Reads what is stored and, out of mock mode, connects every session that no other process drives. Where a number to
   * link by pairing code is configured and there is no session, makes one in this project.
   */
  async start(defaultProjectId?: string): Promise<void> {
    await this.#readRows();
    if (this.#options.mockMode) return;
    this.#isStarted = true;
    for (const stored of this.#known.values()) await this.#startDriving(stored);
    this.#isReady = true;
    for (const work of this.#background) work.start();
    if (
      this.#options.pairingDigits !== undefined &&
      this.#known.size === 0 &&
      defaultProjectId !== undefined
    ) {
      const wanted = { projectId: defaultProjectId, name: null, proxy: null };
      const { id } = await this.#options.database.transaction((trx) =>
        this.create(trx, wanted, 'configuration'),
      );
      await this.beginLinking(defaultProjectId, id);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopSignal.abort();
    for (const work of this.#background) await work.stop();
    await Promise.all([...this.#driven.values()].map((driven) => this.#stopDriving(driven)));
    this.#endQuiet?.();
  }

  /** A project's sessions, oldest first. */
  async list(projectId: string): Promise<SessionView[]> {
    const rows = await this.#repository.list(this.#options.database.reader, projectId);
    return rows.map((row) => this.#view(row));
  }

  /** @throws NotFoundError when the project has no such session */
  async get(projectId: string, id: string): Promise<SessionView> {
    return this.#view(await this.#find(projectId, id));
  }

  /** Makes a session that is not linked yet; `connect` begins the linking once this is committed. */
  async create(
    trx: Transaction,
    wanted: { projectId: string; name: string | null; proxy: string | null },
    actor: string,
  ): Promise<StoredSession> {
    const now = this.#options.clock.now();
    const made: StoredSession = {
      id: newId('ses', now),
      ...wanted,
      phone: null,
      state: 'new',
      reason: null,
      nextAttemptAt: null,
      linkedAt: null,
      phoneSeenAt: null,
      codes: {},
      createdAt: now,
    };
    await this.#repository.insert(trx, made);
    await this.#commands.record(trx, made, 'created', actor);
    return made;
  }

  /** Refuses what needs WhatsApp, in mock mode. */
  refuseInMockMode(): void {
    if (!this.#options.mockMode) return;
    throw new ConflictError(
      'Mock mode is on, so nothing connects to WhatsApp. Set BOT_MOCK_MODE=false and start the server again.',
    );
  }

  /** Begins to link the phone of a new session, by QR code or, where that is configured, by pairing code. */
  async beginLinking(projectId: string, id: string): Promise<SessionView> {
    await this.#run(projectId, id, { name: 'link', actor: 'server' });
    return this.get(projectId, id);
  }

  /** Changes a session's name or proxy. */
  async change(
    projectId: string,
    id: string,
    changes: { name?: string | null; proxy?: string | null },
    actor: string,
  ): Promise<SessionView> {
    await this.#run(projectId, id, { name: 'change', changes, actor });
    return this.get(projectId, id);
  }

  /** What the QR code of a session says; undefined while there is none. */
  async qr(projectId: string, id: string): Promise<LinkingCode | undefined> {
    const stored = await this.#find(projectId, id);
    return this.#alive((this.#driven.get(id)?.session.stored ?? stored).codes.qr);
  }

  /** A code to type into the phone with this number (digits, without +). */
  async requestPairingCode(
    projectId: string,
    id: string,
    digits: string,
    actor: string,
  ): Promise<LinkingCode> {
    this.refuseInMockMode();
    const command: Command = { name: 'pairing code requested', digits, actor };
    return (await this.#run(projectId, id, command)) as LinkingCode;
  }

  /** Runs one of the operator's commands on a session. */
  async command(
    projectId: string,
    id: string,
    name: 'restart' | 'pause' | 'resume' | 'logout',
    actor: string,
  ): Promise<SessionView> {
    if (name === 'restart' || name === 'resume') this.refuseInMockMode();
    await this.#run(projectId, id, { name, actor });
    return this.get(projectId, id);
  }

  /** Logs a session out and removes it. */
  async remove(projectId: string, id: string, actor: string): Promise<void> {
    await this.#run(projectId, id, { name: 'remove', actor });
    this.#known.delete(id);
  }

  /**
   * Gives a session that is not linked the credentials of a Baileys multi-file folder. It connects with them now where
   * sessions run, and otherwise when the server starts.
   * @throws ValidationError when the files are no such folder; ConflictError when a phone is linked
   */
  async importFiles(projectId: string, id: string, files: AuthFiles, actor: string): Promise<SessionView> {
    const { readAuthFiles } = await import('./import.ts');
    const { creds, entries } = readAuthFiles(files);
    const { session, auth } = await this.#driveHere(await this.#find(projectId, id), actor);
    if (session.number !== undefined) {
      throw alreadyLinked();
    }
    await session.disconnect();
    await this.#options.database.transaction(async (trx) => {
      await auth.replace(trx, creds, entries);
      await this.#commands.record(trx, session.stored, 'imported', actor);
    });
    await session.adopt();
    if (this.#isStarted) await session.restart();
    return this.#view(session.stored);
  }

  /** The credentials of a session as the files of a Baileys multi-file folder. Whoever has them can send as the number. */
  async exportFiles(projectId: string, id: string, actor: string): Promise<AuthFiles> {
    const stored = await this.#find(projectId, id);
    const driven = this.#driven.get(id);
    const auth = driven?.auth ?? (await this.#authOf(id));
    await (driven ? auth.saved() : auth.open());
    if (!auth.isLinked) throw new ConflictError('No phone is linked to this session.');
    await this.#commands.audit(stored, 'exported', actor);
    const { writeAuthFiles } = await import('./import.ts');
    return writeAuthFiles(await auth.all());
  }

  #everywhere(): StoredSession[] {
    return [...this.#known.values()].map((stored) => this.#driven.get(stored.id)?.session.stored ?? stored);
  }

  #view(stored: StoredSession): SessionView {
    const session = this.#driven.get(stored.id)?.session;
    return {
      ...(session?.stored ?? stored),
      warning: session?.warning ?? null,
      pairingCode: this.#alive((session?.stored ?? stored).codes.pairingCode) ?? null,
    };
  }

  #alive(code: LinkingCode | undefined): LinkingCode | undefined {
    return code && code.expiresAt > this.#options.clock.now() ? code : undefined;
  }

  /** Has a command carried out by this process where it drives the session, or can, and otherwise by the one that does. */
  async #run(projectId: string, id: string, command: Command): Promise<unknown> {
    const stored = await this.#find(projectId, id);
    const driven = this.#driven.get(id) ?? (await this.#take(stored));
    if (driven) return this.#commands.run(driven.session, command);
    return this.#letterBox.ask(id, command, this.#stopSignal.signal);
  }

  async #forget(session: LinkedSession, actor: string): Promise<void> {
    const { id } = session;
    const { database } = this.#options;
    await database.transaction(async (trx) => {
      // Keys that are just being written are waited for; later ones find no session any more.
      await database.serialize(trx, id);
      await this.#repository.remove(trx, id);
      await this.#commands.record(trx, session.stored, 'removed', actor);
    });
    this.#driven.delete(id);
    this.#known.delete(id);
  }

  #answerOthers(): void {
    this.#letterBox
      .answer([...this.#driven.keys()], async (id, command) => {
        const driven = this.#driven.get(id);
        if (!driven) throw new ConflictError('This session has just passed to another node. Try again.');
        return this.#commands.run(driven.session, command);
      })
      .catch((error: unknown) =>
        this.#options.log.error({ err: error }, 'commands from other nodes could not be read'),
      );
  }

  async #find(projectId: string, id: string): Promise<StoredSession> {
    const rows = await this.#repository.list(this.#options.database.reader, projectId);
    const found = rows.find((row) => row.id === id);
    if (!found) throw new NotFoundError('There is no session with this id.');
    return found;
  }

  async #readRows(): Promise<void> {
    const rows = await this.#repository.list(this.#options.database.reader);
    this.#known = new Map(rows.map((row) => [row.id, row]));
  }

  /** The session, driven by this process from now on; another one lets go of it when it is not linked. */
  async #driveHere(stored: StoredSession, actor: string): Promise<Driven> {
    const driven = this.#driven.get(stored.id) ?? (await this.#take(stored));
    if (driven) return driven;
    await this.#letterBox.ask(stored.id, { name: 'release', actor }, this.#stopSignal.signal);
    const taken = await this.#take(stored);
    if (!taken) throw new ConflictError('A third node has taken this session over. Try again.');
    return taken;
  }

  /** Takes the lease of a session; undefined while another process has it. */
  async #take(stored: StoredSession): Promise<Driven | undefined> {
    const { database, clock, log } = this.#options;
    const { id } = stored;
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
    // Baileys takes half a second and 60 MB, so it is loaded with the first session that is driven.
    const { LinkedSession } = await import('./linked-session.ts');
    const taken = this.#driven.get(id);
    if (taken) return taken;
    this.#endQuiet ??= quietLibsignal();
    const auth = await this.#authOf(id, lease);
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
    this.#known.set(id, stored);
    await session.load();
    return driven;
  }

  /** A session's keys; they can be written only by who has the lease. */
  async #authOf(id: string, lease?: number): Promise<AuthStore> {
    const { authStore } = await import('./auth-store.ts');
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

  #tell<E extends keyof SessionEvents>(event: E, ...args: SessionEvents[E]): void {
    for (const listener of this.#listeners[event]) listener(...args);
  }

  async #startDriving(stored: StoredSession): Promise<void> {
    const { log } = this.#options;
    try {
      const driven = await this.#take(stored);
      driven?.session.start();
    } catch (error) {
      log.error({ session: stored.id, err: error }, 'a WhatsApp session could not be started');
    }
  }

  async #stopDriving({ session }: Driven, isHandedOver = false): Promise<void> {
    await session.stop({ isHandedOver });
    this.#driven.delete(session.id);
    await this.#options.database
      .transaction((trx) => this.#repository.release(trx, session.id, this.#owner))
      .catch((error: unknown) =>
        this.#options.log.warn({ session: session.id, err: error }, 'a lease was not given back'),
      );
  }

  /** Renews the leases of this process, steps down where one is no longer sure, and takes those that are free. */
  async #checkLeases(): Promise<void> {
    const { database, clock } = this.#options;
    for (const driven of [...this.#driven.values()]) {
      const now = clock.now();
      const claim = { owner: this.#owner, until: now + LEASE_MS, now, force: false };
      const lease = await database
        .transaction((trx) => this.#repository.lease(trx, driven.session.id, claim))
        .catch(() => undefined);
      if (lease === driven.lease) driven.renewedAt = now;
      else if (lease !== undefined || clock.now() - driven.renewedAt > LEASE_TRUSTED_MS) {
        await this.#stopDriving(driven, true);
      }
    }
    await this.#letterBox.tidy();
    await this.#readRows();
    for (const stored of this.#known.values()) {
      if (!this.#driven.has(stored.id) && !this.#isStopped) await this.#startDriving(stored);
    }
  }
}
