import type { Agent } from 'node:https';
import { jidDecode, type WAVersion } from 'baileys';
import { ChannelError, ConflictError } from '../../errors/errors.ts';
import type { WotpEvent } from '../../events/types.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../lib/duration.ts';
import type { Logger } from '../../lib/logger.ts';
import type { AuthStore } from './auth-store.ts';
import { reconnectDelayMs } from './backoff.ts';
import { lastingCache } from './cache.ts';
import { answerTo, BAD_FOR_GOOD, type Close, isBadForGood, OUTDATED } from './close-reason.ts';
import { Connection } from './connection.ts';
import { type Lease, LeaseLostError } from './lease.ts';
import type { LinkingCode, SessionChanges, StoredSession } from './repository.ts';
import type { MessageText, Session, SessionState, StateChange, WhatsAppSocket } from './session.ts';
import type { WebVersion } from './web-version.ts';

/** How often in a row WhatsApp may ask for a restart before the restarts are spaced out. */
const RESTARTS_MAX = 3;
/** How long one attempt at linking lasts, whatever the network does meanwhile, in ms. */
const LINKING_MAX_MS = 5 * MINUTE_MS;
/** How exactly it is kept when the phone was last seen, in ms. */
const SEEN_PRECISION_MS = HOUR_MS;
/** WhatsApp logs linked devices out when the phone was away for about 14 days; from here on there is a warning, in ms. */
const PHONE_UNSEEN_MS = 10 * DAY_MS;
const DEVICES_TTL_MS = 5 * MINUTE_MS;
const RETRIES_TTL_MS = HOUR_MS;
const CACHED_MAX = 10_000;

/** States in which nothing happens by itself. */
const RESTING: readonly SessionState[] = ['new', 'paused', 'logged_out', 'banned', 'action_required'];

/** States that last until somebody acts. */
const NEEDS_SOMEBODY: readonly SessionState[] = ['logged_out', 'banned', 'action_required'];

const NOT_SCANNED =
  'The QR code was not scanned, or the pairing code not typed, in time. Start linking again. If the phone showed an error or asked for a passkey, see docs/WHATSAPP.md.';
const PASSKEY =
  'WhatsApp asks this account for a passkey to link a device, which only its own apps can answer. Try again in a day, use another number, or use the Cloud API.';
const DAMAGED =
  'The stored credentials of this session cannot be read. Log it out, and link the phone again.';
/** True after a stop of the server, and after whoever was linking has given up. */
const INTERRUPTED = 'Linking was interrupted before a phone was linked. Start linking again.';
const UNANSWERED = 'The connection is open, but WhatsApp does not answer on it.';
const VERSION_RENEWED =
  'WhatsApp no longer takes the version this server spoke; the one WhatsApp Web has now is tried.';

export interface LinkedSessionOptions {
  stored: StoredSession;
  auth: AuthStore;
  /** Without it nothing goes out. */
  lease: Pick<Lease, 'isSure'>;
  clock: Clock;
  log: Logger;
  /** WhatsApp's own address unless given. */
  url: string | undefined;
  version: WebVersion;
  /** The way through a proxy, made for its address. */
  agentFor: (proxy: string) => Agent;
  messageText: MessageText;
  /** From 0 up to 1. */
  random: () => number;
  /** Asks the database whether this process still drives the session. */
  isOurs: () => Promise<boolean>;
  /**
   * Keeps changes and their events in one transaction.
   * @throws LeaseLostError when another process drives the session, whose word on it counts
   */
  keep: (changes: SessionChanges, events: readonly WotpEvent[]) => Promise<void>;
  /**
   * Keeps that this number (E.164) is the session's, unless it is linked in another session: then
   * resolves to that session's id, and changes nothing.
   * @throws LeaseLostError as `keep`
   */
  claimNumber: (phone: string) => Promise<string | undefined>;
  /** Another process drives the session: whoever hears this stops it. */
  onLeaseLost: () => void;
  onState: (session: LinkedSession, change: StateChange) => void;
  onOpen: (session: LinkedSession, socket: WhatsAppSocket) => void;
  onClosed: (session: LinkedSession) => void;
}

