import type { Agent } from 'node:https';
import type { WAVersion } from 'baileys';
import type { Clock, Timer } from '../../../lib/clock.ts';
import { HOUR_MS, MINUTE_MS } from '../../../lib/duration.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { AuthStore } from './auth-store.ts';
import { reconnectDelayMs } from './backoff.ts';
import { lastingCache } from './cache.ts';
import { answerTo, BAD_FOR_GOOD, type Close, isBadForGood, OUTDATED } from './close-reason.ts';
import { Connection } from './connection.ts';
import { type Lease, LeaseLostError } from './lease.ts';
import type { MessageText, SessionState, WhatsAppSocket } from './session.ts';
import type { SessionNumber } from './session-number.ts';
import type { SessionRecord } from './session-record.ts';
import type { WebVersion } from './web-version.ts';

/** How often in a row WhatsApp may ask for a restart before the restarts are spaced out. */
const RESTARTS_MAX = 3;
/** How long one attempt at linking lasts, whatever the network does meanwhile, in ms. */
const LINKING_MAX_MS = 5 * MINUTE_MS;
const DEVICES_TTL_MS = 5 * MINUTE_MS;
const RETRIES_TTL_MS = HOUR_MS;
const CACHED_MAX = 10_000;

/** The stored credentials of a session are damaged. */
export const DAMAGED =
  'The stored credentials of this session cannot be read. Log it out, and link the phone again.';
const NOT_SCANNED =
  'The QR code was not scanned, or the pairing code not typed, in time. Start linking again. If the phone showed an error or asked for a passkey, see docs/WHATSAPP.md.';
const PASSKEY =
  'WhatsApp asks this account for a passkey to link a device, which only its own apps can answer. Try again in a day, use another number, or use the Cloud API.';
const UNANSWERED = 'The connection is open, but WhatsApp does not answer.';
const VERSION_RENEWED =
  'WhatsApp no longer accepts the protocol version of this server; the current one of WhatsApp Web is tried next.';

export interface ConnectionSupervisorOptions {
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
}

/** What a session hears of its connection. */
export interface ConnectionEvents {
  onOpen: (socket: WhatsAppSocket) => void;
  /** An open connection has ended, or counts no more. */
  onClosed: () => void;
}

/** The connection of one session: makes it, and makes it again for as long and as often as makes sense. */
export class ConnectionSupervisor {
  readonly #options: ConnectionSupervisorOptions;
  readonly #record: SessionRecord;
  readonly #number: SessionNumber;
  readonly #events: ConnectionEvents;
  readonly #clock: Clock;
  readonly #auth: AuthStore;
  readonly #retries;
  readonly #devices;
  #connection: Connection | undefined;
  #retry: Timer | undefined;
  #failures = 0;
  #restarts = 0;
  #badSessions: number[] = [];
  #linkingUntil = 0;
  /** Counts commands and attempts, so that what was begun before the newest one ends without effect. */
  #turn = 0;

  constructor(
    options: ConnectionSupervisorOptions,
    record: SessionRecord,
    number: SessionNumber,
    events: ConnectionEvents,
  ) {
    this.#options = options;
    this.#record = record;
    this.#number = number;
    this.#events = events;
    this.#clock = options.clock;
    this.#auth = options.auth;
    this.#retries = lastingCache(this.#clock, RETRIES_TTL_MS, CACHED_MAX);
    this.#devices = lastingCache(this.#clock, DEVICES_TTL_MS, CACHED_MAX);
  }

  /** The present connection; undefined while there is none. */
  get connection(): Connection | undefined {
    return this.#connection;
  }

  /** Connects, and tries again when that fails; does not wait for WhatsApp. */
  begin(): void {
    this.#run(this.#connect());
  }

  /** Connects to link a phone, for as long as one attempt lasts. Rejects as `reconnect`. */
  async link(): Promise<void> {
    this.#linkingUntil = this.#clock.now() + LINKING_MAX_MS;
    this.#failures = 0;
    await this.reconnect();
  }

  /** Forgets how often connecting has failed. */
  forgetFailures(): void {
    this.#failures = 0;
    this.#restarts = 0;
    this.#badSessions = [];
  }

