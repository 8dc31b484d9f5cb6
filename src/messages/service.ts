import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import type { EventRecorder } from '../events/record.ts';
import type { MessageEventType } from '../events/types.ts';
import type { Clock } from '../lib/clock.ts';
import { seal } from '../lib/seal.ts';
import type { ChannelName } from './channel.ts';
import { filledIn, isWhole, messageContents, templateColumn } from './contents.ts';
import type { MessageOwner } from './owner.ts';
import type { MonthlyQuota } from './quota.ts';
import { messageReading } from './reading.ts';
import { receiptRecorder } from './receipts.ts';
import { type MessageRefRow, type MessageRow, messageRepository } from './repository.ts';
import { retryDelayMs, SEND_ATTEMPTS_MAX } from './retry-schedule.ts';
import { newTimeline } from './timeline.ts';
import { type ClaimedMessage, type Content, LANES, type MessageStatus, type NewMessage } from './types.ts';

/** How long a claim holds before another try may begin; longer than a try may take. */
export const LEASE_MS = 60_000;

/** Waiting messages that are told why in one transaction. */
const WAITING_NOTED_MAX = 200;

/** The durable outbox: every message from the moment it is accepted to its last receipt. */
export type MessageService = ReturnType<typeof messageService>;

export function messageService(deps: {
  database: Database;
  keyring: Keyring;
  events: EventRecorder;
  clock: Clock;
  quota: Pick<MonthlyQuota, 'take'>;
}) {
  const { database, keyring, events, clock, quota } = deps;
  const repository = messageRepository(database);
  const owners = new Map<string, MessageOwner>();
  const forgotten: ((trx: Transaction, messageIds: readonly string[]) => Promise<void>)[] = [];
  const ownerOf = (ownerId: string) => owners.get(ownerId.slice(0, ownerId.indexOf('_')));
  const contents = messageContents(keyring, ownerOf);
  const { withoutCode, ...read } = messageReading({ database, clock, repository, contents });
  let onQueued = () => {};
  const announce = () => onQueued();

  async function recordChange(
    trx: Transaction,
    row: MessageRefRow,
    status: Exclude<MessageStatus, 'sending'>,
    reason: string | null,
  ) {
    await events.record(trx, {
      type: `message.${status}` satisfies MessageEventType,
      projectId: row.project_id,
      ownerId: row.owner_id,
      messageId: row.id,
      channel: row.channel,
      ...(reason === null ? {} : { data: { reason } }),
    });
  }

  /** Ends a try: back into the queue while the code lives, else to the end that its verification's end asks for. */
  async function requeue(
    trx: Transaction,
    message: { id: string; claim: number; expiresAt: number },
    { reason, delayMs, attempts }: { reason: string; delayMs: number; attempts: number },
  ): Promise<void> {
    const at = clock.now();
    const { id, claim } = message;
    const isOver = at >= message.expiresAt;
    const queued = isOver
      ? undefined
      : await repository.requeue(trx, { id, claim, reason, at, dueAt: at + delayMs, attempts });
    if (queued) {
      await recordChange(trx, queued, 'queued', reason);
      return;
    }
    // Its life was ended with what it was sent for.
    const status = isOver && message.expiresAt > 0 ? 'expired' : 'canceled';
    const row = await repository.enterByClaim(trx, { id, claim, status, reason, at });
    if (row) await recordChange(trx, row, status, reason);
  }

  /** Enters a state if it may be entered; tells whether it was. */
  async function enter(
    trx: Transaction,
    id: string,
    status: 'sent' | 'delivered' | 'read' | 'failed',
    reason: string | null,
  ): Promise<boolean> {
    const row = await repository.enter(trx, { id, status, reason, at: clock.now() });
    if (row) await recordChange(trx, row, status, reason);
    return row !== undefined;
  }

  async function settle(
    trx: Transaction,
    row: MessageRefRow & Pick<MessageRow, 'status'>,
    end: { status: 'canceled' | 'expired'; reason: string },
    arrived: boolean,
  ): Promise<void> {
    const from = row.status as MessageStatus;
    const to = arrived ? 'delivered' : from === 'queued' ? end.status : undefined;
    if (to === undefined && from !== 'sending') return;
    if (await repository.settle(trx, { id: row.id, from, to, reason: end.reason, at: clock.now() })) {
      if (to) await recordChange(trx, row, to, end.reason);
      return;
    }
    // Its state changed under our hands (another process claimed it): decide again on what it is now.
    const [now] = await repository.states(trx, [row.id]);
    if (now) await settle(trx, now, end, arrived && now.status !== 'delivered' && now.status !== 'read');
  }

  function toClaimed(row: MessageRow, content: Content | undefined): ClaimedMessage {
    const code = content?.code;
    const filled = (text: string | undefined) => (text === undefined ? undefined : filledIn({ text, code }));
    return {
      id: row.id,
      projectId: row.project_id,
      ownerId: row.owner_id,
      channel: row.channel as ChannelName,
      plays: (row.plays ?? undefined) as ChannelName | undefined,
      address: row.address,
      text: content && isWhole(content) ? filledIn(content) : undefined,
      code,
      locale: content?.locale,
      subject: filled(content?.subject),
      html: filled(content?.html),
      claim: row.claim,
      attempts: row.attempts,
      expiresAt: row.expires_at,
    };
  }

  const receipts = receiptRecorder({ database, keyring, clock, repository, ownerOf, withoutCode, enter });

  return {
    /**
     * Counts a message against the MONTHLY_QUOTA of its project ahead of `enqueue`, for those who have something to write
     * before: `isCounted` of the message says that it was.
     * @throws RateLimitError QUOTA_EXCEEDED, before anything was written
     */
    count: (trx: Transaction, projectId: number): Promise<void> | undefined => quota.take(trx, projectId),

    /**
     * Puts a message into the outbox, in the transaction of what asked for it.
     * @throws RateLimitError QUOTA_EXCEEDED, before anything was written
     */
    async enqueue(trx: Transaction, message: NewMessage): Promise<void> {
      if (!message.isCounted && message.unsentBecause === undefined) await quota.take(trx, message.projectId);
      const now = clock.now();
      const isUnsent = message.unsentBecause !== undefined;
      await repository.insert(trx, {
        id: message.id,
        project_id: message.projectId,
        owner_id: message.ownerId,
        address: message.address,
        identity: message.identity ?? null,
        channel: message.channel,
        plays: message.plays ?? null,
        lane: LANES[message.lane],
        status: isUnsent ? 'canceled' : 'queued',
        content:
          message.content === undefined
            ? null
            : seal(keyring.key('message-text'), message.content, message.id),
        key_version: keyring.version,
        timeline: newTimeline(now, message.unsentBecause ?? message.reason, isUnsent ? 'canceled' : 'queued'),
        due_at: now,
        expires_at: message.expiresAt,
        created_at: now,
        metadata: message.metadata === undefined ? null : JSON.stringify(message.metadata),
        template: message.template === undefined ? null : templateColumn(message.template),
        locale: message.locale ?? null,
      });
      if (isUnsent) return;
      await events.record(trx, {
        type: 'message.queued',
        projectId: message.projectId,
        ownerId: message.ownerId,
        messageId: message.id,
        channel: message.channel,
      });
      database.afterCommit(trx, announce);
    },

    /** Calls back whenever messages were put into the outbox and are on disk; one listener, the latest. */
    whenQueued(listener: () => void): void {
      onQueued = listener;
    },

    /** Says whose the messages are whose owner has an id with this prefix, such as `ver`. */
    ownedBy(prefix: string, owner: MessageOwner): void {
      owners.set(prefix, owner);
    },

    /** Claims up to `limit` messages of a channel that are due and whose code still lives, but for those of some projects. */
    claimDue(channel: ChannelName, limit: number, except: readonly number[] = []): Promise<ClaimedMessage[]> {
      return database.transaction(async (trx) => {
        const now = clock.now();
        const rows = await repository.claimDue(trx, {
          channel,
          now,
          leaseUntil: now + LEASE_MS,
          limit,
          except,
        });
        const said = await contents.of(trx, rows);
        return rows.map((row) => toClaimed(row, said.get(row.id)));
      });
    },

    /**
     * Tells the messages of a channel (of one project, if given) that are due why they wait, each once as long as the
     * reason stays the same. Returns whether there may be more of them.
     */
    async noteWaiting(
      channel: ChannelName,
      reason: string,
      projectId: number | null = null,
    ): Promise<boolean> {
      const now = clock.now();
      const due = { channel, projectId, now, reason, limit: WAITING_NOTED_MAX };
      const ids = await repository.waitingWithout(database.reader, due);
      if (ids.length === 0) return false;
      await database.transaction(async (trx) => {
        for (const id of ids) {
          const row = await repository.noteWaiting(trx, { id, reason, at: now });
          if (row) await recordChange(trx, row, 'queued', reason);
        }
      });
      return ids.length === WAITING_NOTED_MAX;
    },

    /**
     * The provider has acknowledged a claimed message, and calls it `providerId`; with a `reason` it is not sure that the
     * provider has it.
     */
    async markSent(
      message: ClaimedMessage,
      { providerId, reason = null }: { providerId?: string; reason?: string | null } = {},
    ): Promise<void> {
      await database.transaction(async (trx) => {
        const row = await repository.enterByClaim(trx, {
          id: message.id,
          claim: message.claim,
          status: 'sent',
          reason,
          at: clock.now(),
        });
        if (row) await recordChange(trx, row, 'sent', reason);
        if (providerId !== undefined) await repository.setProviderId(trx, message.id, providerId);
      });
    },

    /**
     * A try has failed: the message is queued again, or ends as `failed` (no try can succeed, or the last one is
     * used) or `expired`. Its owner is told in the same transaction when it has failed for good.
     * @param retryAfterMs when the provider wants to be asked again, in ms; our own schedule else
     */
    async markTryFailed(
      message: ClaimedMessage,
      failure: 'permanent' | 'temporary' | 'deferred',
      reason: string,
      retryAfterMs?: number,
    ): Promise<void> {
      const { id, claim, attempts, ownerId } = message;
      const isLast = failure === 'permanent' || attempts >= SEND_ATTEMPTS_MAX;
      const owner = ownerOf(ownerId);
      await database.transaction(async (trx) => {
        if (!isLast) {
          const delayMs = retryAfterMs ?? retryDelayMs(attempts, Math.random());
          await requeue(trx, message, { reason, delayMs, attempts });
          return;
        }
        await owner?.lock?.(trx, ownerId);
        const at = clock.now();
        const row = await repository.enterByClaim(trx, { id, claim, status: 'failed', reason, at });
        if (!row) return;
        await recordChange(trx, row, 'failed', reason);
        await owner?.failed?.(trx, message, reason);
      });
    },

    /** Gives a claimed message back without counting the try: the channel was down, or the server stops. */
    async release(message: ClaimedMessage, reason: string, delayMs: number): Promise<void> {
      const attempts = message.attempts - 1;
      await database.transaction((trx) => requeue(trx, message, { reason, delayMs, attempts }));
    },

    /** Where messages go (E.164 or an e-mail address), by their ids; those that are no longer stored are left out. */
    async addressesOf(executor: Executor, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
      const query = executor
        .selectFrom('messages')
        .select(['id', 'address'])
        .where('id', 'in', [...ids]);
      return new Map((await query.execute()).map(({ id, address }) => [id, address]));
    },

    /**
     * Takes back the claims whose lease has ended: of a process that died, or a try that never returned.
     * @param now Unix ms; `Infinity` takes back every claim, right where no other process can hold one
     * @param except channels whose claims are left as they are
     */
    async recoverClaims(now: number, except: readonly ChannelName[] = []): Promise<number> {
      const endedBy = Math.min(now, Number.MAX_SAFE_INTEGER);
      const ended = async (executor: Executor) =>
        (await repository.leasesEnded(executor, endedBy)).filter(
          ({ channel }) => !except.includes(channel as ChannelName),
        );
      if ((await ended(database.reader)).length === 0) return 0;
      return database.transaction(async (trx) => {
        const rows = await ended(trx);
        for (const row of rows) {
          const claimed = { id: row.id, claim: row.claim, expiresAt: row.expires_at };
          await requeue(trx, claimed, { reason: 'interrupted', delayMs: 0, attempts: row.attempts - 1 });
        }
        return rows.length;
      });
    },

    recordReceipts: receipts.record,
    recordEarlyReceipts: receipts.recordEarly,

    /**
     * What they were sent for has ended, so messages end too: those that still wait are canceled or expired. One that is in a channel's hands ends by what the channel reports. When the
     * person typed the code, one of them must have arrived: the newest that was sent counts as delivered.
     */
    async stop(
      trx: Transaction,
      messageIds: readonly string[],
      end: { status: 'canceled' | 'expired'; reason: string; arrived: boolean },
    ): Promise<void> {
      const rows = await repository.states(trx, messageIds);
      const hasArrived = rows.some(({ status }) => status === 'delivered' || status === 'read');
      const arrived =
        end.arrived && !hasArrived
          ? rows.findLast(({ status }) => status === 'sent' || status === 'sending')
          : undefined;
      for (const row of rows) await settle(trx, row, end, row === arrived);
    },

    /** Whether any of these messages has arrived or still may. */
    async anyAlive(trx: Transaction, messageIds: readonly string[]): Promise<boolean> {
      const rows = await repository.states(trx, messageIds);
      return rows.some((row) => !['failed', 'expired', 'canceled'].includes(row.status));
    },

    /** When messages were accepted that count against an address beside its verifications, oldest first (Unix ms). */
    acceptedFor: repository.acceptedFor,

    /** From now on, no message that there is counts against an address beside its verifications. */
    discount: repository.discount,

    /** Deletes messages, with their owner. */
    async forget(trx: Transaction, messageIds: readonly string[]): Promise<void> {
      await repository.remove(trx, messageIds);
      for (const listener of forgotten) await listener(trx, messageIds);
    },

    /** Calls back in the transaction in which messages are deleted, for what others keep of them. */
    whenForgotten(listener: (trx: Transaction, messageIds: readonly string[]) => Promise<void>): void {
      forgotten.push(listener);
    },

    ...read,
  };
}
