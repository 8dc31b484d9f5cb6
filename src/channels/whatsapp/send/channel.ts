import type { BinaryNode } from 'baileys';
import type { Troubles } from '../../../background/troubles.ts';
import type { Database } from '../../../database/database.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/logger.ts';
import {
  type Accepted,
  type Channel,
  type ChannelCapabilities,
  type OutgoingMessage,
  type Readiness,
  type ReceiptListener,
  SendError,
} from '../../../messages/channel.ts';
import type { Settings } from '../../../settings/settings.ts';
import { isOwn, numberOf } from '../jid.ts';
import type { Session, SessionState, Sessions, WhatsAppSocket } from '../link/session.ts';
import { NEW_CHAT_REFUSED, RefusedByWhatsApp } from './ack-error.ts';
import { chooseSession } from './choice.ts';
import { receiptsIn } from './delivery.ts';
import type { NumberDirectory } from './number-directory.ts';
import { restOfDayMs } from './pacing.ts';
import type { Recipients } from './recipients.ts';
import { Sender } from './sender.ts';
import type { HealthReport } from './sender-health.ts';
import { sendingMemory } from './sending-memory.ts';
import { codeWireIdOf, messageIdOf, messageIdOfCode, wireIdOf } from './wire-id.ts';

export interface WhatsAppOptions {
  sessions: Sessions;
  directory: NumberDirectory;
  recipients: Recipients;
  /** Whether WhatsApp is asked if a number is on it before the first message to it. */
  checkNumbers: boolean;
  settings: Settings;
  /** The code of a message while it lives, to be sent as a message of its own; undefined: no such message is sent. */
  codeOf?: ((messageId: string) => Promise<string | undefined>) | undefined;
  database: Database;
  clock: Clock;
  log: Logger;
  troubles: Troubles;
}

/** A linked number as a sender, for operators. */
export interface SenderView {
  health: HealthReport;
  leftToday: number;
  inHand: number;
}

/** A message that no number can take is looked at again no later than this, in ms; another number may be linked. */
const ASK_AGAIN_MAX_MS = 30_000;
const ASK_AGAIN_MIN_MS = 2_000;
/** Messages that are taken from the outbox at once while the process is busy: their recipients are prepared together. */
const PORTION = 50;
/** A bare code that has not gone out after this time comes too late to be of use, in ms. */
const CODE_MAX_MS = 10_000;
/** What may fail again and again, by its name in the log. */
const TAKE_RECEIPT = 'taking a receipt';
/** Numbers that are tried for one message before it goes back to the queue. */
const TRIES_MAX = 5;
/** Messages that were refused are remembered, by number, so that it does not try them again. */
const REFUSED_MAX = 10_000;

/** Messages of a session in such a state go out in a moment. */
const COMING: ReadonlySet<SessionState> = new Set(['open', 'connecting', 'reconnecting', 'degraded']);
const DAILY_CAP = 'WHATSAPP_DAILY_CAP: every connected number has sent what it may send today.';

/** The linked WhatsApp numbers as one channel. */
export class WhatsAppChannel implements Channel {
  readonly name = 'whatsapp';
  readonly reaches = 'phone';
  readonly hasOwnLinks = true;
  readonly capabilities: ChannelCapabilities;
  readonly #options: WhatsAppOptions;
  readonly #memory;
  readonly #senders = new Map<string, Sender>();
  /** By message, when each number was refused it (Unix ms). */
  readonly #refused = new Map<string, Map<string, number>>();
  readonly #heard = new WeakSet<WhatsAppSocket>();
  #receipts: ReceiptListener | undefined;
  /** Receipts that came before there was anybody to take them. */
  #early: (() => void)[] = [];
  #inHand = 0;
  #isStopped = false;

