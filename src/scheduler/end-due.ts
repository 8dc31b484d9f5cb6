import type { Database } from '../database/database.ts';
import { eventRecorder } from '../events/record.ts';
import { scheduleEnder } from './ending.ts';
import { scheduleRepository } from './repository.ts';

const AT_ONCE = 500;

/**
 * Expires every schedule whose time has come, in a database that no server uses: one that was restored does not know which of
 * them were sent after the backup. Resolves to how many there were.
 * @param now Unix ms
 */
export async function endAllDue(
  database: Database,
  { now, reason }: { now: number; reason: string },
): Promise<number> {
  const clock = { now: () => now, setTimeout: () => ({ cancel: () => {} }) };
  const repository = scheduleRepository(database);
  const ender = scheduleEnder({ repository, events: eventRecorder(database, clock), clock });
  return database.transaction(async (trx) => {
    for (let ended = 0; ; ) {
      const ids = await repository.due(trx, now, AT_ONCE);
      if (ids.length === 0) return ended;
      for (const row of await repository.take(trx, ids, now, 'wait')) {
        if (await ender.end(trx, row, 'expired', { reason })) ended += 1;
      }
    }
  });
}
