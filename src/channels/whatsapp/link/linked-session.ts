import { ChannelError, ConflictError } from '../../../errors/errors.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { AuthStore } from './auth-store.ts';
import { ConnectionSupervisor, type ConnectionSupervisorOptions, DAMAGED } from './connection-supervisor.ts';
import { LeaseLostError } from './lease.ts';
import type { LinkingCode, SessionChanges, StoredSession } from './repository.ts';
import type { Session, SessionState, StateChange, WhatsAppSocket } from './session.ts';
import { SessionNumber } from './session-number.ts';
import { SessionRecord, type SessionRecordOptions } from './session-record.ts';

/** States that only a command changes. */
const RESTING: readonly SessionState[] = ['new', 'paused', 'logged_out', 'banned', 'action_required'];

/** True after a stop of the server, and after whoever was linking has given up. */
const INTERRUPTED = 'Linking was interrupted before a phone was linked. Start linking again.';

export interface LinkedSessionOptions extends SessionRecordOptions, ConnectionSupervisorOptions {
  onState: (session: LinkedSession, change: StateChange) => void;
  onOpen: (session: LinkedSession, socket: WhatsAppSocket) => void;
  onClosed: (session: LinkedSession) => void;
}

/** One WhatsApp number: linked, connected, and connected again. Here are the operator's commands for it. */
export class LinkedSession implements Session {
  readonly id: string;
  readonly projectId: StoredSession['projectId'];
  readonly #options: LinkedSessionOptions;
  readonly #clock: Clock;
  readonly #auth: AuthStore;
  readonly #record: SessionRecord;
  readonly #number: SessionNumber;
  readonly #supervisor: ConnectionSupervisor;