/** One WhatsApp number: linked, connected, and connected again. */
export class LinkedSession implements Session {
  readonly id: string;
  readonly projectId: string;
  readonly #options: LinkedSessionOptions;
  readonly #clock: Clock;
  readonly #auth: AuthStore;
  readonly #retries;
  readonly #devices;
  #stored: StoredSession;
  #connection: Connection | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #restarts = 0;
  #badSessions: number[] = [];
  #linkingUntil = 0;
  /** The number for which a pairing code was asked in the present linking, E.164. */
  #askedFor: string | undefined;
  /** The number with which the operator has said to go on, E.164. */
  #confirmed: string | undefined;
  #warnedAt = 0;
  /** Counts commands and attempts, so that what was begun before the newest one ends without effect. */
  #turn = 0;
  #isStopped = false;
  #isLost = false;
  #kept: Promise<void> = Promise.resolve();

  constructor(options: LinkedSessionOptions) {
    this.#options = options;
    this.#stored = options.stored;
    this.#clock = options.clock;
    this.#auth = options.auth;
    this.id = options.stored.id;
    this.projectId = options.stored.projectId;
    this.#retries = lastingCache(this.#clock, RETRIES_TTL_MS, CACHED_MAX);
    this.#devices = lastingCache(this.#clock, DEVICES_TTL_MS, CACHED_MAX);
  }

  get number(): string | undefined {
    return this.#auth.isLinked ? (this.#stored.phone ?? undefined) : undefined;
  }

  /** Whether there are credentials of a linked phone, though its number may not be used. */
  get isLinked(): boolean {
    return this.#auth.isLinked;
  }

  get state(): SessionState {
    return this.#stored.state;
  }

  get linkedAt(): number | undefined {
    return this.#stored.linkedAt ?? undefined;
  }

  get socket(): WhatsAppSocket | undefined {
    return this.#connection?.isOpen ? this.#connection.socket : undefined;
  }

  /** The session as it is stored. */
  get stored(): Readonly<StoredSession> {
    return this.#stored;
  }

