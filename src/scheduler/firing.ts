import { randomInt } from 'node:crypto';
import type { Troubles } from '../background/troubles.ts';
import type { Database, Transaction } from '../database/database.ts';
import { DatabaseError, WotpError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { MINUTE_MS } from '../lib/duration.ts';
import type { OtpService } from '../otp/service.ts';
import type { ScheduleEnder } from './ending.ts';
import { isMissed, nextAttemptAt } from './firing-rules.ts';
import type { ScheduleRepository, ScheduleRow } from './repository.ts';
import type { SealedRequests } from './sealed-request.ts';

/**
 * How many are looked for, how many of these are fired, how many transactions run at once, and how many schedules share one.
 * On WODB transactions share a sync to disk anyway. On PostgreSQL requests need connections beside them, and several
 * processes that fire the same ones would waste their work.
 */
const PORTION = {
  exclusive: { found: 64, fired: 64, atOnce: 64, together: 1 },
  shared: { found: 512, fired: 128, atOnce: 4, together: 16 },
};
/** When all that is due is in the hands of other processes, it is looked at again after this, in ms. */
const OTHERS_MS = 200;
const FIRE = 'firing a schedule';
const UNREADABLE = 'The stored request of this schedule cannot be read.';
const UNEXPECTED = 'INTERNAL_ERROR: Something went wrong on our side.';

/** Sends what is due, each schedule once: it leaves `pending` in the transaction that stores its verification. */
export function firing(deps: {
  database: Database;
  clock: Clock;
  troubles: Troubles;
  repository: ScheduleRepository;
  ender: ScheduleEnder;
  requests: SealedRequests;
  otp: Pick<OtpService, 'send'>;
  misfireMinutes: number;
}) {
  const { database, clock, troubles, repository, ender, requests, otp, misfireMinutes } = deps;
  const misfireMs = misfireMinutes * MINUTE_MS;
  const missed = `It could not be sent within ${misfireMinutes} min of its time (SCHEDULER_MISFIRE_MINUTES).`;
  const portion = database.isExclusive ? PORTION.exclusive : PORTION.shared;

  async function send(trx: Transaction, row: ScheduleRow): Promise<void> {
    if (isMissed(row.scheduled_at, clock.now(), misfireMs)) {
      await ender.end(trx, row, 'expired', { reason: missed });
      return;
    }
    const request = requests.open(row);
    if (!request) {
      await ender.end(trx, row, 'failed', { reason: UNREADABLE });
      return;
    }
    const { verification } = await otp.send(trx, request);
    const fired = { attempts: row.attempts + 1, verificationId: verification.id };
    if (!(await ender.end(trx, row, 'fired', fired)))
      throw new Error(`The schedule ${row.id} was changed while it was being fired.`);
  }

  /**
   * Fires those of these schedules that are due, in one transaction, and resolves to how many there were: what another
   * process has is left to it. One that is refused undoes the others, which are then fired alone.
   */
  async function fire(ids: readonly string[]): Promise<number> {
    let taken: ScheduleRow[] = [];
    let tried: ScheduleRow | undefined;
    try {
      await database.transaction(async (trx) => {
        tried = undefined;
        taken = (await repository.take(trx, ids, clock.now(), 'skip')).sort(byAddress);
        for (const row of taken) {
          tried = row;
          await send(trx, row);
        }
      });
      troubles.succeeded(FIRE);
    } catch (error) {
      // Whether the database has carried it out, the next look says. No attempt is counted.
      if (!tried || error instanceof DatabaseError) throw error;
      const refused = tried.id;
      await noteRefusal(tried, error);
      for (const { id } of taken) if (id !== refused) await fire([id]);
    }
    return taken.length;
  }

  /** Counts an attempt that was refused: another one follows, or the schedule fails. */
  async function noteRefusal(tried: ScheduleRow, error: unknown): Promise<void> {
    const { id } = tried;
    const refusal = error instanceof WotpError ? error : undefined;
    if (!refusal) troubles.failed(FIRE, error, { fields: { scheduleId: id } });
    const reason = refusal ? `${refusal.code}: ${refusal.message}` : UNEXPECTED;
    const mayPass = !refusal || refusal.status === 429 || refusal.status >= 500;
    const retryAfterMs = 1000 * (refusal?.details.retryAfterSeconds ?? 0);
    await database.transaction(async (trx) => {
      const now = clock.now();
      const [row] = await repository.take(trx, [id], now, 'wait');
      // It was changed meanwhile, or another process has tried it too.
      if (row?.attempts !== tried.attempts || !row.sealed_request!.equals(tried.sealed_request!)) return;
      const attempts = row.attempts + 1;
      const { max_attempts: maxAttempts, scheduled_at: scheduledAt } = row;
      const refused = { attempts, maxAttempts, scheduledAt, now, retryAfterMs };
      const dueAt = mayPass ? nextAttemptAt(refused, misfireMs) : undefined;
      if (dueAt === undefined) await ender.end(trx, row, 'failed', { reason, attempts });
      else await repository.postpone(trx, { id, attempts, dueAt, reason });
    });
  }

  return {
    /** Fires a portion of what is due. Resolves to when more is due (Unix ms), to undefined when nothing is pending. */
    async fireDue(): Promise<number | undefined> {
      const found = await repository.due(database.reader, clock.now(), portion.found);
      const ids = someOf(found, portion.fired);
      let fired = 0;
      const worker = async () => {
        while (ids.length > 0) fired += await fire(ids.splice(0, portion.together));
      };
      const workers = await Promise.allSettled(Array.from({ length: portion.atOnce }, worker));
      const failed = workers.find((outcome) => outcome.status === 'rejected');
      if (failed) throw failed.reason;
      const next = await repository.nextDue(database.reader);
      const isStuck = found.length > 0 && fired === 0;
      return isStuck && next !== undefined ? Math.max(next, clock.now() + OTHERS_MS) : next;
    },
  };
}

/** In one order everywhere, as bulk jobs have it too, so that no two transactions wait for each other's phones. */
const byAddress = (a: ScheduleRow, b: ScheduleRow) =>
  (a.phone ?? a.email!) < (b.phone ?? b.email!) ? -1 : 1;

/** All of these where they are few, else `count` of them at random; in their order. */
function someOf(ids: readonly string[], count: number): string[] {
  const some = [...ids];
  while (some.length > count) some.splice(randomInt(some.length), 1);
  return some;
}
