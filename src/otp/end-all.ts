import type { Database } from '../database/database.ts';
import { openKeyring } from '../database/keyring.ts';
import { eventRecorder } from '../events/record.ts';
import { messageService } from '../messages/service.ts';
import { verificationEnder } from './ending.ts';
import { verificationRepository } from './repository.ts';

const AT_ONCE = 500;

/**
 * Ends every pending verification of a database that no server uses, with its messages and events: canceled with this
 * reason, or expired where its time is over. Resolves to how many were canceled.
 * @param now Unix ms
 */
export async function endAllPending(
  database: Database,
  { masterKey, now, reason }: { masterKey: string; now: number; reason: string },
): Promise<number> {
  const clock = { now: () => now, setTimeout: () => ({ cancel: () => {} }) };
  const keyring = await openKeyring(database, masterKey, clock);
  const events = eventRecorder(database, clock);
  const messages = messageService({ database, keyring, events, clock, quota: { take: () => undefined } });
  const repository = verificationRepository(database);
  const ender = verificationEnder({ repository, events, messages });
  return database.transaction(async (trx) => {
    let canceled = 0;
    for (;;) {
      const rows = await repository.due(trx, Number.MAX_SAFE_INTEGER, AT_ONCE);
      if (rows.length === 0) return canceled;
      for (const row of rows) {
        if (row.expires_at <= now) await ender.end(trx, row, 'expired', null);
        else if (await ender.end(trx, row, 'canceled', reason)) canceled += 1;
      }
    }
  });
}
