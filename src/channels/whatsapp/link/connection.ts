import { type ConnectionState, jidDecode, type WAVersion } from 'baileys';
import { WotpError } from '../../../errors/errors.ts';
import type { Clock, Timer } from '../../../lib/clock.ts';
import { MINUTE_MS } from '../../../lib/duration.ts';
import type { Logger } from '../../../lib/logger.ts';
import type { AuthStore } from './auth-store.ts';
import { baileysLog } from './baileys-log.ts';
import { type Close, readClose } from './close-reason.ts';
import { FrameTooLongError } from './frame-work.ts';
import type { Lease } from './lease.ts';
import { listening } from './library-scope.ts';
import { guardOutput, type OutputGate } from './output-gate.ts';
import type { LinkingCode } from './repository.ts';
import { type OpenedSocket, openSocket, type SocketOptions } from './socket.ts';

/** A connection that is not open after this time will not open any more, in ms. */
const OPEN_MAX_MS = 45_000;
/** From one question whether WhatsApp still answers to the next, and how long the answer may take, in ms. */
const PROBE_EVERY_MS = 20_000;
const PROBE_MAX_MS = 15_000;
/** Questions without an answer after which the connection is given up. */
const PROBES_MISSED_MAX = 2;
/** After this time a connection counts as a good one, in ms. */
const STABLE_MS = MINUTE_MS;
/** How long WhatsApp lets the first QR code and each further one live, and all of them together, in ms. */
const FIRST_QR_MS = MINUTE_MS;
const NEXT_QR_MS = 20_000;
const ALL_QR_MS = 160_000;

const KEYS_LOST = 'The database did not keep the keys of this connection.';
const LIBRARY_FAILED = 'The WhatsApp library failed on data that WhatsApp sent. See the log.';
const TOO_LONG = 'WhatsApp sent more data at once than is allowed.';
const LEASE_UNSURE = 'This node could no longer be sure that no other node drives this session.';

export interface ConnectionOptions extends Omit<SocketOptions, 'log'> {
  sessionId: string;
  /** While it is not sure, nothing goes out. */
  lease: Pick<Lease, 'isSure'>;
  clock: Clock;
  log: Logger;
}

/** What a connection tells, in the order in which it happens, and nothing any more after `leave` or `closed`. */
export interface ConnectionListener {
  /** There is a new QR code to scan; `isFirst` of this connection. */
  onQr(code: LinkingCode, isFirst: boolean): void;
  /** A phone has been linked; WhatsApp ends the connection next. */
  onLinked(): void;
  /** WhatsApp wants a passkey, so that nothing comes of the linking. */
  onPasskeyAsked(): void;
  onOpen(): void;
  /** It has been open for a minute. */
  onStable(): void;
  /** Whether WhatsApp has answered a question on the open connection. */
  onProbed(isAnswered: boolean): void;
  /** The phone itself, and not another device of the account, has sent something. */
  onPhoneSeen(): void;
  /** It is over; `reason` in plain words where the code does not say it. */
  onClosed(close: Close, reason?: string): void;
}

/** One connection to WhatsApp, from its making to its end; another one is never made of it. */
export class Connection {
  readonly socket: OpenedSocket;
  /** The version it was made with; undefined: the library's. */
  readonly version: WAVersion | undefined;
  readonly #auth: AuthStore;
  readonly #clock: Clock;
  readonly #gate: OutputGate;
  readonly #listener: ConnectionListener;
  readonly #timers = new Set<Timer>();
  #watchdog: Timer | undefined;
  #isOpen = false;
  #isOver = false;
  #qrsShown = 0;
  #probesMissed = 0;
  #readyToLink: ((isReady: boolean) => void)[] = [];

