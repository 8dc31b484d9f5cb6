import type { Database } from '../../database/database.ts';
import type { Clock, Timer } from '../../lib/clock.ts';
import { firstIdAt } from '../../lib/id.ts';
import {
  type Channel,
  type ChannelCapabilities,
  type OutgoingMessage,
  type ReceiptListener,
  SendError,
} from '../channel.ts';
import type { SimulatorFaults } from './faults.ts';
import { arrivedRepository } from './repository.ts';

/** After a restart, receipts are repeated for what arrived within this time, in ms. */
const RECEIPTS_REPEATED_MS = 60 * 60 * 1000;
const RECEIPTS_REPEATED_MAX = 10_000;

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
  readonly capabilities: ChannelCapabilities = {
    deliveryReceipts: true,
    readReceipts: true,
    concurrency: 100,
  };
  readonly #options: SimulatorOptions;
  readonly #arrived;
  readonly #timers = new Set<Timer>();
  #receipts: ReceiptListener | undefined;

  constructor(options: SimulatorOptions) {
    this.#options = options;
    this.#arrived = arrivedRepository(options.database);
  }

  async start(receipts: ReceiptListener): Promise<void> {
    this.#receipts = receipts;
    const { database, clock } = this.#options;
    const since = firstIdAt('msg', clock.now() - RECEIPTS_REPEATED_MS);
    for (const row of await this.#arrived.since(database.reader, since, RECEIPTS_REPEATED_MAX)) {
      this.#sendReceipts(row.message_id);
    }
  }

  async stop(): Promise<void> {
    this.#receipts = undefined;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  async send({ id, projectId, to }: OutgoingMessage, signal: AbortSignal): Promise<void> {
    const { database, clock, faults } = this.#options;
    const fault = faults.of(to);
    if (fault.delayMs > 0) await this.#wait(fault.delayMs, signal);
    if (fault.refuse) throw new SendError('unavailable', 'channel down');
    if (fault.notOnWhatsApp) throw new SendError('permanent', 'PHONE_NOT_ON_WHATSAPP');
    if (fault.drop) return;
    const isNew = await database.transaction((trx) =>
      this.#arrived.insert(trx, { message_id: id, project_id: projectId, phone: to, at: clock.now() }),
    );
    if (isNew) this.#sendReceipts(id);
  }

  #sendReceipts(messageId: string): void {
    const { deliveredMs, readMs } = this.#options;
    this.#after(deliveredMs, () => this.#receipts?.onReceipt(messageId, 'delivered'));
    this.#after(readMs, () => this.#receipts?.onReceipt(messageId, 'read'));
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
