import type { Database } from '../../database/database.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { firstIdAt } from '../../lib/id.ts';
import {
  type Accepted,
  type Channel,
  type ChannelCapabilities,
  type ChannelName,
  type OutgoingMessage,
  type Readiness,
  type Receipt,
  type ReceiptListener,
  SendError,
} from '../../messages/channel.ts';
import type { SimulatorFaults } from './faults.ts';
import { virtualInbox } from './virtual-inbox.ts';

/** After a restart, receipts are repeated for what arrived within this time, in ms. */
const RECEIPTS_REPEATED_MS = 60 * 60 * 1000;
const RECEIPTS_REPEATED_MAX = 10_000;
/** So many of them are reported together; the next follow when these are on disk. */
const REPEATED_TOGETHER = 100;

/** The words of a channel that refuses. */
const DOWN = 'channel down';

export interface SimulatorOptions {
  database: Database;
  clock: Clock;
  faults: SimulatorFaults;
  /** From arrival to the delivery receipt, in ms. */
  deliveredMs: number;
  /** From arrival to the read receipt, in ms. */
  readMs: number;
}

/**
 * The virtual phone: a channel whose far end is a table. A message that comes twice under one id arrives once, as on
 * a real phone.
 */
export class Simulator implements Channel {
  readonly name = 'simulator';
  readonly reaches = 'phone';
  readonly capabilities: ChannelCapabilities = {
    receipts: 'read',
    concurrency: 100,
  };
  readonly #options: SimulatorOptions;
  readonly #inbox;
  readonly #timers = new Set<Timer>();
  #receipts: ReceiptListener | undefined;

  constructor(options: SimulatorOptions) {
    this.#options = options;
    this.#inbox = virtualInbox(options.database);
  }

  async start(receipts: ReceiptListener): Promise<void> {
    this.#receipts = receipts;
    const { database, clock, deliveredMs, readMs } = this.#options;
    const since = firstIdAt('msg', clock.now() - RECEIPTS_REPEATED_MS);
    const ids = await this.#inbox.idsSince(database.reader, since, RECEIPTS_REPEATED_MAX);
    this.#after(deliveredMs, () => void this.#repeatReceipts(ids, 'delivered'));
    this.#after(readMs, () => void this.#repeatReceipts(ids, 'read'));
  }

  async #repeatReceipts(ids: readonly string[], status: Receipt['status']): Promise<void> {
    for (let at = 0; at < ids.length && this.#receipts; at += REPEATED_TOGETHER) {
      const receipts = this.#receipts;
      const together = ids.slice(at, at + REPEATED_TOGETHER);
      // One that cannot be recorded is reported by whoever records it, and holds up no other.
      await Promise.allSettled(together.map((messageId) => receipts.onReceipt({ messageId, status })));
    }
  }

  async stop(): Promise<void> {
    this.#receipts = undefined;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  readiness(_projectId: number, plays: ChannelName = 'whatsapp'): Readiness {
    return this.#options.faults.ofAll(plays).refuse ? { state: 'offline', reason: DOWN } : { state: 'ready' };
  }

  async send(message: OutgoingMessage, signal: AbortSignal): Promise<Accepted> {
    const { id, projectId, to, plays = 'whatsapp' } = message;
    const { database, clock, faults } = this.#options;
    const fault = faults.of(to, plays);
    if (fault.delayMs > 0) await this.#wait(fault.delayMs, signal);
    if (faults.refusesForGood(to, plays)) throw new SendError('permanent', 'recipient refused');
    if (fault.refuse) throw new SendError('unavailable', DOWN);
    if (fault.notOnWhatsApp && plays === 'whatsapp')
      throw new SendError('permanent', 'PHONE_NOT_ON_WHATSAPP');
    if (fault.drop) return {};
    const row = { message_id: id, project_id: projectId, address: to, channel: plays, at: clock.now() };
    const isNew = await database.transaction((trx) => this.#inbox.insert(trx, row));
    if (isNew) this.#sendReceipts(id);
    return {};
  }

  #sendReceipts(messageId: string): void {
    const { deliveredMs, readMs } = this.#options;
    this.#after(deliveredMs, () => this.#receipts?.onReceipt({ messageId, status: 'delivered' }));
    this.#after(readMs, () => this.#receipts?.onReceipt({ messageId, status: 'read' }));
  }

  #after(delayMs: number, callback: () => void): void {
    const timer = this.#options.clock.setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, delayMs);
    this.#timers.add(timer);
  }

  #wait(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#options.clock.setTimeout(resolve, delayMs);
      signal.addEventListener('abort', () => {
        timer.cancel();
        reject(signal.reason);
      });
    });
  }
}
