import type { Actor } from '../database/acts.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Projects } from '../database/project.ts';
import { ConflictError, NotFoundError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { firstIdAt, isId } from '../lib/id.ts';
import type { MessageService } from '../messages/service.ts';
import { type BulkFeeder, lockOf } from './feeder.ts';
import type { BulkIntake } from './intake.ts';
import type { RecipientMessages } from './recipient-messages.ts';
import type { BulkRepository, BulkRow, RecipientRow } from './repository.ts';
import type { Bulk, BulkResult, BulkStatus } from './types.ts';

/** Rows that are deleted together. */
const FORGOTTEN_TOGETHER = 200;
/** A job whose recipients are not all stored after so long never will be: its request is gone. In ms. */
const ACCEPTING_MAX_MS = 60 * 60_000;

/** The rules of bulk jobs. Verbs that take a transaction leave committing to the caller. */
export type BulkService = ReturnType<typeof bulkService>;

export function bulkService(deps: {
  database: Database;
  repository: BulkRepository;
  messages: MessageService;
  intake: BulkIntake;
  feeder: BulkFeeder;
  recipients: RecipientMessages;
  events: EventRecorder;
  clock: Clock;
}) {
  const { database, repository, messages, intake, feeder, recipients, events, clock } = deps;

  async function find(executor: Executor, projectId: number, id: string): Promise<BulkRow> {
    const row = isId('blk', id) ? await repository.byId(executor, projectId, id) : undefined;
    if (!row) throw new NotFoundError('There is no bulk job with this id.');
    return row;
  }

  /** The job alone, so that no step of it runs until the transaction has ended. */
  async function findAlone(trx: Transaction, projectId: number, id: string): Promise<BulkRow> {
    await database.serialize(trx, lockOf(id));
    return find(trx, projectId, id);
  }

  function toBulk(row: BulkRow): Bulk {
    const { total, successful, rejected, canceled, completed_at } = row;
    const failed = row.failed + rejected;
    const processed = successful + failed;
    const seconds = ((completed_at ?? clock.now()) - row.running_since) / 1_000;
    const isRunning = row.status === 'processing';
    const done = processed - row.done_before;
    const rate = done > 0 && seconds > 0 && (isRunning || completed_at !== null) ? done / seconds : null;
    return {
      id: row.id,
      status: row.status as BulkStatus,
      total,
      duplicates: row.duplicates,
      processed,
      successful,
      failed,
      rejected,
      canceled,
      ratePerSecond: rate === null ? null : Math.round(rate * 100) / 100,
      etaSeconds: rate === null || !isRunning ? null : Math.ceil((total - processed) / rate),
      reason: row.reason,
      createdAt: row.created_at,
      completedAt: completed_at,
      metadata: row.metadata === null ? null : (JSON.parse(row.metadata) as Record<string, unknown>),
    };
  }

  /** Records what somebody did with a job. */
  async function recordAct(
    trx: Transaction,
    projectId: number,
    data: { bulkId: string; action: string; total?: number },
    by: Actor,
  ): Promise<void> {
    await events.record(trx, { type: 'bulk.operated', projectId, data, by });
  }

  const doneOf = ({ successful, failed, rejected }: BulkRow) => successful + failed + rejected;

  async function toResults(bulk: BulkRow, rows: readonly RecipientRow[]): Promise<BulkResult[]> {
    const withMessage = rows.filter(({ status }) => status === 'queued' || status === 'sent');
    const outcomes = await recipients.outcomes(database.reader, withMessage);
    return rows.map((row) => {
      const outcome = outcomes.get(row.number);
      const isWrittenOff = row.status === 'waiting' && bulk.status === 'canceled';
      return {
        line: row.line,
        phone: row.phone,
        email: row.email,
        status: isWrittenOff ? 'canceled' : (outcome?.status ?? row.status),
        reason: outcome?.reason ?? row.reason,
        messageId: outcome?.messageId ?? row.message_id,
        verificationId: row.verification_id,
      };
    });
  }

  return {
    stage: intake.stage,
    recordAct,

    async get(projectId: number, id: string): Promise<Bulk> {
      return toBulk(await find(database.reader, projectId, id));
    },

    /** A page of a project's jobs, newest first. */
    async list(
      projectId: number,
      { cursor, limit }: { cursor?: string | undefined; limit: number },
    ): Promise<{ bulks: Bulk[]; next: string | null }> {
      const rows = await repository.list(database.reader, projectId, { before: cursor, limit: limit + 1 });
      const shown = rows.slice(0, limit);
      return { bulks: shown.map(toBulk), next: rows.length > limit ? shown.at(-1)!.id : null };
    },

    /** What became of the recipients of a job from a number on, in order. */
    async results(
      projectId: number,
      id: string,
      { from, limit }: { from: number; limit: number },
    ): Promise<{ results: BulkResult[]; next: number | null }> {
      const bulk = await find(database.reader, projectId, id);
      const rows = await repository.from(database.reader, id, from, limit + 1);
      const results = await toResults(bulk, rows.slice(0, limit));
      return { results, next: rows.length > limit ? rows[limit]!.number : null };
    },

    /** Puts nothing more into the outbox until the job is resumed. Throws NotFoundError; ConflictError when it has ended. */
    async pause(trx: Transaction, projectId: number, id: string, by: Actor): Promise<Bulk> {
      const row = await findAlone(trx, projectId, id);
      if (row.status === 'paused') return toBulk(row);
      if (row.status !== 'processing') throw hasEnded(row);
      const change = { status: 'paused', reason: null };
      await repository.update(trx, id, change);
      await recordAct(trx, projectId, { bulkId: id, action: 'paused' }, by);
      return toBulk({ ...row, ...change });
    },

    /** Goes on with a paused job. Throws NotFoundError; ConflictError when it has ended. */
    async resume(trx: Transaction, projectId: number, id: string, by: Actor): Promise<Bulk> {
      const row = await findAlone(trx, projectId, id);
      if (row.status === 'processing') return toBulk(row);
      if (row.status !== 'paused') throw hasEnded(row);
      const change = {
        status: 'processing',
        active: 1,
        running_since: clock.now(),
        done_before: doneOf(row),
      };
      await repository.update(trx, id, change);
      await recordAct(trx, projectId, { bulkId: id, action: 'resumed' }, by);
      return toBulk({ ...row, ...change });
    },

    /**
     * Sends nothing more of a job: what waits in the outbox is stopped too. Resolves when all that can be stopped is;
     * a message in flight still ends as its channel reports. Throws NotFoundError; ConflictError when the job is
     * completed.
     */
    async cancel(projectId: number, id: string, by: Actor): Promise<Bulk> {
      await database.transaction(async (trx) => {
        const row = await findAlone(trx, projectId, id);
        if (row.status === 'canceled') return;
        if (row.status === 'completed') throw hasEnded(row);
        await repository.update(trx, id, { status: 'canceled', active: 1, reason: null });
        await recordAct(trx, projectId, { bulkId: id, action: 'canceled' }, by);
      });
      while ((await feeder.step(id, { wait: true })) === 'busy');
      return toBulk(await find(database.reader, projectId, id));
    },

    /**
     * Deletes a portion of a job that was never accepted, or of the oldest that ended before a time (Unix ms), with its
     * plain messages. Resolves to how many rows went.
     */
    async forget(
      trx: Transaction,
      ended: readonly { projects: Projects; before: number }[],
    ): Promise<{ bulks: number; recipients: number }> {
      const abandoned = firstIdAt('blk', clock.now() - ACCEPTING_MAX_MS);
      let bulk = await repository.abandonedBefore(trx, abandoned);
      for (const { projects, before } of ended) bulk ??= await repository.endedBefore(trx, projects, before);
      return bulk ? forgetSome(trx, bulk.id) : { bulks: 0, recipients: 0 };
    },
  };

  async function forgetSome(trx: Transaction, id: string) {
    const removed = await repository.removeRecipients(trx, id, FORGOTTEN_TOGETHER);
    const plain = removed.filter(({ verification_id }) => verification_id === null);
    await messages.forget(
      trx,
      plain.flatMap(({ message_id }) => message_id ?? []),
    );
    if (removed.length === FORGOTTEN_TOGETHER) return { bulks: 0, recipients: removed.length };
    await repository.remove(trx, id);
    return { bulks: 1, recipients: removed.length };
  }
}

function hasEnded({ status }: BulkRow): ConflictError {
  return new ConflictError(`This bulk job is ${status}, which cannot be changed.`);
}
