import type { Clock, Timer } from '../../../lib/clock.ts';
import { MINUTE_MS } from '../../../lib/duration.ts';
import { SendError } from '../../../messages/channel.ts';
import type { WhatsAppSocket } from '../link/session.ts';
import {
  NEW_CHAT_REFUSED,
  type RefusedByWhatsApp,
  refusalOf,
  STANZA_REFUSED,
  TOO_MANY,
} from './ack-error.ts';
import type { Addresses } from './addresses.ts';
import type { TokenNotes } from './token-notes.ts';

/** One message for one number. */
export interface Delivery {
  /** Every try of a message has the same one. */
  wireId: string;
  /** E.164. */
  to: string;
  /** Asked for at the moment the message leaves; undefined when it shall not leave any more. */
  text: () => Promise<string | undefined>;
  isNewChat: boolean;
}

/** What a queue asks its sender while it works. */
export interface SendQueueOptions {
  socket: WhatsAppSocket;
  addresses: Addresses;
  tokens: TokenNotes;
  clock: Clock;
  /** How many new chats may wait for their acknowledgement at once; 0 while none may be opened. */
  newChatWindow: () => number;
  /** A message that opens a new chat leaves now. */
  onOpeningChat: () => void;
  /** WhatsApp has acknowledged a message, so long after it left, in ms. */
  onAcknowledged: (delivery: Delivery, latencyMs: number) => void;
  /** A message was not acknowledged in time. */
  onUnacknowledged: () => void;
  /** WhatsApp has refused to open a chat. */
  onNewChatRefused: () => void;
}

/** How long the client may take to hand a message to its connection, queries included, in ms. */
const HAND_OVER_MS = 12_000;
/** How long WhatsApp may take to acknowledge; then the message leaves once more under the same id. In ms. */
const ACK_MS = 8_000;
/** A new chat that was given up without an answer may still be refused, and keeps its place this long, in ms. */
const LATE_ANSWER_MS = 30_000;
/** A new chat whose turn has not come by then, because others are not answered, goes back; less than a try may take, in ms. */
const NEW_CHAT_WAIT_MS = 15_000;
const NEW_CHAT_RETRY_MS = 2_000;
/** After WhatsApp said "too much", nothing leaves for this long, in ms. */
const REST_MS = MINUTE_MS;
/** With no more than these left to send, the next are prepared, however few they are. */
const FEW_READY = 5;
/** Unacknowledged messages in a row after which the connection counts as silent. */
const SILENT_AFTER = 2;

interface Job {
  delivery: Delivery;
  address: string;
  resolve: () => void;
  reject: (reason: unknown) => void;
  isSettled: boolean;
  /** Times it has left. */
  sends: number;
  sentAt: number;
  timer: Timer | undefined;
}

/**
 * Sends over one open connection, and knows a message as sent only when WhatsApp has acknowledged it: the client's
 * own promise resolves as soon as the bytes are in a buffer of this machine. Messages leave one after another, as
 * the client would force them to anyway, but the acknowledgement of one is not waited for before the next.
 */
export class SendQueue {
  readonly #options: SendQueueOptions;
  readonly #jobs = new Map<string, Job>();
  #ready: Job[] = [];
  /** The ids of new chats that WhatsApp has not answered yet; with a timer where nobody waits for it any more. */
  readonly #newChatsOut = new Map<string, Timer | undefined>();
  #isSending = false;
  #unacknowledged = 0;
  #restsUntil = 0;
  #restTimer: Timer | undefined;
  #ended: SendError | undefined;

