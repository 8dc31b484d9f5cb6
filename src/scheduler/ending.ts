import type { Transaction } from '../database/database.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import type { ScheduleRepository, ScheduleRow } from './repository.ts';
import type { ScheduleEnding } from './types.ts';

/** What is known of an ending beside its state. */
interface Ending {
  reason?: string;
  verificationId?: string;
  /** Attempts that were made; as many as before when absent. */
  attempts?: number;
}

/** Ends schedules: the state and its event in one transaction. */
export type ScheduleEnder = ReturnType<typeof scheduleEnder>;

export function scheduleEnder(deps: { repository: ScheduleRepository; events: EventRecorder; clock: Clock }) {
  const { repository, events, clock } = deps;
  return {
    /** Takes a schedule out of `pending`; false when it had left it before. */
    async end(
      trx: Transaction,
      row: ScheduleRow,
      status: ScheduleEnding,
      { reason, verificationId, attempts = row.attempts }: Ending = {},
    ): Promise<boolean> {
      const hasLeft = await repository.end(trx, {
        id: row.id,
        status,
        reason: reason ?? null,
        attempts,
        verificationId: verificationId ?? null,
        at: clock.now(),
      });
      if (!hasLeft) return false;
      await events.record(trx, {
        type: `schedule.${status}`,
        projectId: row.project_id,
        scheduleId: row.id,
        ...(verificationId !== undefined && { data: { verificationId } }),
        ...(reason !== undefined && { data: { reason } }),
      });
      return true;
    },
  };
}