  constructor(options: LinkedSessionOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#auth = options.auth;
    this.id = options.stored.id;
    this.projectId = options.stored.projectId;
    this.#record = new SessionRecord(options, (change) => options.onState(this, change));
    this.#number = new SessionNumber(this.#record, this.#auth);
    this.#supervisor = new ConnectionSupervisor(options, this.#record, this.#number, {
      onOpen: (socket) => {
        options.onOpen(this, socket);
        this.checkPhone();
      },
      onClosed: () => options.onClosed(this),
    });
  }

  get number(): string | undefined {
    return this.#auth.isLinked ? (this.stored.phone ?? undefined) : undefined;
  }

  /** Whether there are credentials of a linked phone, though its number may not be used. */
  get isLinked(): boolean {
    return this.#auth.isLinked;
  }

  get state(): SessionState {
    return this.#record.state;
  }

  get linkedAt(): number | undefined {
    return this.stored.linkedAt ?? undefined;
  }

  get socket(): WhatsAppSocket | undefined {
    const { connection } = this.#supervisor;
    return connection?.isOpen ? connection.socket : undefined;
  }

  /** The session as it is stored. */
  get stored(): Readonly<StoredSession> {
    return this.#record.stored;
  }

  /** What the operator should know though the session works; null when there is nothing. */
  get warning(): string | null {
    return this.#auth.isLinked ? this.#record.unseenWarning : null;
  }

  /** Reads the credentials; comes before everything else. */
  async load(): Promise<void> {
    await this.#auth.open();
  }

  /** Goes on from where the session was when it was stored last; does not wait for WhatsApp. */
  start(): void {
    const { state, nextAttemptAt } = this.stored;
    this.#record.showCodes({});
    if (state === 'banned' && nextAttemptAt !== null) {
      this.#supervisor.retryIn(Math.max(0, nextAttemptAt - this.#clock.now()));
    } else if (!RESTING.includes(state)) {
      if (this.#auth.isDamaged) this.#record.moveTo('action_required', DAMAGED);
      else if (this.#auth.isLinked) {
        // Whatever it was when the last process ended, it is no more.
        this.#record.moveTo('connecting', null);
        this.#supervisor.begin();
      } else this.#record.moveTo('new', INTERRUPTED);
    }
  }

  /** Shows QR codes until one is scanned or time is over. A pairing code given before is worth nothing any more. */
  async link(): Promise<void> {
    if (this.#auth.isLinked) {
      throw new ConflictError('A phone is linked to this session already. Log it out to link another one.');
    }
    this.#number.expect(undefined);
    await this.#supervisor.link();
  }

  /**
   * Asks for a code that the person types into the phone with this number, in place of scanning.
   * @param digits the number with its country code, without +
   * @throws ConflictError when a phone is linked; ChannelError when WhatsApp cannot be reached
   */
  async requestPairingCode(digits: string): Promise<LinkingCode> {
    await this.link();
    this.#number.expect(`+${digits}`);
    const { connection } = this.#supervisor;
    const unreachable = 'WhatsApp could not be reached, so there is no pairing code. Try again in a minute.';
    if (!connection || !(await connection.isReadyToLink())) throw new ChannelError(unreachable);
    try {
      const pairingCode = await connection.requestPairingCode(digits);
      this.#record.showCodes({ ...this.stored.codes, pairingCode });
      return pairingCode;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#options.log.warn({ session: this.id, why }, 'pairing code not available');
      throw new ChannelError(unreachable);
    }
  }

  /**
   * Ends the connection and makes a new one; begins linking again when no phone is linked. Where another number was
   * linked than was expected, it goes on with that one.
   */
  async restart(): Promise<void> {
    this.#supervisor.forgetFailures();
    if (!this.#auth.isLinked) {
      await this.link();
      return;
    }
    this.#number.confirm();
    await this.#supervisor.reconnect();
  }

  /** Ends the connection until `resume`; the phone stays linked. */
  async pause(): Promise<void> {
    await this.disconnect();
    this.#record.moveTo('paused', 'Paused by the operator.');
  }

  /** Connects again after `pause`. */
  async resume(): Promise<void> {
    if (this.state !== 'paused') throw new ConflictError('This session is not paused.');
    if (this.#auth.isLinked) await this.restart();
    else this.#record.moveTo('new', null);
  }

  /** Removes this device from the phone and forgets its keys; says in the reason when the phone could not be told. */
  async logout(): Promise<void> {
    const wasLinked = this.#auth.isLinked;
    // From here on what the connection tells is its end, which nobody needs to hear of.
    const connection = this.#supervisor.leave();
    const isTold = await connection?.removeDevice();
    await connection?.socket.end(undefined).catch(() => {});
    await this.#auth.clear();
    const manually =
      isTold || !wasLinked ? '' : ' WhatsApp could not be notified: remove the device on the phone too.';
    const reason = `Logged out by the operator.${manually} Link a phone to use it again.`;
    this.#record.moveTo('logged_out', reason, null, { isByOperator: true });
    await this.kept();
  }

  /** Changes the name or the proxy. A new proxy is used from the next connection on. */
  async change(changes: Pick<SessionChanges, 'name' | 'proxy'>): Promise<void> {
    const given = Object.entries(changes).filter(([, value]) => value !== undefined);
    this.#record.change(Object.fromEntries(given));
    await this.kept();
  }

  /** Claims the number of credentials that are to be imported. Throws as `SessionNumber.claim`. */
  claim(jid: string | undefined): Promise<void> {
    return this.#number.claim(jid);
  }

  /** Goes on with the credentials that `auth.replace` has just stored. */
  async adopt(): Promise<void> {
    await this.#auth.open();
    this.#supervisor.forgetDevices();
    this.#record.linked();
    const problem = await this.#number.problem();
    if (problem !== undefined) this.#record.moveTo('action_required', problem);
    else this.#record.moveTo('reconnecting', 'Imported.');
    await this.kept();
  }

  /** Looks whether the phone was seen lately, and warns once a day when it was not. */
  checkPhone(): void {
    const { warning } = this;
    if (warning !== null) this.#record.warn(warning);
  }

  /** Ends the connection, if there is one, and plans no other; the state stays. */
  disconnect(): Promise<void> {
    return this.#supervisor.disconnect();
  }

  /**
   * Ends the connection for good; resolves when all is on disk.
   * @param isHandedOver whether another process drives the session by now, whose word on it counts
   */
  async stop({ isHandedOver = false } = {}): Promise<void> {
    await this.#supervisor.leave()?.end({ atOnce: isHandedOver });
    const isAlive = !RESTING.includes(this.state);
    if (isAlive && !isHandedOver) {
      if (this.#auth.isLinked) this.#record.moveTo('reconnecting', 'The server was stopped.');
      else this.#record.moveTo('new', INTERRUPTED);
    }
    this.#record.close();
    await this.#record.settled();
  }

  /** @throws LeaseLostError when another process drives the session */
  async checkLease(): Promise<void> {
    if (!(await this.#supervisor.isOurs())) throw new LeaseLostError();
  }

  /**
   * Resolves when all that has changed is on disk.
   * @throws LeaseLostError when it is not, because another process drives the session
   */
  kept(): Promise<void> {
    return this.#record.kept();
  }
}
