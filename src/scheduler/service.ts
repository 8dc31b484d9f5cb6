import type { Database, Transaction } from '../database/database.ts';
import { ConflictError, NotFoundError, ValidationError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { DAY_MS } from '../lib/duration.ts';
import { newId } from '../lib/id.ts';
import type { OtpService } from '../otp/service.ts';
import type { SendRequest } from '../otp/types.ts';
import type { ScheduleEnder } from './ending.ts';
import type { ScheduleRepository, ScheduleRow } from './repository.ts';
import type { SealedRequests } from './sealed-request.ts';
import type { Schedule, ScheduleChange, ScheduleRequest, ScheduleStatus } from './types.ts';

/** How far ahead a schedule may be, in ms: a year, a leap year too. */
const AHEAD_MAX_MS = 366 * DAY_MS;

const NONE_WITH_ID = 'There is no schedule with this id.';

/** Where one of these fields is given, the other one no longer counts. */
const REPLACES: readonly [given: keyof SendRequest, replaced: keyof SendRequest][] = [
  ['channel', 'channels'],
  ['length', 'code'],
  ['code', 'length'],
  ['message', 'template'],
  ['message', 'variables'],
  ['template', 'message'],
];

/** The rules of schedules. Verbs that take a transaction leave committing to the caller. */
export type SchedulerService = ReturnType<typeof schedulerService>;

export function schedulerService(deps: {
  database: Database;
  events: EventRecorder;
  clock: Clock;
  repository: ScheduleRepository;
  ender: ScheduleEnder;
  requests: SealedRequests;
  otp: Pick<OtpService, 'requireSendable'>;
  /** Called once a schedule that is due then (Unix ms) is on disk. */
  onScheduled: (dueAt: number) => void;
}) {
  const { database, events, clock, repository, ender, requests, otp, onScheduled } = deps;

  /** What is stored of a send at a later time: its addresses as they are read now, so that no later setting changes them. */
  async function contentOf(trx: Transaction, id: string, request: ScheduleRequest) {
    const { send, scheduledAt, maxAttempts } = request;
    requireTime(scheduledAt, clock.now());
    const person = await otp.requireSendable(trx, send);
    const phone = person.phone?.e164;
    const email = person.email?.address;
    return {
      phone: phone ?? null,
      email: email ?? null,
      purpose: send.purpose,
      scheduled_at: scheduledAt,
      max_attempts: maxAttempts,
      ...requests.seal(id, {
        ...send,
        ...(phone !== undefined && { phone }),
        ...(email !== undefined && { email }),
      }),
    };
  }

  async function findPending(trx: Transaction, projectId: number, id: string): Promise<ScheduleRow> {
    const row = await repository.byId(trx, projectId, id, { forChange: true });
    if (!row) throw new NotFoundError(NONE_WITH_ID);
    if (row.status !== 'pending') throw notPending(row);
    return row;
  }

  return {
    /**
     * Keeps a send until its time. All that a send would refuse now is refused, but for limits, which count when it is sent.
     * @throws WotpError VALIDATION_ERROR when the time is in the past or more than a year ahead, and as a send does
     */
    async schedule(trx: Transaction, request: ScheduleRequest): Promise<Schedule> {
      const now = clock.now();
      const id = newId('sch', now);
      const content = await contentOf(trx, id, request);
      const row: ScheduleRow = {
        id,
        project_id: request.send.projectId,
        ...content,
        due_at: content.scheduled_at,
        status: 'pending',
        reason: null,
        attempts: 0,
        verification_id: null,
        created_at: now,
        ended_at: null,
      };
      await repository.insert(trx, row);
      await events.record(trx, { type: 'schedule.created', projectId: row.project_id, scheduleId: id });
      database.afterCommit(trx, () => onScheduled(row.due_at));
      return toSchedule(row);
    },

    /**
     * Changes a pending schedule, which then has all its attempts again; its send is checked as a new one.
     * @throws WotpError RESOURCE_NOT_FOUND; CONFLICT when it is not pending or its request cannot be read; as `schedule` does
     */
    async change(
      trx: Transaction,
      projectId: number,
      id: string,
      { send, scheduledAt, maxAttempts }: ScheduleChange,
    ): Promise<Schedule> {
      const row = await findPending(trx, projectId, id);
      const stored = requests.open(row);
      if (!stored)
        throw new ConflictError(
          'The stored request of this schedule cannot be read. Cancel it, and schedule again.',
        );
      const content = await contentOf(trx, id, {
        send: { ...withoutReplaced(stored, send), ...send, projectId },
        scheduledAt: scheduledAt ?? row.scheduled_at,
        maxAttempts: maxAttempts ?? row.max_attempts,
      });
      await repository.change(trx, id, content);
      database.afterCommit(trx, () => onScheduled(content.scheduled_at));
      return toSchedule({ ...row, ...content, due_at: content.scheduled_at, attempts: 0, reason: null });
    },

    /**
     * Cancels a pending schedule; canceling it again changes nothing.
     * @throws WotpError RESOURCE_NOT_FOUND; CONFLICT when it has ended otherwise
     */
    async cancel(trx: Transaction, projectId: number, id: string): Promise<void> {
      const row = await repository.byId(trx, projectId, id, { forChange: true });
      if (!row) throw new NotFoundError(NONE_WITH_ID);
      if (row.status === 'canceled') return;
      if (row.status !== 'pending') throw notPending(row);
      await ender.end(trx, row, 'canceled');
    },

    /** A schedule, with the metadata of its send while it is pending. Throws NotFoundError. */
    async get(
      projectId: number,
      id: string,
    ): Promise<Schedule & { metadata: Record<string, unknown> | null }> {
      const row = await repository.byId(database.reader, projectId, id);
      if (!row) throw new NotFoundError(NONE_WITH_ID);
      return { ...toSchedule(row), metadata: requests.open(row)?.metadata ?? null };
    },

    /** A project's schedules, newest first; `cursor` is the id after which to go on. */
    async list(
      projectId: number,
      { status, cursor, limit }: { status?: ScheduleStatus; cursor?: string; limit: number },
    ): Promise<{ schedules: Schedule[]; next: string | null }> {
      const rows = await repository.page(projectId, { status, before: cursor, limit: limit + 1 });
      const shown = rows.slice(0, limit);
      return { schedules: shown.map(toSchedule), next: rows.length > limit ? shown.at(-1)!.id : null };
    },

    /** Deletes up to `limit` schedules that ended before `time` (Unix ms), the oldest first; resolves to how many. */
    forgetEnded: repository.removeEnded,
  };
}

function requireTime(scheduledAt: number, now: number): void {
  if (scheduledAt > now && scheduledAt <= now + AHEAD_MAX_MS) return;
  const allowed = scheduledAt > now ? 'at most a year ahead' : 'in the future';
  const message = `The value of \`scheduledTime\` must be ${allowed}.`;
  throw new ValidationError(message, [{ path: 'scheduledTime', message }]);
}

function withoutReplaced(stored: SendRequest, given: Partial<SendRequest>): SendRequest {
  const kept = { ...stored };
  for (const [by, replaced] of REPLACES) {
    if (given[by] !== undefined) delete kept[replaced];
  }
  return kept;
}

function notPending({ status }: ScheduleRow): ConflictError {
  return new ConflictError(`This schedule is ${status}; only a pending one can be changed or canceled.`);
}

function toSchedule(row: ScheduleRow): Schedule {
  return {
    id: row.id,
    phone: row.phone,
    email: row.email,
    purpose: row.purpose,
    scheduledAt: row.scheduled_at,
    status: row.status as ScheduleStatus,
    attempts: row.attempts,
    maxAttempts: row.max_attempts,
    nextAttemptAt: row.status === 'pending' ? row.due_at : null,
    verificationId: row.verification_id,
    reason: row.reason,
    createdAt: row.created_at,
    endedAt: row.ended_at,
  };
}
