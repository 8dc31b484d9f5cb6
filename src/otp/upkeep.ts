import type { Database, Transaction } from '../database/database.ts';
import type { Projects } from '../database/project.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { firstIdAt } from '../lib/id.ts';
import { LOOK_BACK_MS, messageIdsOf } from './destination.ts';
import type { VerificationEnder } from './ending.ts';
import type { VerificationRepository } from './repository.ts';
import type { SpreadLimits } from './spread-limits.ts';

/** So many verifications are ended in one transaction where there may be many. */
const EXPIRED_TOGETHER = 500;

/** What time does to verifications: those that are over end, and what is kept no longer goes. */
export function upkeep(deps: {
  database: Database;
  events: EventRecorder;
  clock: Clock;
  repository: VerificationRepository;
  ender: VerificationEnder;
  spread: SpreadLimits;
}) {
  const { database, events, clock, repository, ender, spread } = deps;
  /**
   * The last that was deleted of some projects: the next look begins there, and does not read again what other projects
   * keep for longer.
   */
  const forgottenUpTo = new Map<string, string>();

  async function expireUntil(time: number, limit: number): Promise<number> {
    const due = await repository.due(database.reader, time, limit);
    if (due.length === 0) return 0;
    await database.transaction(async (trx) => {
      for (const row of due) await ender.end(trx, row, 'expired', null);
    });
    return due.length;
  }

  return {
    /** Ends the verifications whose time is over, up to `limit` of them. Returns how many there were. */
    expireDue: (limit: number): Promise<number> => expireUntil(clock.now(), limit),

    /**
     * Ends every pending verification if the clock was set back since the last change: it would bring expired codes back
     * to life, and give the others longer than they have. For the start of the only process. Returns whether it was.
     */
    async expireIfClockWasSetBack(): Promise<boolean> {
      if (clock.now() >= (await events.latestChangeAt())) return false;
      while ((await expireUntil(Number.MAX_SAFE_INTEGER, EXPIRED_TOGETHER)) > 0);
      return true;
    },

    /**
     * Deletes up to `limit` ended verifications of some projects that began before `time` (Unix ms), the oldest first. Those
     * that limits and guesses are still counted from stay, whatever `time` is. Resolves to how many went, and to the ids of
     * their messages, which the same transaction has to delete.
     */
    async forgetEnded(
      trx: Transaction,
      projects: Projects,
      time: number,
      limit: number,
    ): Promise<{ count: number; messageIds: string[] }> {
      const before = firstIdAt('ver', Math.min(time, clock.now() - LOOK_BACK_MS));
      const key = JSON.stringify(projects);
      const above = forgottenUpTo.get(key);
      const removed = await repository.removeEnded(trx, { before, limit, projects, above });
      const last = removed
        .map(({ id }) => id)
        .sort()
        .at(-1);
      if (last !== undefined) database.afterCommit(trx, () => forgottenUpTo.set(key, last));
      return { count: removed.length, messageIds: removed.flatMap(messageIdsOf) };
    },

    /** Deletes up to `limit` notes of recent sends that nothing is counted from any more; resolves to how many. */
    forgetRecentSends: (trx: Transaction, limit: number): Promise<number> =>
      spread.forget(trx, clock.now(), limit),
  };
}
