// Before the library, which takes its bounds when it is loaded.
import './frame-bounds.ts';
import { Periodic } from '../../../background/periodic.ts';
import { type Actor, SERVER } from '../../../database/acts.ts';
import type { Transaction } from '../../../database/database.ts';
import { ConflictError, NotFoundError } from '../../../errors/errors.ts';
import { HOUR_MS } from '../../../lib/duration.ts';
import { newId } from '../../../lib/id.ts';
import { type Driven, DrivenSessions, type DrivenSessionsOptions } from './driven-sessions.ts';
import type { AuthFiles } from './import.ts';
import { LEASE_CHECK_MS, LeaseLostError } from './lease.ts';
import { loadWithBaileys } from './library.ts';
import { LinkStatus } from './link-status.ts';
import type { LinkedSession } from './linked-session.ts';
import { type RemoteCommands, remoteCommands } from './remote-commands.ts';
import {
  type LinkingCode,
  type SessionRepository,
  type StoredSession,
  sessionRepository,
} from './repository.ts';
import type { Session, SessionEvents, SessionState, Sessions } from './session.ts';
import { alreadyLinked, type Command, type SessionCommands, sessionCommands } from './session-commands.ts';

/** How often a node looks for commands that others have left for its sessions, in ms. */
const COMMANDS_CHECK_MS = 1_000;

/** States that say what a process is doing at this moment. */
const MOMENTARY: readonly SessionState[] = ['pairing', 'connecting', 'open', 'degraded'];
const MOCK_MODE = 'Mock mode is on, so nothing connects to WhatsApp.';
const NOT_STARTED = 'This session could not be started. See the log.';
const NO_SERVER = 'No server is running. The session connects when one starts.';

export interface WhatsAppSessionsOptions extends DrivenSessionsOptions {
  /** In mock mode nothing is connected. */
  mockMode: boolean;
  /** What to do before anything can be connected, where Baileys is not installed. */
  libraryProblem?: string | undefined;
  /** The number to link by pairing code, without +, where that is configured in place of QR codes. */
  pairingDigits?: string | undefined;
}

/** What may fail again and again, by its name in the log. */
const READ_COMMANDS = 'reading commands from other nodes';
const START_SESSION = 'starting a WhatsApp session';

/** A session as the operator sees it. */
export interface SessionView extends StoredSession {
  warning: string | null;
  pairingCode: LinkingCode | null;
}

