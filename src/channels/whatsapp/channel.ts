import type { BinaryNode } from 'baileys';
import type { Database } from '../../database/database.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/logger.ts';
import type { Troubles } from '../../lib/troubles.ts';
import {
  type Channel,
  type ChannelCapabilities,
  type OutgoingMessage,
  type ReceiptListener,
  SendError,
} from '../channel.ts';
import { NEW_CHAT_REFUSED, RefusedByWhatsApp } from './ack-error.ts';
import { chooseSession } from './choice.ts';
import { receiptsIn } from './delivery.ts';
import { isOwn, numberOf } from './jid.ts';
import { Line } from './line.ts';
import type { NumberDirectory } from './number-directory.ts';
import { type PacingRules, restOfDayMs } from './pacing.ts';
import type { Recipients } from './recipients.ts';
import type { HealthReport } from './sender-health.ts';
import { sendingMemory } from './sending-memory.ts';
import type { Session, SessionState, Sessions, WhatsAppSocket } from './session.ts';
import { codeWireIdOf, messageIdOf, messageIdOfCode, wireIdOf } from './wire-id.ts';

export interface WhatsAppOptions {
  sessions: Sessions;
  directory: NumberDirectory;
  recipients: Recipients;
  /** Whether WhatsApp is asked if a number is on it before the first message to it. */
  checkNumbers: boolean;
  pacing: PacingRules;
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

/** The linked WhatsApp numbers as one channel. */
export class WhatsAppChannel implements Channel {
  readonly name = 'whatsapp';
  readonly capabilities: ChannelCapabilities;
  readonly #options: WhatsAppOptions;
  readonly #memory;
  readonly #lines = new Map<string, Line>();
  /** By message, when each number was refused it (Unix ms). */
  readonly #refused = new Map<string, Map<string, number>>();
  readonly #heard = new WeakSet<WhatsAppSocket>();
  #receipts: ReceiptListener | undefined;
  #inHand = 0;
  #isStopped = false;

