import type { Database, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import type { Clock } from '../lib/clock.ts';
import type { ChannelName, Receipt } from './channel.ts';
import { type EarlyReceipt, earlyReceipts } from './early-receipts.ts';
import type { MessageOwner } from './owner.ts';
import type { MessageRepository } from './repository.ts';

/** A receipt and the channel that it came from. */
export type ChannelReceipt = Receipt & { channel: ChannelName };

/** Writes down what channels learnt of messages after they were sent. */
export function receiptRecorder(deps: {
  database: Database;
  keyring: Keyring;
  clock: Clock;
  repository: MessageRepository;
  ownerOf: (ownerId: string) => MessageOwner | undefined;
  /** A text from outside without the code of the message that it is about. */
  withoutCode: (trx: Transaction, id: string, text: string) => Promise<string>;
  /** Enters a state if it may be entered; tells whether it was. */
  enter: (
    trx: Transaction,
    id: string,
    status: 'sent' | 'delivered' | 'read' | 'failed',
    reason: string | null,
  ) => Promise<boolean>;
}) {
  const { database, clock, repository, ownerOf, withoutCode, enter } = deps;
  const early = earlyReceipts(deps);

  /** Writes one receipt; false when no message has its name yet. */
  async function write(trx: Transaction, receipt: ChannelReceipt): Promise<boolean> {
    const { channel, status, reason: said, messageId: named, providerId } = receipt;
    const id = named ?? (await repository.idOfProvider(trx, providerId!));
    if (id === undefined) return false;
    const [message] = await repository.states(trx, [id]);
    // Whoever may report for one channel says nothing of the messages of others.
    if (!message || message.channel !== channel) return true;
    const { project_id: projectId, owner_id: ownerId } = message;
    const owner = ownerOf(ownerId);
    const reason = said === undefined ? null : await withoutCode(trx, id, said);
    if (status === 'disowned') {
      await owner?.lock?.(trx, ownerId);
      await enter(trx, id, 'read', null);
      await owner?.disowned?.(trx, ownerId);
      return true;
    }
    if (status !== 'failed') {
      if (status !== 'sent') await owner?.arrives?.(trx, ownerId);
      await enter(trx, id, status, reason);
      return true;
    }
    await owner?.lock?.(trx, ownerId);
    if (await enter(trx, id, 'failed', reason)) {
      await owner?.failed?.(trx, { id, projectId, ownerId }, reason ?? 'failed');
    }
    return true;
  }

  /** Runs work on receipts in one transaction, but alone for each one that locks its owner, which others may hold. */
  async function each<R>(
    entries: readonly R[],
    receiptOf: (entry: R) => ChannelReceipt,
    work: (trx: Transaction, entry: R) => Promise<void>,
  ): Promise<void> {
    const together = (some: readonly R[]) =>
      database.transaction(async (trx) => {
        for (const entry of some) await work(trx, entry);
      });
    const locks = (entry: R) => ['failed', 'disowned'].includes(receiptOf(entry).status);
    const others = entries.filter((entry) => !locks(entry));
    if (others.length > 0) await together(others);
    for (const entry of entries.filter(locks)) await together([entry]);
  }

  return {
    /**
     * Receipts came, in this order. Late, doubled and unknown ones change nothing; one under a provider's name that no
     * message has yet is kept for a minute, as it may come before the answer that gives the name.
     */
    record(receipts: readonly ChannelReceipt[]): Promise<void> {
      return each(
        receipts,
        (receipt) => receipt,
        async (trx, receipt) => {
          if (!(await write(trx, receipt))) await early.keep(trx, receipt as EarlyReceipt, clock.now());
        },
      );
    },

    /** Writes the receipts that came before their message had its name, where it has one now. */
    async recordEarly(): Promise<void> {
      await each(
        await early.ready(clock.now()),
        ({ receipt }) => receipt,
        async (trx, { seq, receipt }) => {
          await write(trx, receipt);
          await early.remove(trx, seq);
        },
      );
      await early.tidy(clock.now());
    },
  };
}
