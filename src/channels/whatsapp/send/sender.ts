import type { Clock, Timer } from '../../../lib/clock.ts';
import type { Logger } from '../../../lib/logger.ts';
import { SendError } from '../../../messages/channel.ts';
import type { PacingRules } from '../../../settings/settings.ts';
import type { Session, WhatsAppSocket } from '../link/session.ts';
import { type Addresses, addressBook } from './addresses.ts';
import type { Candidate } from './choice.ts';
import type { NumberDirectory } from './number-directory.ts';
import { allowanceOf, dayOf, type Pace, takeTurn, turnsWithin } from './pacing.ts';
import { type Delivery, SendQueue } from './send-queue.ts';
import { type Admission, type HealthReport, type SenderHealth, senderHealth } from './sender-health.ts';
import type { SenderRecord, SendingMemory } from './sending-memory.ts';
import { tokenNotes } from './token-notes.ts';

/** Messages one number may have in hand. */
const IN_HAND_MAX = 100;
/** Messages are taken from the outbox this long before their turn, in ms. */
const HORIZON_MS = 5_000;

export interface SenderOptions {
  session: Session;
  /** The rules of its project, as they are now. */
  pacing: () => PacingRules;
  directory: NumberDirectory | undefined;
  memory: SendingMemory;
  clock: Clock;
  log: Logger;
}

/**
 * One linked number as a sender: its pace, what it has sent today, its health, and the connection it has just now.
 * It outlives its connections.
 */