  constructor(options: WhatsAppOptions) {
    this.#options = options;
    const { sessions, database, clock, troubles } = options;
    this.#memory = sendingMemory(database, clock, troubles, (trx, id) => sessions.holds(trx, id));
    const channel = this;
    this.capabilities = {
      deliveryReceipts: true,
      readReceipts: true,
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
    for (const session of this.#options.sessions.all()) {
      if (session.state === 'open' && session.socket) this.#opened(session, session.socket);
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#receipts = undefined;
    for (const line of this.#lines.values()) line.closed(new SendError('unavailable', 'server stopping'));
    await this.#memory.flush();
  }

  get waitReason(): string | undefined {
    const open = [...this.#lines.values()].filter((line) => line.isOpen);
    const { sessions, database } = this.#options;
    if (open.length === 0) {
      // In the first moment after a start the numbers are not known yet.
      if (!sessions.isReady) return undefined;
      // Where several processes share the work, one without numbers has nothing to say of the others' messages.
      if (!database.isExclusive && sessions.all().length === 0) return undefined;
      return notConnected(sessions.all());
    }
    if (this.#inHand > 0 || this.#room() > 0) return undefined;
    if (open.every((line) => line.leftToday === 0)) {
      return 'WHATSAPP_DAILY_CAP: every connected number has sent what it may send today.';
    }
    return 'WHATSAPP_PACED: the connected numbers send no faster than they may.';
  }

  /** What a linked number does as a sender; undefined when it was never connected since the start. */
  sender(sessionId: string): SenderView | undefined {
    const line = this.#lines.get(sessionId);
    return line && { health: line.health, leftToday: line.leftToday, inHand: line.inHand };
  }

  async send(message: OutgoingMessage, signal: AbortSignal): Promise<void> {
    this.#inHand += 1;
    try {
      await this.#send(message, signal);
      this.#refused.delete(message.id);
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
      const { line, isNewChat } = this.#choose(id, projectId, chats);
      try {
        const delivery = { wireId, to, text: async () => text, isNewChat };
        await line.send(delivery, chats.get(line.session.id), signal);
        this.#options.directory.isProvenPresent(to);
        void this.#sendCode(line, id, to);
        return;
      } catch (error) {
        if (error instanceof RefusedByWhatsApp && error.code === NEW_CHAT_REFUSED) {
          this.#noteRefusal(id, line.session.id);
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
  async #sendCode(line: Line, id: string, to: string): Promise<void> {
    const { codeOf, clock, log } = this.#options;
    if (!codeOf || line.leftToday === 0) return;
    const abort = new AbortController();
    const timer = clock.setTimeout(() => abort.abort(new SendError('temporary', 'too late')), CODE_MAX_MS);
    const delivery = { wireId: codeWireIdOf(id), to, text: () => codeOf(id), isNewChat: false };
    try {
      await line.send(delivery, clock.now(), abort.signal, true);
    } catch (error) {
      const why = error instanceof SendError ? { reason: error.message } : { err: error };
      log.info({ ...why, messageId: id }, 'the bare code was not sent after its message');
    } finally {
      timer.cancel();
    }
  }

  /** The number that takes a message. `chats`: when each number wrote to its recipient. Throws SendError. */
  #choose(
    id: string,
    projectId: string,
    chats: ReadonlyMap<string, number>,
  ): { line: Line; isNewChat: boolean } {
    const now = this.#options.clock.now();
    const refused = this.#refused.get(id);
    const lines = [...this.#lines.values()].filter(
      (line) => line.session.projectId === projectId && line.isOpen,
    );
    const candidates = lines.map((line) =>
      line.candidate(chats.get(line.session.id), refused?.get(line.session.id)),
    );
    const choice = chooseSession(candidates, now, restOfDayMs(now));
    if ('sessionId' in choice) {
      return { line: this.#lines.get(choice.sessionId)!, isNewChat: choice.isNewChat };
    }
    const reason = lines.length === 0 ? notConnected(this.#sessionsOf(projectId)) : choice.reason;
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
    for (const line of this.#lines.values()) room += line.room;
    return room;
  }

  #sessionsOf(projectId: string): Session[] {
    return this.#options.sessions.all().filter((session) => session.projectId === projectId);
  }

  #lineOf(session: Session): Line {
    const known = this.#lines.get(session.id);
    if (known?.session === session) return known;
    const { pacing, checkNumbers, directory, clock, log } = this.#options;
    const line = new Line({
      session,
      pacing,
      directory: checkNumbers ? directory : undefined,
      memory: this.#memory,
      clock,
      log,
    });
    this.#lines.set(session.id, line);
    return line;
  }

  #opened(session: Session, socket: WhatsAppSocket): void {
    if (this.#isStopped) return;
    const line = this.#lineOf(session);
    if (!this.#heard.has(socket)) {
      this.#heard.add(socket);
      socket.ws.on('CB:receipt', (node: BinaryNode) => {
        const { troubles } = this.#options;
        this.#received(line, socket, node).then(
          () => troubles.succeeded(TAKE_RECEIPT),
          (error: unknown) => troubles.failed(TAKE_RECEIPT, error, { fields: { session: session.id } }),
        );
      });
    }
    line.opened(socket).catch((error: unknown) => {
      this.#options.log.error({ err: error, session: session.id }, 'a connected number cannot send');
    });
  }

  #closed(session: Session): void {
    const reason = new SendError('unavailable', 'WHATSAPP_LINK_LOST: the connection to WhatsApp was lost.');
    this.#lines.get(session.id)?.closed(reason);
  }

  async #received(line: Line, socket: WhatsAppSocket, node: BinaryNode): Promise<void> {
    const from = node.attrs.from ?? '';
    for (const { wireId, receipt } of receiptsIn(node)) {
      const messageId = messageIdOf(wireId);
      const ofThis = messageId ?? messageIdOfCode(wireId);
      if (ofThis === undefined || this.#isStopped) continue;
      // Anybody can send a receipt for any id: only the own phone's for its copy count, and the recipient's.
      const isOfCopy = receipt === 'sent' && isOwn(socket, from);
      if (!isOfCopy && !(await this.#isFromRecipient(socket, from, ofThis))) continue;
      line.confirm(wireId);
      // What became of a bare code says nothing of the message it belongs to.
      if (!messageId || receipt === 'sent') continue;
      if (receipt === 'delivered') line.arrived();
      // A receipt that came in one go with the acknowledgement is told after it.
      setImmediate(() => this.#receipts?.onReceipt(messageId, receipt));
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
  if (['open', 'connecting', 'reconnecting', 'degraded'].some((state) => states.has(state as SessionState))) {
    return say('the connection to WhatsApp is interrupted; it comes back by itself.');
  }
  if (states.has('paused')) return say('the linked number is paused.');
  if (states.has('action_required')) return say('WhatsApp asks for a step on the linked phone.');
  if (states.has('banned')) return say('WhatsApp has banned the linked number; link another one.');
  if (states.has('logged_out')) return say('the linked number was logged out; link it again.');
  return say('no number is linked.');
}