  /** Ends the present connection and makes a new one. When that fails, the next attempt is planned, and it rejects. */
  async reconnect(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      this.#onFailed(error);
      throw error;
    }
  }

  /** Plans a new attempt and returns its time, Unix ms. */
  retryIn(delayMs: number): number {
    this.#retry?.cancel();
    this.#retry = this.#clock.setTimeout(() => this.begin(), delayMs);
    return this.#clock.now() + delayMs;
  }

  /** Ends the present connection, if there is one, and plans no other; the state stays. */
  async disconnect(): Promise<void> {
    await this.leave()?.end();
  }

  /** Listens to the present connection no more, plans no other, and returns it. */
  leave(): Connection | undefined {
    this.#turn += 1;
    this.#retry?.cancel();
    const connection = this.#connection;
    this.#connection = undefined;
    this.#record.showCodes({});
    connection?.leave();
    if (connection?.isOpen) this.#events.onClosed();
    return connection;
  }

  /** Forgets the devices that are remembered: those of other credentials have no keys any more. */
  forgetDevices(): void {
    this.#devices.flushAll();
  }

  /** Whether this process still drives the session; says so where it does not. */
  async isOurs(): Promise<boolean> {
    const isOurs = await this.#options.isOurs();
    if (!isOurs) this.#record.lose();
    return isOurs;
  }

  async #connect(): Promise<void> {
    const left = this.disconnect();
    const turn = this.#turn;
    await left;
    if (turn !== this.#turn || this.#record.isClosed) return;
    // A process that was frozen would throw the one out that drives the session now.
    if (!(await this.isOurs())) return;
    // What is on disk counts: the same as after a crash. Credentials that no phone has accepted are made again.
    await this.#auth.open();
    if (turn !== this.#turn) return;
    if (this.#auth.isDamaged) {
      this.#record.moveTo('action_required', DAMAGED);
      return;
    }
    const problem = this.#auth.isLinked ? await this.#number.problem() : undefined;
    if (turn !== this.#turn) return;
    if (problem !== undefined) {
      this.#record.moveTo('action_required', problem);
      return;
    }
    this.#record.moveTo(this.#auth.isLinked ? 'connecting' : 'pairing', null);
    this.#connection = this.#open();
  }

  #open(): Connection {
    const record = this.#record;
    const { log, lease, url, version, agentFor, messageText } = this.#options;
    const { id, proxy } = record.stored;
    const connection: Connection = new Connection(
      {
        sessionId: id,
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
          record.showCodes({ ...record.stored.codes, qr });
          if (isFirst) record.firstQrShown();
        },
        onLinked: () => {
          record.showCodes({});
          this.forgetDevices();
          record.linked();
        },
        onPasskeyAsked: () => this.#run(this.#giveUp('action_required', PASSKEY)),
        onOpen: () => {
          record.moveTo('open', null);
          this.#events.onOpen(connection.socket);
        },
        onStable: () => {
          this.#failures = 0;
          this.#restarts = 0;
        },
        onProbed: (isAnswered) =>
          isAnswered ? record.moveTo('open', null) : record.moveTo('degraded', UNANSWERED),
        onPhoneSeen: () => record.phoneSeen(),
        onClosed: (close, reason) => this.#onClosed(connection, close, reason),
      },
    );
    return connection;
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
    if (turn !== this.#turn || this.#record.isClosed) return;
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
        else this.begin();
        return;
      case 'backoff':
        this.#backOff(reason ?? answer.reason);
        return;
      case 'later':
        this.#run(this.disconnect());
        this.#record.moveTo(answer.state, answer.reason, this.retryIn(answer.delayMs));
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
      this.#backOff(reason ?? answer.reason, 'pairing');
    } else {
      this.#run(this.#giveUp('action_required', answer.reason));
    }
  }

  #backOff(reason: string, state: 'reconnecting' | 'pairing' = 'reconnecting'): void {
    this.#run(this.disconnect());
    this.#failures += 1;
    const retryAt = this.retryIn(reconnectDelayMs(this.#failures, this.#options.random()));
    this.#record.moveTo(state, reason, retryAt);
  }

  async #giveUp(state: SessionState, reason: string, forgetsCredentials = false): Promise<void> {
    const left = this.disconnect();
    const turn = this.#turn;
    await left;
    // What WhatsApp says to a process that was frozen is about a connection that another one has replaced.
    if (!(await this.isOurs())) return;
    if (forgetsCredentials) await this.#auth.clear();
    if (turn === this.#turn) this.#record.moveTo(state, reason);
  }

  #run(work: Promise<void>): void {
    work.catch((error: unknown) => this.#onFailed(error));
  }

  /** Whatever has failed, there is a next step. */
  #onFailed(error: unknown): void {
    const record = this.#record;
    if (error instanceof LeaseLostError) {
      record.lose();
      return;
    }
    const session = record.stored.id;
    this.#options.log.error({ session, err: error }, 'WhatsApp session failed; trying again');
    if (record.isClosed) return;
    const reason = 'Internal error. See the log of the server.';
    if (this.#auth.isLinked) this.#backOff(reason);
    else this.#onLinkingFailed({ code: undefined, isDeclared: false }, reason);
  }
}