export class Sender {
  readonly session: Session;
  readonly #options: SenderOptions;
  #health: SenderHealth = senderHealth();
  /** The number that it is about; a session can be linked to another one. */
  #number: string | undefined;
  #day = 0;
  #sentToday = 0;
  #connection: { socket: WhatsAppSocket; queue: SendQueue; addresses: Addresses } | undefined;
  /** The socket it works over, or will in a moment. */
  #socket: WhatsAppSocket | undefined;
  readonly #watched = new WeakSet<WhatsAppSocket>();
  #wasOpen = true;
  #reopenedAt = 0;
  #inHand = 0;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.session = options.session;
  }

  /** Whether it has a connection that is trusted. */
  get isOpen(): boolean {
    return this.#connection !== undefined;
  }

  /** Messages that were given to it and are neither acknowledged nor given back. */
  get inHand(): number {
    return this.#inHand;
  }

  /** Messages it may still send today. */
  get leftToday(): number {
    return Math.max(0, this.#allowance().perDay - this.#sent() - this.inHand);
  }

  /** How many more messages it can take from the outbox now. */
  get room(): number {
    const connection = this.#connection;
    const now = this.#options.clock.now();
    if (!connection || connection.queue.restsUntil > now) return 0;
    const turns = turnsWithin(this.#pace(), this.#allowance(), now, HORIZON_MS);
    return Math.max(0, Math.min(IN_HAND_MAX - this.inHand, turns, this.leftToday));
  }

  /** Its health with the reasons, for operators. */
  get health(): HealthReport {
    return this.#health.report(this.#options.clock.now());
  }

  /** Reads what is known of the number from before a restart, then works over this connection, until `closed`. Safe to call twice. */
  async opened(socket: WhatsAppSocket): Promise<void> {
    if (this.#socket === socket) return;
    this.closed(new SendError('unavailable', 'WHATSAPP_LINK_LOST: a new connection has replaced this one.'));
    this.#socket = socket;
    const { memory, session, clock } = this.#options;
    const { number } = session;
    if (number !== undefined && number !== this.#number) {
      const kept = await memory.sender(number);
      this.#number = number;
      this.#day = kept?.day ?? dayOf(clock.now());
      this.#sentToday = kept?.sentToday ?? 0;
      this.#health = senderHealth(kept?.stopped);
    }
    // It may have closed again meanwhile.
    if (this.#socket !== socket) return;
    this.#work(socket);
    await this.#askForRestrictions(socket);
  }

  /** The connection is gone or no longer trusted. */
  closed(reason: SendError): void {
    this.#socket = undefined;
    this.#connection?.addresses.end(reason);
    this.#connection?.queue.end(reason);
    this.#connection = undefined;
  }

  /** This number as a choice for a message. `refusedAt`: when it was refused this very message (Unix ms). */
  candidate(lastWroteAt: number | undefined, refusedAt: number | undefined): Candidate {
    const now = this.#options.clock.now();
    const newChats = this.#admission(now);
    const health = () => this.health;
    return {
      sessionId: this.session.id,
      lastWroteAt,
      newChats,
      leftToday: this.leftToday,
      restsUntil: this.#connection?.queue.restsUntil ?? 0,
      isSilent: this.#connection?.queue.isSilent ?? false,
      // A chat that was refused is not tried again before a stop of new chats has ended.
      wasRefused: refusedAt !== undefined && newChats.open && this.#reopenedAt <= refusedAt,
      turnAt: takeTurn(this.#pace(), this.#allowance(), now, 0).at,
      inHand: this.inHand,
      // Looked at only where two numbers are equal in everything else.
      get score() {
        return health().score;
      },
    };
  }

  /**
   * Sends a message when its turn has come, and resolves at WhatsApp's acknowledgement. `wroteAt`: when this number
   * wrote to the recipient before (Unix ms).
   * @param isFollowUp belongs right behind a message that has just gone out: its turn is counted, but not waited for
   * @throws SendError
   */
  async send(
    delivery: Delivery,
    wroteAt: number | undefined,
    signal: AbortSignal,
    isFollowUp = false,
  ): Promise<void> {
    const { clock, memory, session } = this.#options;
    const connection = this.#connection;
    if (!connection)
      throw new SendError('unavailable', 'WHATSAPP_LINK_LOST: the connection to WhatsApp was lost.');
    this.#inHand += 1;
    try {
      const turn = takeTurn(this.#pace(), this.#allowance(), clock.now(), Math.random());
      memory.paces.set(this.#number!, turn.pace);
      // Devices and keys are asked for while the message waits; `send` asks again and hears of what fails.
      connection.addresses.of(delivery.to).catch(() => {});
      if (!isFollowUp) await waitUntil(turn.at, clock, signal);
      if (connection !== this.#connection) {
        throw new SendError('unavailable', 'WHATSAPP_LINK_LOST: the connection to WhatsApp was lost.');
      }
      await connection.queue.send(delivery, signal);
    } finally {
      this.#inHand -= 1;
    }
    this.#sentToday = this.#sent() + 1;
    memory.keepSent(
      { sessionId: session.id, number: this.#number!, phone: delivery.to, at: clock.now(), before: wroteAt },
      this.#record(),
    );
  }

  /** A receipt shows that WhatsApp has this message. */
  confirm(wireId: string): void {
    this.#connection?.queue.confirm(wireId);
  }

  /** A message of this number has reached its phone. */
  arrived(): void {
    this.#health.arrived();
  }

  #pace(): Pace {
    return this.#options.memory.paces.get(this.#number ?? '') ?? 0;
  }

  #work(socket: WhatsAppSocket): void {
    const { clock, directory, log } = this.#options;
    const addresses = addressBook({
      socket,
      directory,
      isSupplied: () => this.#connection?.queue.isSupplied ?? false,
      clock,
      log,
    });
    const queue = new SendQueue({
      socket,
      addresses,
      tokens: tokenNotes(socket, clock, log),
      clock,
      newChatWindow: () => this.#newChatWindow(),
      onOpeningChat: () => this.#health.openingChat(clock.now()),
      onAcknowledged: ({ isNewChat }, latencyMs) =>
        this.#health.acknowledged(latencyMs, isNewChat, clock.now()),
      onUnacknowledged: () => this.#health.unacknowledged(clock.now()),
      onNewChatRefused: () => this.#refused(),
    });
    this.#connection = { socket, queue, addresses };
    if (this.#watched.has(socket)) return;
    this.#watched.add(socket);
    socket.ev.on('connection.update', ({ reachoutTimeLock }) => {
      if (!reachoutTimeLock) return;
      const { isActive, timeEnforcementEnds, enforcementType } = reachoutTimeLock;
      const lock = isActive
        ? { endsAt: timeEnforcementEnds?.getTime(), type: enforcementType ?? 'DEFAULT' }
        : undefined;
      this.#health.declareLock(lock, clock.now());
      this.#connection?.queue.wake();
    });
    socket.ev.on('message-capping.update', (cap) => {
      this.#declareCap(cap);
      this.#connection?.queue.wake();
    });
  }

  async #askForRestrictions(socket: WhatsAppSocket): Promise<void> {
    try {
      await socket.fetchAccountReachoutTimelock();
      this.#declareCap(await socket.fetchNewChatMessageCap());
    } catch (error) {
      // Not every account is told; then only what is observed counts.
      this.#options.log.debug({ err: error }, 'WhatsApp did not report whether the number is restricted');
    }
  }

  #declareCap(cap: Awaited<ReturnType<WhatsAppSocket['fetchNewChatMessageCap']>>): void {
    const { capping_status: status = 'NONE', used_quota, total_quota, cycle_end_timestamp } = cap ?? {};
    const ends = Number(cycle_end_timestamp ?? 0);
    const cycleEndsAt = ends > 0 ? (ends < 1e12 ? ends * 1000 : ends) : undefined;
    this.#health.declareCap(
      { status, used: used_quota, quota: total_quota, cycleEndsAt },
      this.#options.clock.now(),
    );
  }

  #refused(): void {
    const { clock, log, memory, session } = this.#options;
    const hasStopped = this.#health.refused(clock.now());
    const { socket } = this.#connection ?? {};
    // Learns whether the account is locked, and until when, or only this chat was refused.
    if (socket) void this.#askForRestrictions(socket);
    if (!hasStopped) return;
    log.warn(
      { session: session.id },
      'WhatsApp refuses new chats from this number; it opens none for a while',
    );
    memory
      .keepSender({ sessionId: session.id, number: this.#number! }, this.#record())
      .catch((error: unknown) => log.error({ err: error }, 'stop of new chats not recorded'));
  }

  #newChatWindow(): number {
    const now = this.#options.clock.now();
    this.#admission(now);
    return this.#health.newChatWindow(now);
  }

  #admission(now: number): Admission {
    const admission = this.#health.admission(now);
    if (admission.open && !this.#wasOpen) this.#reopenedAt = now;
    this.#wasOpen = admission.open;
    return admission;
  }

  #allowance() {
    return allowanceOf(this.#options.pacing(), this.session.linkedAt, this.#options.clock.now());
  }

  #sent(): number {
    const today = dayOf(this.#options.clock.now());
    if (today !== this.#day) [this.#day, this.#sentToday] = [today, 0];
    return this.#sentToday;
  }

  #record(): SenderRecord {
    return { day: this.#day, sentToday: this.#sent(), stopped: this.#health.stopped };
  }
}

function waitUntil(at: number, clock: Clock, signal: AbortSignal): Promise<void> {
  const delayMs = at - clock.now();
  if (delayMs <= 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      timer.cancel();
      reject(signal.reason);
    };
    const timer: Timer = clock.setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    }, delayMs);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