  constructor(options: WhatsAppOptions) {
    this.#options = options;
    const { sessions, database, clock, troubles } = options;
    this.#memory = sendingMemory(database, clock, troubles, (trx, id) => sessions.holds(trx, id));
    const channel = this;
    this.capabilities = {
      receipts: 'read',
      portion: PORTION,
      get concurrency() {
        return channel.#inHand + channel.#room();
      },
    };
    sessions.on('open', (session, socket) => this.#opened(session, socket));
    sessions.on('closed', (session) => this.#closed(session));
    sessions.on('state', (session, { to }) => {
      // A socket that answers nothing is still there, but its messages move to another number until it does again.
      if (to !== 'open') this.#closed(session);
      else if (session.socket) this.#opened(session, session.socket);
    });
  }

  async start(receipts: ReceiptListener): Promise<void> {
    this.#receipts = receipts;
    await this.#options.directory.load();
    for (const tell of this.#early.splice(0)) tell();
    for (const session of this.#options.sessions.all()) {
      if (session.state === 'open' && session.socket) this.#opened(session, session.socket);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#receipts = undefined;
    for (const sender of this.#senders.values())
      sender.closed(new SendError('unavailable', 'server stopping'));
    await this.#memory.flush();
  }

  get waitReason(): string | undefined {
    const open = [...this.#senders.values()].filter((sender) => sender.isOpen);
    const { sessions, database } = this.#options;
    if (open.length === 0) {
      // In the first moment after a start the numbers are not known yet.
      if (!sessions.isReady) return undefined;
      // Where several processes share the work, one without numbers has nothing to say of the others' messages.
      if (!database.isExclusive && sessions.all().length === 0) return undefined;
      return notConnected(sessions.all());
    }
    if (this.#inHand > 0 || this.#room() > 0) return undefined;
    if (open.every((sender) => sender.leftToday === 0)) {
      return DAILY_CAP;
    }
    return 'WHATSAPP_PACED: the connected numbers send no faster than they may.';
  }

  /** What a linked number does as a sender; undefined when it was never connected since the start. */
  sender(sessionId: string): SenderView | undefined {
    const sender = this.#senders.get(sessionId);
    return sender && { health: sender.health, leftToday: sender.leftToday, inHand: sender.inHand };
  }

  readiness(projectId: number): Readiness {
    const senders = [...this.#senders.values()].filter(
      (sender) => sender.session.projectId === projectId && sender.isOpen,
    );
    if (senders.length === 0) {
      const sessions = this.#sessionsOf(projectId);
      const isComing = sessions.some(({ state }) => COMING.has(state)) || !this.#options.sessions.isReady;
      return { state: isComing ? 'waiting' : 'offline', reason: notConnected(sessions) };
    }
    return senders.every((sender) => sender.leftToday === 0)
      ? { state: 'waiting', reason: DAILY_CAP }
      : { state: 'ready' };
  }

  refuses(to: string): string | undefined {
    return this.#options.directory.isAbsent(to) ? 'PHONE_NOT_ON_WHATSAPP' : undefined;
  }

  async send(message: OutgoingMessage, signal: AbortSignal): Promise<Accepted> {
    this.#inHand += 1;
    try {
      await this.#send(message, signal);
      this.#refused.delete(message.id);
      return {};
    } finally {
      this.#inHand -= 1;
    }
  }

  async #send({ id, projectId, to, text }: OutgoingMessage, signal: AbortSignal): Promise<void> {
    this.#options.recipients.note(id, to);
    const wireId = wireIdOf(id);
    for (let tries = 1; ; tries++) {
      const chats = await this.#memory.chatsWith(to);
      // Nothing is awaited from the choice to the moment the number has the message, so that the next one sees it.
      const { sender, isNewChat } = this.#choose(id, projectId, chats);
      try {
        const delivery = { wireId, to, text: async () => text, isNewChat };
        await sender.send(delivery, chats.get(sender.session.id), signal);
        this.#options.directory.isProvenPresent(to);
        void this.#sendCode(sender, id, to);
        return;
      } catch (error) {
        if (error instanceof RefusedByWhatsApp && error.code === NEW_CHAT_REFUSED) {
          this.#noteRefusal(id, sender.session.id);
        }
        // One that says when to ask again would come to the same number.
        const mayGoElsewhere =
          error instanceof SendError && error.failure === 'unavailable' && error.retryAfterMs === undefined;
        if (!mayGoElsewhere || signal.aborted || this.#isStopped || tries === TRIES_MAX) throw error;
      }
    }
  }

  /**
   * Sends the bare code of a message that WhatsApp has taken, under an id of its own that is the same at every try. The
   * message itself is sent, whatever becomes of this: it is tried once, and never rejects.
   */
  async #sendCode(sender: Sender, id: string, to: string): Promise<void> {
    const { codeOf, clock, log } = this.#options;
    if (!codeOf || sender.leftToday === 0) return;
    const abort = new AbortController();
    const timer = clock.setTimeout(() => abort.abort(new SendError('temporary', 'too late')), CODE_MAX_MS);
    const delivery = { wireId: codeWireIdOf(id), to, text: () => codeOf(id), isNewChat: false };
    try {
      await sender.send(delivery, clock.now(), abort.signal, true);
    } catch (error) {
      const why = error instanceof SendError ? { reason: error.message } : { err: error };
      log.info({ ...why, messageId: id }, 'bare code not sent after its message');
    } finally {
      timer.cancel();
    }
  }

  /** The number that takes a message. `chats`: when each number wrote to its recipient. Throws SendError. */
  #choose(
    id: string,
    projectId: number,
    chats: ReadonlyMap<string, number>,
  ): { sender: Sender; isNewChat: boolean } {
    const now = this.#options.clock.now();
    const refused = this.#refused.get(id);
    const senders = [...this.#senders.values()].filter(
      (sender) => sender.session.projectId === projectId && sender.isOpen,
    );
    const candidates = senders.map((sender) =>
      sender.candidate(chats.get(sender.session.id), refused?.get(sender.session.id)),
    );
    const choice = chooseSession(candidates, now, restOfDayMs(now));
    if ('sessionId' in choice) {
      return { sender: this.#senders.get(choice.sessionId)!, isNewChat: choice.isNewChat };
    }
    const reason = senders.length === 0 ? notConnected(this.#sessionsOf(projectId)) : choice.reason;
    const retryAfterMs = Math.min(ASK_AGAIN_MAX_MS, Math.max(ASK_AGAIN_MIN_MS, choice.askAgainAt - now));
    throw new SendError('unavailable', reason, undefined, retryAfterMs);
  }

  #noteRefusal(messageId: string, sessionId: string): void {
    const refused = this.#refused.get(messageId) ?? new Map<string, number>();
    refused.set(sessionId, this.#options.clock.now());
    this.#refused.set(messageId, refused);
    if (this.#refused.size > REFUSED_MAX) this.#refused.delete(this.#refused.keys().next().value!);
  }

  #room(): number {
    let room = 0;
    for (const sender of this.#senders.values()) room += sender.room;
    return room;
  }

  #sessionsOf(projectId: number): Session[] {
    return this.#options.sessions.all().filter((session) => session.projectId === projectId);
  }

  #senderOf(session: Session): Sender {
    const known = this.#senders.get(session.id);
    if (known?.session === session) return known;
    const { settings, checkNumbers, directory, clock, log } = this.#options;
    const sender = new Sender({
      session,
      pacing: () => settings.of(session.projectId).pacing,
      directory: checkNumbers ? directory : undefined,
      memory: this.#memory,
      clock,
      log,
    });
    this.#senders.set(session.id, sender);
    return sender;
  }

  #opened(session: Session, socket: WhatsAppSocket): void {
    if (this.#isStopped) return;
    const sender = this.#senderOf(session);
    if (!this.#heard.has(socket)) {
      this.#heard.add(socket);
      socket.ws.on('CB:receipt', (node: BinaryNode) => {
        const { troubles } = this.#options;
        this.#received(sender, socket, node).then(
          () => troubles.succeeded(TAKE_RECEIPT),
          (error: unknown) => troubles.failed(TAKE_RECEIPT, error, { fields: { session: session.id } }),
        );
      });
    }
    sender.opened(socket).catch((error: unknown) => {
      this.#options.log.error({ err: error, session: session.id }, 'connected number cannot send');
    });
  }

  #closed(session: Session): void {
    const reason = new SendError('unavailable', 'WHATSAPP_LINK_LOST: the connection to WhatsApp was lost.');
    this.#senders.get(session.id)?.closed(reason);
  }

  async #received(sender: Sender, socket: WhatsAppSocket, node: BinaryNode): Promise<void> {
    const from = node.attrs.from ?? '';
    for (const { wireId, receipt } of receiptsIn(node)) {
      const messageId = messageIdOf(wireId);
      const ofThis = messageId ?? messageIdOfCode(wireId);
      if (ofThis === undefined || this.#isStopped) continue;
      // Anybody can send a receipt for any id: only the own phone's for its copy count, and the recipient's.
      const isOfCopy = receipt === 'sent' && isOwn(socket, from);
      if (!isOfCopy && !(await this.#isFromRecipient(socket, from, ofThis))) continue;
      sender.confirm(wireId);
      // What became of a bare code says nothing of the message it belongs to.
      if (!messageId || receipt === 'sent') continue;
      if (receipt === 'delivered') sender.arrived();
      // A receipt that came in one go with the acknowledgement is told after it.
      const tell = () => this.#receipts?.onReceipt({ messageId, status: receipt });
      if (this.#receipts) setImmediate(tell);
      else this.#early.push(tell);
    }
  }

  async #isFromRecipient(socket: WhatsAppSocket, from: string, messageId: string): Promise<boolean> {
    const number = await numberOf(socket, from);
    if (number === undefined || !(await this.#options.recipients.isTo(messageId, number))) return false;
    this.#options.directory.isProvenPresent(number);
    return true;
  }
}

/** Why no number is connected, by what helps: to wait, or to link one. */
function notConnected(sessions: readonly Session[]): string {
  const states = new Set(sessions.map(({ state }) => state));
  const say = (sentence: string) => `WHATSAPP_NOT_CONNECTED: ${sentence}`;
  if ([...COMING].some((state) => states.has(state))) {
    return say('the connection to WhatsApp is interrupted; it reconnects automatically.');
  }
  if (states.has('paused')) return say('the linked number is paused.');
  if (states.has('action_required')) return say('WhatsApp asks for a step on the linked phone.');
  if (states.has('banned')) return say('WhatsApp has banned the linked number; link another one.');
  if (states.has('logged_out')) return say('the linked number was logged out; link it again.');
  return say('no number is linked.');
}
