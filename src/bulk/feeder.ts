import type { Database, Transaction } from '../database/database.ts';
import { WotpError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import type { BulkContent, BulkContents } from './contents.ts';
import { OutboxWindow } from './outbox-window.ts';
import type { RecipientMessages } from './recipient-messages.ts';
import type { BulkRepository, BulkRow, QueuedRow } from './repository.ts';
import type { BulkTexts } from './text.ts';

/** So many recipients of a job have their turn in one transaction. */
const FED_TOGETHER = 50;
/** So many recipients of a canceled job are written off in one transaction. */
const CANCELED_TOGETHER = 1_000;
/** So many messages of a canceled job are stopped in one transaction. */
const STOPPED_TOGETHER = 25;
const UNREADABLE = 'The stored text of this bulk job cannot be read.';

/** What one step found: something to do at once, later, or nothing any more until the job is changed. */
export type Step = 'busy' | 'waiting' | 'idle';

export type BulkFeeder = ReturnType<typeof bulkFeeder>;

/**
 * Feeds the outbox with the recipients of bulk jobs, a few at a time, and notes what became of them. Each step is one
 * transaction, alone with the job on all nodes: a recipient leaves `waiting` together with its message, once.
 */
export function bulkFeeder(deps: {
  database: Database;
  events: EventRecorder;
  clock: Clock;
  repository: BulkRepository;
  contents: BulkContents;
  recipients: RecipientMessages;
  texts: BulkTexts;
}) {
  const { database, events, clock, repository, contents, recipients, texts } = deps;
  const window = new OutboxWindow();

  /** Notes what became of messages in the outbox; resolves to those of which it is not known yet. */
  async function settle(trx: Transaction, bulk: BulkRow, queued: readonly QueuedRow[]): Promise<QueuedRow[]> {
    if (queued.length === 0) return [];
    const outcomes = await recipients.outcomes(trx, queued);
    const left: QueuedRow[] = [];
    for (const row of queued) {
      const { end, status, messageId, reason } = outcomes.get(row.number) ?? {
        end: 'failed' as const,
        status: 'failed' as const,
        messageId: row.message_id,
        reason: 'The message was deleted.',
      };
      if (end === undefined) {
        left.push(row);
        continue;
      }
      const isCanceled = bulk.status === 'canceled' && status === 'canceled';
      const outcome = {
        bulk_id: bulk.id,
        number: row.number,
        status: isCanceled ? 'canceled' : end,
        reason: end === 'failed' ? reason : null,
        message_id: messageId,
      };
      if (!(await repository.leaveQueued(trx, outcome))) continue;
      bulk[isCanceled ? 'canceled' : end === 'sent' ? 'successful' : 'failed'] += 1;
    }
    return left;
  }

  /** What the job says; where its template is gone, why nobody gets anything. */
  async function textOf(trx: Transaction, projectId: number, { text }: BulkContent) {
    try {
      return await texts.of(trx, projectId, text);
    } catch (error) {
      if (!(error instanceof WotpError) || error.code !== 'TEMPLATE_NOT_FOUND') throw error;
      return { reason: `${error.code}: ${error.message}` };
    }
  }

  /** Puts the messages of up to `room` recipients into the outbox; resolves to how many had their turn. */
  async function feed(trx: Transaction, bulk: BulkRow, room: number): Promise<number> {
    const rows = await repository.from(trx, bulk.id, bulk.next_number, Math.min(room, FED_TOGETHER));
    const common = contents.openRequest(bulk);
    const text = common ? await textOf(trx, bulk.project_id, common) : { reason: UNREADABLE };
    bulk.reason = null;
    // In one order everywhere, so that no two jobs wait for each other's phones.
    const inOrder = rows.toSorted((a, b) => ((a.phone ?? a.email!) < (b.phone ?? b.email!) ? -1 : 1));
    let turns = 0;
    for (const row of inOrder) {
      if (row.status !== 'waiting') {
        turns += 1;
        continue;
      }
      const turn =
        'reason' in text
          ? ({ is: 'rejected', reason: text.reason } as const)
          : await recipients.send(trx, bulk.project_id, row, common!, text);
      if (turn.is === 'not now') {
        bulk.reason = turn.reason;
        break;
      }
      turns += 1;
      const isLeft = await repository.leaveWaiting(trx, {
        bulk_id: row.bulk_id,
        number: row.number,
        status: turn.is,
        reason: turn.is === 'rejected' ? turn.reason : null,
        message_id: turn.is === 'queued' ? turn.messageId : null,
        verification_id: turn.is === 'queued' ? turn.verificationId : null,
      });
      if (!isLeft) throw new Error('A recipient had two turns.');
      if (turn.is === 'rejected') bulk.rejected += 1;
    }
    // Those who could not have their turn now come again, and those among them who had it are passed over then.
    if (turns === rows.length) bulk.next_number += rows.length;
    return turns;
  }

  /** Writes off some of those whom a canceled job has not reached; resolves to whether there were any. */
  async function writeOff(trx: Transaction, bulk: BulkRow, queued: readonly QueuedRow[]): Promise<boolean> {
    const stopped = await recipients.cancel(trx, bulk.project_id, queued, STOPPED_TOGETHER);
    if (bulk.next_number >= bulk.total) return stopped > 0;
    const end = Math.min(bulk.total, bulk.next_number + CANCELED_TOGETHER);
    bulk.canceled += await repository.cancelWaiting(trx, bulk.id, bulk.next_number, end);
    bulk.next_number = end;
    return true;
  }

  /** The end of a job: everybody had their turn, and nothing of it is in the outbox. */
  async function end(trx: Transaction, bulk: BulkRow): Promise<void> {
    const { id: bulkId, total, successful, failed, rejected, canceled } = bulk;
    const isCanceled = bulk.status === 'canceled';
    if (!isCanceled) bulk.status = 'completed';
    bulk.completed_at = clock.now();
    bulk.active = 0;
    await events.record(trx, {
      type: isCanceled ? 'bulk.canceled' : 'bulk.completed',
      projectId: bulk.project_id,
      data: { bulkId, total, successful, failed, rejected, canceled },
    });
  }

  async function stepAlone(
    trx: Transaction,
    before: BulkRow,
    room: (queued: number) => number,
  ): Promise<Step> {
    const bulk = { ...before };
    const queued = await repository.queued(trx, bulk.id);
    const left = await settle(trx, bulk, queued);
    let isBusy = left.length < queued.length;
    const isOver = () => bulk.next_number >= bulk.total;
    if (bulk.status === 'canceled') {
      isBusy = (await writeOff(trx, bulk, left)) || isBusy;
    } else if (bulk.status === 'processing' && !isOver()) {
      const free = room(left.length);
      if (free > 0) isBusy = (await feed(trx, bulk, free)) > 0 || isBusy;
    }
    const inOutbox = left.length > 0 || (await repository.queued(trx, bulk.id)).length > 0;
    if (isOver() && !inOutbox) await end(trx, bulk);
    else if (bulk.status === 'paused' && !inOutbox) bulk.active = 0;
    const { id, ...columns } = bulk;
    const changed = Object.fromEntries(
      Object.entries(columns).filter(([name, value]) => value !== before[name as keyof BulkRow]),
    );
    if (Object.keys(changed).length > 0) await repository.update(trx, id, changed);
    if (bulk.active === 0) return 'idle';
    return isBusy ? 'busy' : 'waiting';
  }

  return {
    /** The jobs that there is something to do for, oldest first. */
    async active(): Promise<string[]> {
      const ids = await repository.active(database.reader);
      window.keepOnly(ids);
      return ids;
    },

    /** One step of a job; where somebody else is at it, nothing, or with `wait` one step when they have ended. */
    step(bulkId: string, { wait = false } = {}): Promise<Step> {
      return database.transaction(async (trx) => {
        if (wait) await database.serialize(trx, lockOf(bulkId));
        else if (!(await database.trySerialize(trx, lockOf(bulkId)))) return 'waiting';
        const bulk = await repository.byIdInAnyProject(trx, bulkId);
        if (bulk?.active !== 1 || bulk.status === 'accepting') return 'idle';
        return stepAlone(trx, bulk, (queued) => window.room(bulkId, queued));
      });
    },
  };
}

/** Whoever decides on a job asks for this first. */
export const lockOf = (bulkId: string): string => `bulk ${bulkId}`;