  /** What the operator should know though the session works; null when there is nothing. */
  get warning(): string | null {
    const { phoneSeenAt } = this.#stored;
    if (phoneSeenAt === null || !this.#auth.isLinked) return null;
    const days = Math.floor((this.#clock.now() - phoneSeenAt) / DAY_MS);
    if (days * DAY_MS < PHONE_UNSEEN_MS) return null;
    return `The linked phone was not seen for ${days} days. WhatsApp logs this device out after about 14: open WhatsApp on the phone, with internet.`;
  }

  /** Reads the credentials; comes before everything else. */
  async load(): Promise<void> {
    await this.#auth.open();
  }

  /** Goes on from where the session was when it was stored last; does not wait for WhatsApp. */
  start(): void {
    const { state, nextAttemptAt } = this.#stored;
    this.#showCodes({});
    if (state === 'banned' && nextAttemptAt !== null) {
      this.#retryIn(Math.max(0, nextAttemptAt - this.#clock.now()));
    } else if (!RESTING.includes(state)) {
      if (this.#auth.isDamaged) this.#moveTo('action_required', DAMAGED);
      else if (this.#auth.isLinked) {
        // Whatever it was when the last process ended, it is no more.
        this.#moveTo('connecting', null);
        this.#run(this.#connect());
      } else this.#moveTo('new', INTERRUPTED);
    }
  }

  /** Shows QR codes until one is scanned or time is over. A pairing code given before is worth nothing any more. */
  async link(): Promise<void> {
    this.#refuseLinked();
    this.#linkingUntil = this.#clock.now() + LINKING_MAX_MS;
    this.#askedFor = undefined;
    this.#failures = 0;
    await this.#begin();
  }

  /**
   * Asks for a code that the person types into the phone with this number, in place of scanning.
   * @param digits the number with its country code, without +
   * @throws ConflictError when a phone is linked; ChannelError when WhatsApp cannot be reached
   */
  async requestPairingCode(digits: string): Promise<LinkingCode> {
    await this.link();
    this.#askedFor = `+${digits}`;
    const connection = this.#connection;
    const unreachable = 'WhatsApp could not be reached, so there is no pairing code. Try again in a minute.';
    if (!connection || !(await connection.isReadyToLink())) throw new ChannelError(unreachable);
    try {
      const pairingCode = await connection.requestPairingCode(digits);
      this.#showCodes({ ...this.#stored.codes, pairingCode });
      return pairingCode;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#options.log.warn({ session: this.id, why }, 'a pairing code could not be had');
      throw new ChannelError(unreachable);
    }
  }

  /**
   * Ends the connection and makes a new one; begins linking anew when no phone is linked. Where another number was linked
   * than was expected, it goes on with that one.
   */
  async restart(): Promise<void> {
    this.#failures = 0;
    this.#restarts = 0;
    this.#badSessions = [];
    if (!this.#auth.isLinked) {
      await this.link();
      return;
    }
    this.#confirmed = phoneOf(this.#auth.creds.me?.id) ?? undefined;
    await this.#begin();
  }

  /** Ends the connection until `resume`; the phone stays linked. */
  async pause(): Promise<void> {
    await this.disconnect();
    this.#moveTo('paused', 'Paused by the operator.');
  }

  /** Connects again after `pause`. */
  async resume(): Promise<void> {
    if (this.state !== 'paused') throw new ConflictError('This session is not paused.');
    if (this.#auth.isLinked) await this.restart();
    else this.#moveTo('new', null);
  }

  /** Removes this device from the phone and forgets its keys; says in the reason when the phone could not be told. */
  async logout(): Promise<void> {
    const wasLinked = this.#auth.isLinked;
    // From here on what the connection tells is its end, which nobody needs to hear of.
    const connection = this.#leave();
    const isTold = await connection?.removeDevice();
    await connection?.socket.end(undefined).catch(() => {});
    await this.#auth.clear();
    const manually =
      isTold || !wasLinked ? '' : ' WhatsApp could not be told: remove the device on the phone, too.';
    const reason = `Logged out by the operator.${manually} Link a phone to use it again.`;
    this.#moveTo('logged_out', reason, null, { isByOperator: true });
    await this.kept();
  }

  /** Takes over another name or proxy. A new proxy is used from the next connection on. */
  async change(changes: Pick<SessionChanges, 'name' | 'proxy'>): Promise<void> {
    const given = Object.entries(changes).filter(([, value]) => value !== undefined);
    this.#keep(Object.fromEntries(given), []);
    await this.kept();
  }

  /**
   * Claims the number of credentials that are to be taken over.
   * @param jid the credentials' own address
   * @throws ConflictError when the session was another number's, or another session has this one
   */
  async claim(jid: string | undefined): Promise<void> {
    const phone = phoneOf(jid);
    const { phone: was } = this.#stored;
    if (phone === null) return;
    if (was !== null && was !== phone) {
      throw new ConflictError(
        `This session was ${was}, and these are the credentials of ${phone}. Import them into another session.`,
      );
    }
    const holder = await this.#options.claimNumber(phone);
    if (holder !== undefined) throw new ConflictError(heldElsewhere(phone, holder));
    this.#stored = { ...this.#stored, phone };
  }

  /** Takes over credentials that `auth.replace` has just stored. */
  async adopt(): Promise<void> {
    await this.#auth.open();
    this.#devices.flushAll();
    const now = this.#clock.now();
    this.#keep({ linkedAt: now, phoneSeenAt: now }, []);
    const problem = await this.#numberProblem();
    if (problem !== undefined) this.#moveTo('action_required', problem);
    else this.#moveTo('reconnecting', 'Imported.');
    await this.kept();
  }

  /** Looks whether the phone was seen lately, and warns once a day when it was not. */
  checkPhone(): void {
    const { warning } = this;
    const now = this.#clock.now();
    if (warning === null || now - this.#warnedAt < DAY_MS) return;
    this.#warnedAt = now;
    this.#options.log.warn({ session: this.id }, warning);
    this.#keep({}, [
      { type: 'bot.phone_unseen', projectId: this.projectId, data: { sessionId: this.id, reason: warning } },
    ]);
  }

  /**
   * Ends the connection for good; resolves when all is on disk.
   * @param isHandedOver whether another process drives the session by now, whose word on it counts
   */
  async stop({ isHandedOver = false } = {}): Promise<void> {
    await this.#leave()?.end({ atOnce: isHandedOver });
    const isAlive = !RESTING.includes(this.state);
    if (isAlive && !isHandedOver) {
      if (this.#auth.isLinked) this.#moveTo('reconnecting', 'The server was stopped.');
      else this.#moveTo('new', INTERRUPTED);
    }
    this.#isStopped = true;
    await this.#kept;
  }

  /** @throws LeaseLostError when another process drives the session */
  async checkLease(): Promise<void> {
    if (!(await this.#isOurs())) throw new LeaseLostError();
  }

  /**
   * Resolves when all that has changed is on disk.
   * @throws LeaseLostError when it is not, because another process drives the session
   */
  async kept(): Promise<void> {
    await this.#kept;
    if (this.#isLost) throw new LeaseLostError();
  }

  #showCodes(codes: StoredSession['codes']): void {
    const isSame = !codes.qr && !codes.pairingCode && Object.keys(this.#stored.codes).length === 0;
    if (!isSame) this.#keep({ codes }, []);
  }

  #refuseLinked(): void {
    if (!this.#auth.isLinked) return;
    throw new ConflictError('A phone is linked to this session already. Log it out to link another one.');
  }

  /** As `#connect`, for a command: when it fails the next attempt is planned, and the operator hears of it. */
  async #begin(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      this.#onFailed(error);
      throw error;
    }
  }

  /** Ends the present connection and makes a new one. */
  async #connect(): Promise<void> {
    const left = this.disconnect();
    const turn = this.#turn;
    await left;
    if (turn !== this.#turn || this.#isStopped) return;
    // A process that was frozen would throw the one out that has taken over.
    if (!(await this.#isOurs())) return;
    // What is on disk counts: the same as after a crash. Credentials that no phone has accepted are made anew.
    await this.#auth.open();
    if (turn !== this.#turn) return;
    if (this.#auth.isDamaged) {
      this.#moveTo('action_required', DAMAGED);
      return;
    }
    const problem = this.#auth.isLinked ? await this.#numberProblem() : undefined;
    if (turn !== this.#turn) return;
    if (problem !== undefined) {
      this.#moveTo('action_required', problem);
      return;
    }
    this.#moveTo(this.#auth.isLinked ? 'connecting' : 'pairing', null);
    const { log, lease, url, version, agentFor, messageText } = this.#options;
    const { proxy } = this.#stored;
    const connection = new Connection(
      {
        sessionId: this.id,
        auth: this.#auth,
        lease,
        clock: this.#clock,
        log,
        url,
        version: version.current,
        agent: proxy === null ? undefined : agentFor(proxy),
        messageText,
        retries: this.#retries,
        devices: this.#devices,
      },
      {
        onQr: (qr, isFirst) => {
          this.#showCodes({ ...this.#stored.codes, qr });
          if (isFirst) this.#keep({}, [this.#event('bot.qr', null, null)]);
        },
        onLinked: () => this.#onLinked(),
        onPasskeyAsked: () => this.#run(this.#giveUp('action_required', PASSKEY)),
        onOpen: () => this.#onOpen(connection.socket),
        onStable: () => {
          this.#failures = 0;
          this.#restarts = 0;
        },
        onProbed: (isAnswered) =>
          isAnswered ? this.#moveTo('open', null) : this.#moveTo('degraded', UNANSWERED),
        onPhoneSeen: () => this.#onPhoneSeen(),
        onClosed: (close, reason) => this.#onClosed(connection, close, reason),
      },
    );
    this.#connection = connection;
  }

  #onLinked(): void {
    this.#showCodes({});
    // Among the devices that are remembered is the one that was logged out, for which there are no keys any more.
    this.#devices.flushAll();
    const now = this.#clock.now();
    this.#keep({ linkedAt: now, phoneSeenAt: now }, []);
  }

  /**
   * Makes the number that is linked the session's. Why it cannot be, in words for the operator: it is not the one that was
   * expected, and nobody has said to go on with it; or another session has it, so that two would send what one may.
   */
  async #numberProblem(): Promise<string | undefined> {
    const phone = phoneOf(this.#auth.creds.me?.id);
    if (phone === null) return undefined;
    const expected = this.#askedFor ?? this.#stored.phone ?? phone;
    if (phone !== expected && phone !== this.#confirmed) {
      const was = this.#askedFor ? `The pairing code was for ${expected}` : `This session was ${expected}`;
      return `${was}, and ${phone} was linked. Restart the session to go on with ${phone}, or log it out and link ${expected}.`;
    }
    await this.#kept;
    const holder = await this.#options.claimNumber(phone);
    if (holder !== undefined) {
      return `${heldElsewhere(phone, holder)} Log this session out; or log the other one out, and restart this one.`;
    }
    this.#askedFor = undefined;
    this.#stored = { ...this.#stored, phone };
    return undefined;
  }

  #onOpen(socket: WhatsAppSocket): void {
    this.#moveTo('open', null);
    this.#options.onOpen(this, socket);
    this.checkPhone();
  }

  #onPhoneSeen(): void {
    const now = this.#clock.now();
    if (now - (this.#stored.phoneSeenAt ?? 0) > SEEN_PRECISION_MS) this.#keep({ phoneSeenAt: now }, []);
  }

  #onClosed({ version }: Connection, close: Close, reason?: string): void {
    if (close.code === OUTDATED && close.isDeclared) this.#run(this.#onOutdated(version, close));
    else this.#onEnded(close, reason);
  }

  /** Another version of the protocol is tried, where there is one. */
  async #onOutdated(refused: WAVersion | undefined, close: Close): Promise<void> {
    const left = this.disconnect();
    const turn = this.#turn;
    await left;
    const isRenewed = await this.#options.version.renew(refused);
    if (turn !== this.#turn || this.#isStopped) return;
    if (isRenewed) this.#onEnded({ code: undefined, isDeclared: false }, VERSION_RENEWED);
    else this.#onEnded(close);
  }

  #onEnded(close: Close, reason?: string): void {
    if (!this.#auth.isLinked) {
      this.#onLinkingFailed(close, reason);
      return;
    }
    const answer = answerTo(close);
    if (close.code === 500 && close.isDeclared) {
      this.#badSessions = [...this.#badSessions.slice(-9), this.#clock.now()];
      if (isBadForGood(this.#badSessions)) {
        this.#run(this.#giveUp('action_required', BAD_FOR_GOOD));
        return;
      }
    }
    switch (answer.next) {
      case 'now':
        this.#restarts += 1;
        if (this.#restarts > RESTARTS_MAX) this.#backOff(answer.reason);
        else this.#run(this.#connect());
        return;
      case 'backoff':
        this.#backOff(reason ?? answer.reason);
        return;
      case 'later':
        this.#run(this.disconnect());
        this.#moveTo(answer.state, answer.reason, this.#retryIn(answer.delayMs));
        return;
      case 'stop':
        this.#run(this.#giveUp(answer.state, answer.reason, answer.forgetsCredentials));
    }
  }

  #onLinkingFailed(close: Close, reason?: string): void {
    const answer = answerTo(close);
    if (close.isLinkingOver || this.#clock.now() >= this.#linkingUntil) {
      this.#run(this.#giveUp('new', NOT_SCANNED));
    } else if (answer.next === 'backoff' || answer.next === 'now') {
      this.#run(this.disconnect());
      this.#failures += 1;
      const retryAt = this.#retryIn(reconnectDelayMs(this.#failures, this.#options.random()));
      this.#moveTo('pairing', reason ?? answer.reason, retryAt);
    } else {
      this.#run(this.#giveUp('action_required', answer.reason));
    }
  }

  #backOff(reason: string): void {
    this.#run(this.disconnect());
    this.#failures += 1;
    const retryAt = this.#retryIn(reconnectDelayMs(this.#failures, this.#options.random()));
    this.#moveTo('reconnecting', reason, retryAt);
  }

  /** Plans a new attempt and returns its time, Unix ms. */
  #retryIn(delayMs: number): number {
    this.#retry?.cancel();
    this.#retry = this.#clock.setTimeout(() => this.#run(this.#connect()), delayMs);
    return this.#clock.now() + delayMs;
  }

  async #giveUp(state: SessionState, reason: string, forgetsCredentials = false): Promise<void> {
    const left = this.disconnect();
    const turn = this.#turn;
    await left;
    // What WhatsApp says to a process that was frozen is about a connection that another one has replaced.
    if (!(await this.#isOurs())) return;
    if (forgetsCredentials) await this.#auth.clear();
    if (turn === this.#turn) this.#moveTo(state, reason);
  }

  /** Ends the present connection, if there is one, and plans no other; the state stays. */
  async disconnect(): Promise<void> {
    await this.#leave()?.end();
  }

  /** Listens to the present connection no more, and returns it. */
  #leave(): Connection | undefined {
    this.#turn += 1;
    this.#retry?.cancel();
    const connection = this.#connection;
    this.#connection = undefined;
    this.#showCodes({});
    connection?.leave();
    if (connection?.isOpen) this.#options.onClosed(this);
    return connection;
  }

  /** Whether this process still drives the session; says so where it does not. */
  async #isOurs(): Promise<boolean> {
    const isOurs = await this.#options.isOurs();
    if (!isOurs) this.#lose();
    return isOurs;
  }

  #lose(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.#options.onLeaseLost();
  }

  #run(work: Promise<void>): void {
    work.catch((error: unknown) => this.#onFailed(error));
  }

  /** Whatever has failed, there is a next step. */
  #onFailed(error: unknown): void {
    if (error instanceof LeaseLostError) {
      this.#lose();
      return;
    }
    this.#options.log.error({ session: this.id, err: error }, 'a WhatsApp session failed; it is tried again');
    if (this.#isStopped) return;
    const reason = 'An error inside the server; its log tells more.';
    if (this.#auth.isLinked) this.#backOff(reason);
    else this.#onLinkingFailed({ code: undefined, isDeclared: false }, reason);
  }

  #moveTo(
    to: SessionState,
    reason: string | null,
    nextAttemptAt: number | null = null,
    { isByOperator = false } = {},
  ): void {
    const from = this.#stored.state;
    const isSame = this.#stored.reason === reason && this.#stored.nextAttemptAt === nextAttemptAt;
    if ((from === to && isSame) || this.#isStopped) return;
    this.#keep({ state: to, reason, nextAttemptAt }, [
      this.#event(eventOf(from, to), reason, nextAttemptAt, to),
    ]);
    // Somebody has to act on what neither the operator has done nor goes away by itself.
    const level = NEEDS_SOMEBODY.includes(to) && !isByOperator ? 'error' : 'info';
    this.#options.log[level]({ session: this.id, from, to, reason, nextAttemptAt }, 'WhatsApp session');
    this.#options.onState(this, { from, to, reason, nextAttemptAt });
  }

  #event(
    type: 'bot.connected' | 'bot.disconnected' | 'bot.logged_out' | 'bot.qr' | 'bot.state_changed',
    reason: string | null,
    nextAttemptAt: number | null,
    state: SessionState = this.state,
  ): WotpEvent {
    return { type, projectId: this.projectId, data: { sessionId: this.id, state, reason, nextAttemptAt } };
  }

  /** Changes what is stored: here at once, in the database in the order of the calls. */
  #keep(changes: SessionChanges, events: readonly WotpEvent[]): void {
    this.#stored = { ...this.#stored, ...changes };
    this.#kept = this.#kept
      .then(() => this.#options.keep(changes, events))
      .catch((error: unknown) => {
        if (error instanceof LeaseLostError) this.#lose();
        else
          this.#options.log.error({ session: this.id, err: error }, 'a change of a session was not recorded');
      });
  }
}

function heldElsewhere(phone: string, holder: string): string {
  return `The number ${phone} is linked in the session ${holder} already; two links of one number would send twice what it may.`;
}

function eventOf(from: SessionState, to: SessionState) {
  if (to === 'logged_out') return 'bot.logged_out';
  if (to === 'open' && from !== 'degraded') return 'bot.connected';
  const wasOpen = from === 'open' || from === 'degraded';
  return wasOpen && to !== 'open' && to !== 'degraded' ? 'bot.disconnected' : 'bot.state_changed';
}

/** The number of an address by number, in E.164. */
function phoneOf(jid: string | undefined): string | null {
  const user = jidDecode(jid)?.user;
  return user === undefined ? null : `+${user}`;
}