/** All WhatsApp sessions, whichever process drives them, and what the operator can do with each. */
export class WhatsAppSessions implements Sessions {
  /** What the sessions come to together. */
  readonly status: LinkStatus;
  readonly #options: WhatsAppSessionsOptions;
  readonly #repository: SessionRepository;
  readonly #remoteCommands: RemoteCommands<Command>;
  readonly #commands: SessionCommands;
  readonly #stopSignal = new AbortController();
  readonly #driven: DrivenSessions;
  /** Sessions of every process, as their rows were when last read. */
  #known = new Map<string, StoredSession>();
  readonly #listeners: { [E in keyof SessionEvents]: ((...args: SessionEvents[E]) => void)[] } = {
    state: [],
    open: [],
    closed: [],
  };
  readonly #background: Periodic[];
  #isStarted = false;
  #isReady = false;
  #isStopped = false;

  constructor(options: WhatsAppSessionsOptions) {
    this.#options = options;
    this.#repository = sessionRepository(options.keyring);
    const { clock, log, troubles, database, mockMode, libraryProblem } = options;
    this.status = new LinkStatus({
      sessions: () => this.#everywhere(),
      mockMode,
      libraryProblem,
      clock,
      log,
    });
    this.#driven = new DrivenSessions(options, this.#repository, (event, ...args) => {
      for (const listener of this.#listeners[event]) listener(...args);
      if (event === 'state') this.status.changed();
    });
    this.#remoteCommands = remoteCommands(options);
    this.#commands = sessionCommands({
      ...options,
      holds: (trx, id) => this.#driven.holds(trx, id),
      letGo: (session) => this.#driven.letGo(session),
      forget: (session, by) => this.#forget(session, by),
    });
    const periodic = (name: string, intervalMs: number, run: () => Promise<void>) =>
      new Periodic({ name, intervalMs, run }, clock, troubles);
    this.#background = [
      periodic('looking for linked phones', HOUR_MS, async () => {
        for (const { session } of this.#driven.all()) session.checkPhone();
      }),
    ];
    if (!database.isExclusive) {
      this.#background.push(
        periodic('leases of sessions', LEASE_CHECK_MS, () => this.#checkLeases()),
        periodic('commands from other nodes', COMMANDS_CHECK_MS, async () => this.#answerOthers()),
      );
    }
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  all(): readonly Session[] {
    return this.#driven.all().map(({ session }) => session);
  }

  on<E extends keyof SessionEvents>(event: E, listener: (...args: SessionEvents[E]) => void): void {
    this.#listeners[event].push(listener);
  }

  holds(trx: Transaction, sessionId: string): Promise<boolean> {
    return this.#driven.holds(trx, sessionId);
  }

  /**
   * Reads what is stored and, out of mock mode, connects every session that no other process drives. Where a number to
   * link by pairing code is configured and there is no session, makes one in this project.
   */
  async start(defaultProjectId?: number): Promise<void> {
    await this.#readRows();
    if (this.#options.mockMode || this.#options.libraryProblem !== undefined) return;
    this.#isStarted = true;
    for (const stored of this.#known.values()) await this.#startDriving(stored);
    this.#isReady = true;
    for (const work of this.#background) work.start();
    const isConfigured = this.#options.pairingDigits !== undefined;
    if (!isConfigured || this.#known.size > 0 || defaultProjectId === undefined) return;
    const wanted = { projectId: defaultProjectId, name: null, proxy: null };
    const { id } = await this.#options.database.transaction((trx) =>
      this.create(trx, wanted, { name: 'settings', address: 'local' }),
    );
    await this.beginLinking(defaultProjectId, id);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.status.stop();
    this.#stopSignal.abort();
    for (const work of this.#background) await work.stop();
    await this.#driven.stop();
  }

  /** A page of a project's sessions, oldest first. */
  async list(
    projectId: number,
    { cursor, limit }: { cursor?: string; limit: number },
  ): Promise<{ sessions: SessionView[]; next: string | null }> {
    const wanted = { after: cursor, limit: limit + 1 };
    const rows = await this.#repository.page(this.#options.database.reader, projectId, wanted);
    const shown = rows.slice(0, limit);
    return {
      sessions: shown.map((row) => this.#view(row)),
      next: rows.length > limit ? shown.at(-1)!.id : null,
    };
  }

  /** @throws NotFoundError when the project has no such session */
  async get(projectId: number, id: string): Promise<SessionView> {
    return this.#view(await this.#find(projectId, id));
  }

  /** Makes a session that is not linked yet; `connect` begins the linking once this is committed. */
  async create(
    trx: Transaction,
    wanted: { projectId: number; name: string | null; proxy: string | null },
    by: Actor,
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
    await this.#commands.recordCreated(trx, made, by);
    return made;
  }

  /** Begins to link the phone of a new session, by QR code or, where that is configured, by pairing code. */
  async beginLinking(projectId: number, id: string): Promise<SessionView> {
    await this.#run(projectId, id, { name: 'link', by: SERVER });
    return this.get(projectId, id);
  }

  /** Changes a session's name or proxy. */
  async change(
    projectId: number,
    id: string,
    changes: { name?: string | null; proxy?: string | null },
    by: Actor,
  ): Promise<SessionView> {
    await this.#run(projectId, id, { name: 'change', changes, by });
    return this.get(projectId, id);
  }

  /** What the QR code of a session says; undefined while there is none. */
  async qr(projectId: number, id: string): Promise<LinkingCode | undefined> {
    const stored = await this.#find(projectId, id);
    return this.#alive((this.#driven.get(id)?.session.stored ?? stored).codes.qr);
  }

  /** A code to type into the phone with this number (digits, without +). */
  async requestPairingCode(projectId: number, id: string, digits: string, by: Actor): Promise<LinkingCode> {
    this.status.requireWhatsApp();
    const command: Command = { name: 'pairing code requested', digits, by };
    return (await this.#run(projectId, id, command)) as LinkingCode;
  }

  /** Runs one of the operator's commands on a session. */
  async command(
    projectId: number,
    id: string,
    name: 'restart' | 'pause' | 'resume' | 'logout',
    by: Actor,
  ): Promise<SessionView> {
    if (name === 'restart' || name === 'resume') this.status.requireWhatsApp();
    await this.#run(projectId, id, { name, by });
    return this.get(projectId, id);
  }

  /** Logs a session out and removes it. */
  async remove(projectId: number, id: string, by: Actor): Promise<void> {
    await this.#run(projectId, id, { name: 'remove', by });
    this.#known.delete(id);
  }

  /**
   * Gives a session that is not linked the credentials of a Baileys multi-file folder. It connects with them now where
   * sessions run, and otherwise when the server starts.
   * @throws ValidationError when the files are no such folder; ConflictError when a phone is linked
   */
  async importFiles(projectId: number, id: string, files: AuthFiles, by: Actor): Promise<SessionView> {
    const { readAuthFiles } = await loadWithBaileys(() => import('./import.ts'));
    const { creds, entries } = readAuthFiles(files);
    const { session, auth } = await this.#driveHere(await this.#find(projectId, id), by);
    if (session.isLinked) throw alreadyLinked();
    await session.disconnect();
    await session.claim(creds.me?.id);
    await this.#options.database.transaction(async (trx) => {
      await auth.replace(trx, creds, entries);
      await this.#commands.record(trx, session.stored, 'imported', by);
    });
    await session.adopt();
    if (this.#isStarted) await session.restart();
    return this.#view(session.stored);
  }

  /** The credentials of a session as the files of a Baileys multi-file folder. Whoever has them can send as the number. */
  async exportFiles(projectId: number, id: string, by: Actor): Promise<AuthFiles> {
    const stored = await this.#find(projectId, id);
    const driven = this.#driven.get(id);
    const auth = driven?.auth ?? (await this.#driven.authOf(id));
    await (driven ? auth.saved() : auth.open());
    if (!auth.isLinked) throw new ConflictError('No phone is linked to this session.');
    await this.#commands.audit(stored, 'exported', by);
    const { writeAuthFiles } = await loadWithBaileys(() => import('./import.ts'));
    return writeAuthFiles(await auth.all());
  }

  #everywhere(): StoredSession[] {
    return [...this.#known.values()].map((stored) => this.#current(stored));
  }

  #view(stored: StoredSession): SessionView {
    const current = this.#current(stored);
    return {
      ...current,
      warning: this.#driven.get(stored.id)?.session.warning ?? null,
      pairingCode: this.#alive(current.codes.pairingCode) ?? null,
    };
  }

  /** A session as it is now: what a process that has died stored last holds no longer. */
  #current(stored: StoredSession): StoredSession {
    const driven = this.#driven.get(stored.id);
    if (driven) return driven.session.stored;
    const { database, clock, mockMode } = this.#options;
    const isDriven = !database.isExclusive && (stored.leaseUntil ?? 0) > clock.now();
    if (isDriven || !MOMENTARY.includes(stored.state)) return stored;
    const reason = mockMode ? MOCK_MODE : this.#isStarted ? NOT_STARTED : NO_SERVER;
    const state = stored.phone === null ? 'new' : 'reconnecting';
    return { ...stored, state, reason, nextAttemptAt: null, codes: {} };
  }

  #alive(code: LinkingCode | undefined): LinkingCode | undefined {
    return code && code.expiresAt > this.#options.clock.now() ? code : undefined;
  }

  /** Has a command carried out by this process where it drives the session, or can, and otherwise by the one that does. */
  async #run(projectId: number, id: string, command: Command): Promise<unknown> {
    const stored = await this.#find(projectId, id);
    const driven = this.#driven.get(id) ?? (await this.#take(stored));
    if (driven) return this.#commands.run(driven.session, command);
    return this.#remoteCommands.ask(id, command, this.#stopSignal.signal);
  }

  async #forget(session: LinkedSession, by: Actor): Promise<void> {
    const { id } = session;
    await this.#options.database.transaction(async (trx) => {
      // Keys that are just being written are waited for; later ones find no session any more.
      if (!(await this.#driven.holds(trx, id))) throw new LeaseLostError();
      await this.#repository.remove(trx, id);
      await this.#commands.recordRemoved(trx, session.stored, by);
    });
    this.#driven.forget(id);
    this.#known.delete(id);
  }

  #answerOthers(): void {
    this.#remoteCommands
      .answer(
        this.#driven.all().map(({ session }) => session.id),
        async (id, command) => {
          const driven = this.#driven.get(id);
          if (!driven) throw new ConflictError('This session has just passed to another node. Try again.');
          return this.#commands.run(driven.session, command);
        },
        async (trx, id) =>
          (await this.#driven.holds(trx, id)) ? this.#driven.get(id)?.lease.number : undefined,
      )
      .then(
        () => this.#options.troubles.succeeded(READ_COMMANDS),
        (error: unknown) => this.#options.troubles.failed(READ_COMMANDS, error),
      );
  }

  async #find(projectId: number, id: string): Promise<StoredSession> {
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
  async #driveHere(stored: StoredSession, by: Actor): Promise<Driven> {
    const driven = this.#driven.get(stored.id) ?? (await this.#take(stored));
    if (driven) return driven;
    await this.#remoteCommands.ask(stored.id, { name: 'release', by }, this.#stopSignal.signal);
    const taken = await this.#take(stored);
    if (!taken) throw new ConflictError('Another node has claimed this session. Try again.');
    return taken;
  }

  /** Drives a session from now on; undefined while another process does. */
  async #take(stored: StoredSession): Promise<Driven | undefined> {
    const driven = await this.#driven.take(stored.id);
    if (driven) this.#known.set(stored.id, driven.session.stored);
    return driven;
  }

  async #startDriving(stored: StoredSession): Promise<void> {
    const { troubles } = this.#options;
    try {
      const driven = await this.#take(stored);
      driven?.session.start();
      troubles.succeeded(START_SESSION);
    } catch (error) {
      troubles.failed(START_SESSION, error, { fields: { session: stored.id } });
    }
  }

  /** Keeps the sessions of this process, and takes those that are free. */
  async #checkLeases(): Promise<void> {
    await this.#driven.renew();
    await this.#remoteCommands.tidy();
    await this.#readRows();
    for (const stored of this.#known.values()) {
      if (!this.#driven.get(stored.id) && !this.#isStopped) await this.#startDriving(stored);
    }
  }
}