  constructor(options: SendQueueOptions) {
    this.#options = options;
    options.socket.ws.on('CB:ack,class:message', this.#onAck);
  }

  /** Whether the latest messages stayed without any answer. */
  get isSilent(): boolean {
    return this.#unacknowledged >= SILENT_AFTER;
  }

  /** Until when WhatsApp has asked for a rest (Unix ms); in the past when it has not. */
  get restsUntil(): number {
    return this.#restsUntil;
  }

  /**
   * Sends a message and resolves at WhatsApp's acknowledgement.
   * @throws SendError
   */
  async send(delivery: Delivery, signal: AbortSignal): Promise<void> {
    const { to, wireId } = delivery;
    const address = await this.#options.addresses.of(to);
    if (this.#ended) throw this.#ended;
    if (signal.aborted) throw signal.reason;
    if (this.#jobs.has(wireId)) throw new SendError('unavailable', 'an earlier attempt is still running');
    await new Promise<void>((resolve, reject) => {
      const job: Job = {
        delivery,
        address,
        resolve,
        reject,
        isSettled: false,
        sends: 0,
        sentAt: 0,
        timer: undefined,
      };
      this.#jobs.set(wireId, job);
      this.#ready.push(job);
      if (delivery.isNewChat) {
        job.timer = this.#options.clock.setTimeout(() => this.#requeue(job), NEW_CHAT_WAIT_MS);
      }
      signal.addEventListener('abort', () => this.#settle(job, signal.reason), { once: true });
      this.#sendReady();
    });
  }

  #requeue(job: Job): void {
    const reason = 'WHATSAPP_NEW_CHATS_BUSY: WhatsApp is slow to answer the new chats of this number.';
    this.#settle(job, new SendError('unavailable', reason, undefined, NEW_CHAT_RETRY_MS));
  }

  /** A message is known to have reached WhatsApp by other means than its acknowledgement, such as a receipt. */
  confirm(wireId: string): void {
    const job = this.#jobs.get(wireId);
    if (job && job.sends > 0) this.#acknowledge(job);
  }

  /** Looks again whether a message that waits may leave. */
  wake(): void {
    this.#sendReady();
  }

  /** The connection is gone or no longer trusted: everything in hand fails with this reason. Safe to call twice. */
  end(reason: SendError): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#restTimer?.cancel();
    this.#options.socket.ws.off('CB:ack,class:message', this.#onAck);
    for (const job of [...this.#jobs.values()]) this.#settle(job, reason);
    for (const timer of this.#newChatsOut.values()) timer?.cancel();
  }

  readonly #onAck = ({ attrs }: { attrs: Record<string, string> }): void => {
    const id = attrs.id ?? '';
    const job = this.#jobs.get(id);
    if (job && job.sends > 0) {
      if (attrs.error === undefined) this.#acknowledge(job);
      else this.#refuse(job, refusalOf(attrs.error));
    } else if (this.#newChatsOut.has(id)) {
      if (attrs.error === NEW_CHAT_REFUSED) this.#options.onNewChatRefused();
      this.#answered(id);
      this.#sendReady();
    }
  };

  /** WhatsApp has answered a new chat, or is not expected to any more. */
  #answered(wireId: string): void {
    this.#newChatsOut.get(wireId)?.cancel();
    this.#newChatsOut.delete(wireId);
  }

  #acknowledge(job: Job): void {
    this.#unacknowledged = 0;
    this.#answered(job.delivery.wireId);
    this.#options.tokens.given(job.address);
    this.#options.onAcknowledged(job.delivery, this.#options.clock.now() - job.sentAt);
    this.#settle(job);
  }

  #refuse(job: Job, refusal: RefusedByWhatsApp): void {
    this.#unacknowledged = 0;
    this.#answered(job.delivery.wireId);
    if (refusal.code === NEW_CHAT_REFUSED) this.#options.onNewChatRefused();
    if (refusal.code === STANZA_REFUSED) this.#options.addresses.forget(job.delivery.to);
    if (refusal.code === TOO_MANY) this.#rest();
    this.#settle(job, refusal);
  }

  #rest(): void {
    const { clock } = this.#options;
    this.#restsUntil = clock.now() + REST_MS;
    this.#restTimer?.cancel();
    this.#restTimer = clock.setTimeout(() => this.#sendReady(), REST_MS);
  }

