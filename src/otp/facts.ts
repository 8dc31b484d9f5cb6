import type { Database, Executor } from '../database/database.ts';
import { isAmong } from '../database/id-list.ts';
import { messageIdsOf } from './destination.ts';
import type { VerificationRow } from './repository.ts';

/** What figures are made of. */
export interface VerificationFacts {
  /** E.164; null where an e-mail address is proved. */
  phone: string | null;
  purpose: string;
  /** The channel that its newest message took. */
  channel: string;
  /** Its messages, oldest first. */
  messageIds: readonly string[];
  /** Whether its address was a test number. */
  isTest: boolean;
}

/** Reads what figures are made of. */
export function verificationFacts(database: Database) {
  type Row = Pick<VerificationRow, 'id' | 'phone' | 'purpose' | 'channel' | 'sends' | 'is_test'>;
  const rowsOf = database.prepare<{ ids: string }, Row>((db, value) =>
    db
      .selectFrom('verifications')
      .select(['id', 'phone', 'purpose', 'channel', 'sends', 'is_test'])
      .where(isAmong(database.engine, 'id', value('ids'))),
  );

  /** By the ids of verifications of whatever project; those that are no longer stored are left out. */
  return async (executor: Executor, ids: readonly string[]): Promise<Map<string, VerificationFacts>> => {
    const rows = ids.length === 0 ? [] : await rowsOf(executor, { ids: JSON.stringify(ids) });
    return new Map(
      rows.map((row) => {
        const { id, phone, purpose, channel } = row;
        return [id, { phone, purpose, channel, messageIds: messageIdsOf(row), isTest: row.is_test === 1 }];
      }),
    );
  };
}

export type VerificationFactsOf = ReturnType<typeof verificationFacts>;
