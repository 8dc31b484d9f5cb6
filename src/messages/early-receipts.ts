import type { Database, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import { seal } from '../lib/seal.ts';
import type { ChannelName, Receipt } from './channel.ts';

/** How long a receipt is kept for a name that no message has yet, in ms. */
const KEPT_MS = 60_000;
/** Of more than these the oldest are dropped: another program may send under the same account. */
const KEPT_MAX = 10_000;
/** So many are taken up at once. */
const PORTION = 500;

/** A receipt under the provider's name, with the channel that it came from. */
export type EarlyReceipt = Receipt & { providerId: string; channel: ChannelName };

/** A receipt that is kept, under its number. */
export interface KeptReceipt {
  seq: number;
  receipt: EarlyReceipt;
}

/**
 * Receipts under a provider's name that no message has yet. They are on disk before the provider is told that they arrived,
 * and any node may find the message later.
 */
export function earlyReceipts({ database, keyring }: { database: Database; keyring: Keyring }) {
  type Row = {
    channel: string;
    providerId: string;
    status: string;
    reason: Buffer | null;
    keyVersion: number;
    expiresAt: number;
  };
  const insert = database.prepareChange<Row>((db, value) =>
    db.insertInto('early_receipts').values({
      channel: value('channel'),
      provider_id: value('providerId'),
      status: value('status'),
      reason: value('reason'),
      key_version: value('keyVersion'),
      expires_at: value('expiresAt'),
    }),
  );
  const remove = database.prepareChange<{ seq: number }>((db, value) =>
    db.deleteFrom('early_receipts').where('seq', '=', value('seq')),
  );
  // Where no other process writes, nothing is looked for until something was kept.
  let mayBeAny = true;
  let kept = 0;

  return {
    /** Keeps a receipt for a minute. `now` in Unix ms. */
    async keep(trx: Transaction, { channel, providerId, status, reason }: EarlyReceipt, now: number) {
      await insert(trx, {
        channel,
        providerId,
        status,
        reason: reason === undefined ? null : seal(keyring.key('message-text'), reason, providerId),
        keyVersion: keyring.version,
        expiresAt: now + KEPT_MS,
      });
      database.afterCommit(trx, () => {
        mayBeAny = true;
        kept += 1;
      });
    },

    /** Those whose message has its name by now, in the order in which they came; a portion of them. */
    async ready(now: number): Promise<KeptReceipt[]> {
      if (!mayBeAny) return [];
      const rows = await database.reader
        .selectFrom('early_receipts')
        .selectAll('early_receipts')
        .where('expires_at', '>', now)
        .where(({ exists, selectFrom }) =>
          exists(
            selectFrom('messages')
              .select('messages.id')
              .whereRef('messages.provider_id', '=', 'early_receipts.provider_id'),
          ),
        )
        .orderBy('seq')
        .limit(PORTION)
        .execute();
      return rows.map(({ seq, channel, provider_id, status, reason: value, key_version: version }) => {
        const reason =
          value === null ? undefined : keyring.open('message-text', { value, version, context: provider_id });
        const receipt = {
          channel: channel as ChannelName,
          providerId: provider_id,
          status: status as Receipt['status'],
          ...(reason !== undefined && { reason }),
        };
        return { seq, receipt };
      });
    },

    /** Deletes one that was written. */
    async remove(trx: Transaction, seq: number): Promise<void> {
      await remove(trx, { seq });
    },

    /** Deletes those that are kept no longer. */
    async tidy(now: number): Promise<void> {
      if (!mayBeAny) return;
      const before = kept;
      const { reader } = database;
      const ends = await reader
        .selectFrom('early_receipts')
        .select(({ fn }) => [
          fn.max('seq').as('newest'),
          fn.min('seq').as('oldest'),
          fn.min('expires_at').as('endsAt'),
        ])
        .executeTakeFirstOrThrow();
      if (ends.newest === null) {
        mayBeAny = !database.isExclusive || kept !== before;
        return;
      }
      const [newest, oldest, endsAt] = [ends.newest, ends.oldest, ends.endsAt].map(Number) as [
        number,
        number,
        number,
      ];
      if (endsAt > now && newest - oldest < KEPT_MAX) return;
      await database.transaction(async (trx) => {
        await trx
          .deleteFrom('early_receipts')
          .where((eb) => eb.or([eb('expires_at', '<=', now), eb('seq', '<=', newest - KEPT_MAX)]))
          .execute();
      });
    },
  };
}