  #settle(job: Job, failure?: unknown): void {
    if (job.isSettled) return;
    job.isSettled = true;
    job.timer?.cancel();
    const { wireId } = job.delivery;
    this.#jobs.delete(wireId);
    if (this.#newChatsOut.has(wireId)) {
      const { clock } = this.#options;
      const timer = clock.setTimeout(() => {
        this.#answered(wireId);
        this.#sendReady();
      }, LATE_ANSWER_MS);
      this.#newChatsOut.set(wireId, timer);
    }
    if (failure === undefined) job.resolve();
    else job.reject(failure);
    this.#sendReady();
  }

  /** The next message that may leave: known chats go on while new ones have to wait. */
  #next(): Job | undefined {
    const mayOpen = this.#options.newChatWindow() > this.#newChatsOut.size;
    const at = this.#ready.findIndex(
      ({ delivery: { isNewChat, wireId } }) => mayOpen || !isNewChat || this.#newChatsOut.has(wireId),
    );
    return at === -1 ? undefined : this.#ready.splice(at, 1)[0];
  }

  /** Whether more is ready than will have left before others could be prepared. */
  get isSupplied(): boolean {
    return this.#ready.length > FEW_READY;
  }

  #sendReady(): void {
    this.#options.addresses.hurry();
    if (this.#isSending || this.#ended || this.#restsUntil > this.#options.clock.now()) return;
    this.#ready = this.#ready.filter(({ isSettled }) => !isSettled);
    if (this.#ready.length === 0) return;
    if (this.#options.newChatWindow() === 0) this.#handBackNewChats();
    const job = this.#next();
    if (!job) return;
    this.#isSending = true;
    void this.#transmit(job).finally(() => {
      this.#isSending = false;
      this.#sendReady();
    });
  }

  /** No new chat may be opened any more: those that have not left yet go to another number, or back to the queue. */
  #handBackNewChats(): void {
    const stopped = this.#ready.filter(({ delivery }) => delivery.isNewChat);
    if (stopped.length === 0) return;
    this.#ready = this.#ready.filter(({ delivery }) => !delivery.isNewChat);
    const reason = new SendError('unavailable', 'new chats from this number were stopped');
    for (const job of stopped) this.#settle(job, reason);
  }

  /** Hands a message to the client. Never rejects: whatever happens becomes the outcome of the message. */
  async #transmit(job: Job): Promise<void> {
    const { socket, clock } = this.#options;
    const { wireId, isNewChat } = job.delivery;
    const text = await job.delivery.text().catch((error: unknown) => {
      this.#settle(job, error);
      return undefined;
    });
    if (text === undefined) this.#settle(job, new SendError('permanent', 'its code has ended'));
    if (text === undefined || job.isSettled) return;
    if (job.sends === 0 && isNewChat) {
      this.#answered(wireId);
      this.#newChatsOut.set(wireId, undefined);
      this.#options.onOpeningChat();
    }
    job.timer?.cancel();
    job.sends += 1;
    job.sentAt = clock.now();
    let timer: Timer | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = clock.setTimeout(
        () =>
          reject(
            new SendError('temporary', 'WHATSAPP_SLOW: the client could not hand the message over in time.'),
          ),
        HAND_OVER_MS,
      );
    });
    try {
      const sending = socket.sendMessage(job.address, { text, linkPreview: null }, { messageId: wireId });
      await Promise.race([sending, late]);
    } catch (error) {
      this.#failed(job, error);
      return;
    } finally {
      timer?.cancel();
    }
    if (job.isSettled) return;
    job.timer = clock.setTimeout(() => this.#unanswered(job), ACK_MS);
  }

  #unanswered(job: Job): void {
    this.#unacknowledged += 1;
    this.#options.onUnacknowledged();
    if (job.sends < 2) {
      this.#ready.unshift(job);
      this.#sendReady();
      return;
    }
    const reason = 'WHATSAPP_NO_ACK: WhatsApp did not acknowledge the message, though it was sent twice.';
    this.#settle(job, new SendError('temporary', reason));
  }

  #failed(job: Job, error: unknown): void {
    if (error instanceof SendError) {
      this.#unacknowledged += 1;
      this.#options.onUnacknowledged();
      this.#settle(job, error);
      return;
    }
    const code = String((error as { data?: unknown })?.data ?? '');
    if (code === TOO_MANY) {
      this.#refuse(job, refusalOf(TOO_MANY));
      return;
    }
    // Whatever else the client rejects with while a connection breaks: an error 428, a bare number, a closed stream.
    if (this.#isGone(error)) {
      this.#settle(
        job,
        new SendError('unavailable', 'WHATSAPP_LINK_LOST: the connection to WhatsApp was lost.', error),
      );
      return;
    }
    // The client keeps nothing of a message it could not encrypt; the next try asks for the keys again.
    this.#options.addresses.forget(job.delivery.to);
    this.#settle(
      job,
      new SendError(
        'temporary',
        'WHATSAPP_CLIENT_FAILED: the message could not be prepared for WhatsApp.',
        error,
      ),
    );
  }

  #isGone(error: unknown): boolean {
    if (typeof error === 'number' || !this.#options.socket.ws.isOpen) return true;
    const status = (error as { output?: { statusCode?: number } })?.output?.statusCode;
    return status === 428 || status === 408;
  }
}