  constructor(options: ConnectionOptions, listener: ConnectionListener) {
    const { sessionId, log } = options;
    this.#auth = options.auth;
    this.#clock = options.clock;
    this.#listener = listener;
    this.version = options.version;
    this.socket = openSocket(
      { ...options, log: baileysLog(log, sessionId, () => this.#isOver) },
      { failed: (error) => this.#onFailed(error, options) },
    );
    const onLost = (error: unknown) => {
      if (error) log.error({ session: sessionId, err: error }, KEYS_LOST);
      this.#close({ code: undefined, isDeclared: false }, error ? KEYS_LOST : LEASE_UNSURE);
    };
    this.#gate = guardOutput(this.socket.wire, this.#auth, options.lease, listening(onLost));
    this.#watch();
    this.#listen();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Resolves to true at the first QR code, from which on a phone can be linked; to false when it ends before. */
  async isReadyToLink(): Promise<boolean> {
    if (this.#qrsShown > 0) return true;
    if (this.#isOver) return false;
    return new Promise((resolve) => {
      this.#readyToLink.push(resolve);
    });
  }

  /** A code to type into the phone with this number (digits), in place of scanning. */
  async requestPairingCode(digits: string): Promise<LinkingCode> {
    const text = await this.socket.requestPairingCode(digits);
    return { text, expiresAt: this.#clock.now() + ALL_QR_MS };
  }

  /** Removes this device from the account; resolves to whether WhatsApp is known to have done it. */
  async removeDevice(): Promise<boolean> {
    return this.#isOpen && within(this.#clock, PROBE_MAX_MS, tellLogout(this.socket));
  }

  /** Tells nothing any more; the socket stays as it is until `end`. */
  leave(): void {
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
    for (const tell of this.#readyToLink.splice(0)) tell(false);
  }

  /** Ends it, once what was held back has gone out unless it is to end at once. */
  async end({ atOnce = false } = {}): Promise<void> {
    this.leave();
    if (!atOnce) await this.#gate.empty();
    // Not awaited: a peer that is gone would let it take half a minute.
    this.socket.end(undefined).catch(() => {});
    setImmediate(() => this.socket.wire.terminate());
  }

  #listen(): void {
    const { ev, ws } = this.socket;
    const untilOver =
      <T extends unknown[]>(listener: (...args: T) => void) =>
      (...args: T) => {
        if (!this.#isOver) listener(...args);
      };
    ev.on(
      'creds.update',
      untilOver(() => this.#auth.saveCreds()),
    );
    ev.on(
      'connection.update',
      untilOver((update) => this.#onUpdate(update)),
    );
    // Without a listener of its own this would leave Baileys connecting for ever.
    ws.on(
      'unexpected-response',
      untilOver((_request: unknown, response: { statusCode?: number }) => {
        const reason = `The address answered with HTTP ${response.statusCode} in place of WhatsApp.`;
        this.#close({ code: response.statusCode, isDeclared: false }, reason);
      }),
    );
    ws.on(
      'CB:notification,type:passkey_prologue_request',
      untilOver(() => this.#listener.onPasskeyAsked()),
    );
    for (const stanza of ['CB:receipt', 'CB:message']) {
      ws.on(
        stanza,
        untilOver(({ attrs }: { attrs: { from?: string } }) => this.#onStanzaFrom(attrs.from)),
      );
    }
  }

  #onUpdate(update: Partial<ConnectionState>): void {
    if (update.qr !== undefined) this.#onQr(update.qr);
    if (update.isNewLogin) {
      this.#watch();
      this.#auth.saveCreds();
      this.#listener.onLinked();
    }
    if (update.connection === 'open') this.#onOpen();
    if (update.connection === 'close') this.#close(readClose(update.lastDisconnect?.error));
  }

  /** It has to be open, or show a QR code, within a time. */
  #watch(): void {
    this.#watchdog?.cancel();
    this.#watchdog = this.#after(OPEN_MAX_MS, () => this.#close({ code: 408, isDeclared: false }));
  }

  /** Does something later, unless it is over by then. */
  #after(delayMs: number, work: () => void): Timer {
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, delayMs);
    this.#timers.add(timer);
    return timer;
  }

  #onQr(text: string): void {
    this.#watchdog?.cancel();
    const isFirst = this.#qrsShown === 0;
    this.#qrsShown += 1;
    const expiresAt = this.#clock.now() + (isFirst ? FIRST_QR_MS : NEXT_QR_MS);
    this.#listener.onQr({ text, expiresAt }, isFirst);
    for (const tell of this.#readyToLink.splice(0)) tell(true);
  }

  #onOpen(): void {
    this.#watchdog?.cancel();
    this.#isOpen = true;
    this.#listener.onOpen();
    this.#after(STABLE_MS, () => this.#listener.onStable());
    this.#probeLater();
  }

  #probeLater(): void {
    this.#after(PROBE_EVERY_MS, () => {
      const question = this.socket.query({
        tag: 'iq',
        attrs: { to: '@s.whatsapp.net', type: 'get', xmlns: 'w:p' },
        content: [{ tag: 'ping', attrs: {} }],
      });
      // Baileys answers nothing, too, when the time it has for it is over.
      const answer = question.then((stanza) => {
        if (stanza === undefined) throw new Error('no answer');
      });
      within(this.#clock, PROBE_MAX_MS, answer).then((isAnswered) => {
        if (!this.#isOver) this.#onProbed(isAnswered);
      });
    });
  }

  #onProbed(isAnswered: boolean): void {
    this.#probesMissed = isAnswered ? 0 : this.#probesMissed + 1;
    if (this.#probesMissed >= PROBES_MISSED_MAX) {
      const reason = 'The connection was open, but WhatsApp did not answer.';
      this.#close({ code: 408, isDeclared: false }, reason);
      return;
    }
    this.#listener.onProbed(isAnswered);
    this.#probeLater();
  }

  #onStanzaFrom(from: string | undefined): void {
    const sender = jidDecode(from);
    const { me } = this.#auth.creds;
    if (!sender || sender.device) return;
    const own = [me?.id, me?.lid].map((jid) => jidDecode(jid)?.user);
    if (own.includes(sender.user)) this.#listener.onPhoneSeen();
  }

  /** Something in the library's code has failed, and nobody in it has caught it. */
  #onFailed(error: unknown, { log, sessionId }: ConnectionOptions): void {
    // That a question was not answered, or the connection is closed, is seen by other means.
    if (this.#isOver || !(error instanceof Error) || 'isBoom' in error || error instanceof WotpError) {
      log.debug({ session: sessionId, err: error }, 'unhandled promise rejection in the WhatsApp library');
      return;
    }
    const isTooLong = error instanceof FrameTooLongError;
    if (isTooLong) log.warn({ session: sessionId }, TOO_LONG);
    else log.error({ session: sessionId, err: error }, LIBRARY_FAILED);
    this.#close({ code: undefined, isDeclared: false }, isTooLong ? TOO_LONG : LIBRARY_FAILED);
  }

  #close(close: Close, reason?: string): void {
    if (!this.#isOver) this.#listener.onClosed(close, reason);
  }
}

/** Removes this device from the account; resolves when WhatsApp has answered, or ended the connection because of it. */
function tellLogout(socket: OpenedSocket): Promise<unknown> {
  // Baileys' own logout closes the connection without waiting for either.
  const answered = socket.query({
    tag: 'iq',
    attrs: { to: '@s.whatsapp.net', type: 'set', xmlns: 'md' },
    content: [{ tag: 'remove-companion-device', attrs: { jid: socket.user!.id, reason: 'user_initiated' } }],
  });
  const ended = new Promise<void>((resolve) => {
    socket.ev.on('connection.update', ({ connection }) => {
      if (connection === 'close') resolve();
    });
  });
  return Promise.race([answered, ended]);
}

/** Whether the work succeeds within a time. */
function within(clock: Clock, limitMs: number, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.setTimeout(() => resolve(false), limitMs);
    work.then(
      () => resolve(true),
      () => resolve(false),
    );
    work.catch(() => {}).finally(() => timer.cancel());
  });
}
