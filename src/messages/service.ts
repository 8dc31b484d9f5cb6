import type { ChannelName } from '../channels/channel.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import type { EventRecorder } from '../events/record.ts';
import type { MessageEventType } from '../events/types.ts';
import type { Clock } from '../lib/clock.ts';
import { seal } from '../lib/seal.ts';
import { type MessageRefRow, type MessageRow, messageRepository, newTimeline } from './repository.ts';
import { retryDelayMs, SEND_ATTEMPTS_MAX } from './retry-schedule.ts';
import {
  type ClaimedMessage,
  LANES,
  type MessageStatus,
  type MessageView,
  type NewMessage,
  type Receipt,
  type TimelineEntry,
} from './types.ts';

/** How long a claim holds before another try may begin; longer than a try may take. */
export const LEASE_MS = 60_000;

/** Waiting messages that are told why in one transaction. */
const WAITING_NOTED_MAX = 200;

const CODE_PLACEHOLDER = '{{code}}';
const BULLET = '•';
const HIDDEN_CODE_LENGTH = 6;

/** The durable outbox: every message from the moment it is accepted to its last receipt. */
export type MessageService = ReturnType<typeof messageService>;

export function messageService(deps: {
  database: Database;
  keyring: Keyring;
  events: EventRecorder;
  clock: Clock;
}) {
  const { database, keyring, events, clock } = deps;
  const repository = messageRepository(database);

  async function recordChange(
    trx: Transaction,
    row: MessageRefRow,
    status: Exclude<MessageStatus, 'sending'>,
    reason: string | null,
  ) {
    await events.record(trx, {
      type: `message.${status}` satisfies MessageEventType,
      projectId: row.project_id,
      verificationId: row.verification_id,
      messageId: row.id,
      ...(reason === null ? {} : { data: { reason } }),
    });
  }

  /** Ends a try: back into the queue while the code lives, else to the end that its verification's end asks for. */
  async function giveBack(
    trx: Transaction,
    message: { id: string; claim: number; expiresAt: number },
    { reason, delayMs, attempts }: { reason: string; delayMs: number; attempts: number },
  ): Promise<void> {
    const at = clock.now();
    const { id, claim } = message;
    const isOver = at >= message.expiresAt;
    const queued = isOver
      ? undefined
      : await repository.giveBack(trx, { id, claim, reason, at, dueAt: at + delayMs, attempts });
    if (queued) {
      await recordChange(trx, queued, 'queued', reason);
      return;
    }
    const status = isOver ? 'expired' : 'canceled';
    const row = await repository.enterByClaim(trx, { id, claim, status, reason, at });
    if (row) await recordChange(trx, row, status, reason);
  }

  /** Enters a state if it may be entered; tells whether it was. */
  async function enter(
    trx: Transaction,
    id: string,
    status: 'delivered' | 'read',
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
    if (await repository.settle(trx, { id: row.id, from, to, reason: end.reason, at: clock.now() })) {
      if (to) await recordChange(trx, row, to, end.reason);
      return;
    }
    // Its state changed under our hands (another process claimed it): decide again on what it is now.
    const [now] = await repository.states(trx, [row.id]);
    if (now) await settle(trx, now, end, arrived && now.status !== 'delivered' && now.status !== 'read');
  }

  /** Undefined once the code is wiped, and when it does not open. */
  function openCode({ id, sealed_code, key_version }: MessageRow): string | undefined {
    if (!sealed_code) return undefined;
    return keyring.open('message-code', { value: sealed_code, version: key_version, context: id });
  }

  const filledIn = (row: MessageRow, code: string) => row.body.replaceAll(CODE_PLACEHOLDER, code);

  function textOf(row: MessageRow): string {
    return filledIn(row, openCode(row) ?? BULLET.repeat(HIDDEN_CODE_LENGTH));
  }

  function toClaimed(row: MessageRow): ClaimedMessage {
    const code = openCode(row);
    return {
      id: row.id,
      projectId: row.project_id,
      verificationId: row.verification_id,
      phone: row.phone,
      text: code === undefined ? undefined : filledIn(row, code),
      claim: row.claim,
      attempts: row.attempts,
      expiresAt: row.expires_at,
    };
  }

  function toView(row: MessageRow): MessageView {
    return {
      id: row.id,
      channel: row.channel as ChannelName,
      status: row.status as MessageStatus,
      text: textOf(row),
      timeline: (JSON.parse(row.timeline) as [number, MessageStatus, string | null][]).map(
        ([at, status, reason]): TimelineEntry => ({ at, status, reason }),
      ),
      metadata: row.metadata === null ? null : (JSON.parse(row.metadata) as Record<string, unknown>),
    };
  }

  return {
    /** Puts a message into the outbox, in the transaction of what asked for it. */
    async enqueue(trx: Transaction, message: NewMessage): Promise<void> {
      const now = clock.now();
      await repository.insert(trx, {
        id: message.id,
        project_id: message.projectId,
        verification_id: message.verificationId,
        phone: message.phone,
        channel: message.channel,
        lane: LANES[message.lane],
        status: 'queued',
        body: message.body,
        sealed_code: seal(keyring.key('message-code'), message.code, message.id),
        key_version: keyring.version,
        timeline: newTimeline(now),
        due_at: now,
        expires_at: message.expiresAt,
        created_at: now,
        metadata: message.metadata === undefined ? null : JSON.stringify(message.metadata),
      });
      await events.record(trx, {
        type: 'message.queued',
        projectId: message.projectId,
        verificationId: message.verificationId,
        messageId: message.id,
      });
    },

    /** Claims up to `limit` messages of a channel that are due and whose code still lives. */
    claimDue(channel: ChannelName, limit: number): Promise<ClaimedMessage[]> {
      return database.transaction(async (trx) => {
        const now = clock.now();
        const rows = await repository.claimDue(trx, { channel, now, leaseUntil: now + LEASE_MS, limit });
        return rows.map(toClaimed);
      });
    },

    /**
     * Tells the messages of a channel that are due why they wait, each once as long as the reason stays the same.
     * Returns whether there may be more of them.
     */
    async noteWaiting(channel: ChannelName, reason: string): Promise<boolean> {
      const now = clock.now();
      const due = { channel, now, reason, limit: WAITING_NOTED_MAX };
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

    /** The provider has acknowledged a claimed message. */
    async markSent(message: ClaimedMessage): Promise<void> {
      await database.transaction(async (trx) => {
        const row = await repository.enterByClaim(trx, {
          id: message.id,
          claim: message.claim,
          status: 'sent',
          reason: null,
          at: clock.now(),
        });
        if (row) await recordChange(trx, row, 'sent', null);
      });
    },

    /**
     * A try has failed: the message is queued again, or ends as `failed` (no try can succeed, or the last one is
     * used) or `expired`. `afterEnd` runs in the same transaction when it has failed for good.
     */
    async markTryFailed(
      message: ClaimedMessage,
      failure: 'permanent' | 'temporary',
      reason: string,
      afterEnd: (trx: Transaction) => Promise<void>,
    ): Promise<void> {
      await database.transaction(async (trx) => {
        const { id, claim, attempts } = message;
        if (failure === 'temporary' && attempts < SEND_ATTEMPTS_MAX) {
          const delayMs = retryDelayMs(attempts, Math.random());
          await giveBack(trx, message, { reason, delayMs, attempts });
          return;
        }
        const row = await repository.enterByClaim(trx, {
          id,
          claim,
          status: 'failed',
          reason,
          at: clock.now(),
        });
        if (!row) return;
        await recordChange(trx, row, 'failed', reason);
        await afterEnd(trx);
      });
    },

    /** Gives a claimed message back without counting the try: the channel was down, or the server stops. */
    async release(message: ClaimedMessage, reason: string, delayMs: number): Promise<void> {
      const attempts = message.attempts - 1;
      await database.transaction((trx) => giveBack(trx, message, { reason, delayMs, attempts }));
    },

    /**
     * Takes back the claims whose lease has ended: of a process that died, or a try that never returned.
     * @param now Unix ms; `Infinity` takes back every claim, right where no other process can hold one
     */
    async recoverClaims(now: number): Promise<number> {
      const endedBy = Math.min(now, Number.MAX_SAFE_INTEGER);
      if ((await repository.leasesEnded(database.reader, endedBy)).length === 0) return 0;
      return database.transaction(async (trx) => {
        const rows = await repository.leasesEnded(trx, endedBy);
        for (const row of rows) {
          const claimed = { id: row.id, claim: row.claim, expiresAt: row.expires_at };
          await giveBack(trx, claimed, { reason: 'interrupted', delayMs: 0, attempts: row.attempts - 1 });
        }
        return rows.length;
      });
    },

    /** Receipts came, in this order. Late, doubled and unknown ones change nothing. */
    async recordReceipts(receipts: readonly Receipt[]): Promise<void> {
      await database.transaction(async (trx) => {
        for (const { messageId, status } of receipts) await enter(trx, messageId, status, null);
      });
    },

    /**
     * A verification has ended, so its messages end too: the code is wiped from all of them, and those that still
     * wait are canceled or expired. One that is in a channel's hands ends by what the channel reports. When the
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

    /** The code and the body (with `{{code}}`) of a message; undefined once the code is wiped or cannot be read. */
    async open(executor: Executor, messageId: string): Promise<{ code: string; body: string } | undefined> {
      const row = await repository.byId(executor, messageId);
      const code = row && openCode(row);
      return code === undefined ? undefined : { code, body: row!.body };
    },

    /** The number (E.164) that a message is for; undefined when there is no such message. */
    async phoneOf(messageId: string): Promise<string | undefined> {
      return (await repository.byId(database.reader, messageId))?.phone;
    },

    /** Deletes messages, with their verification. */
    forget: (trx: Transaction, messageIds: readonly string[]) => repository.remove(trx, messageIds),

    /** What the phone shows of a message, with its code, while a person can still use it; undefined where it cannot be read, too. */
    async liveText(messageId: string): Promise<string | undefined> {
      const row = await repository.byId(database.reader, messageId);
      const code = row && clock.now() < row.expires_at ? openCode(row) : undefined;
      return code === undefined ? undefined : filledIn(row!, code);
    },

    /** The code of a message while a person can still use it; undefined afterwards. */
    async liveCode(messageId: string): Promise<string | undefined> {
      const row = await repository.byId(database.reader, messageId);
      return row && clock.now() < row.expires_at ? openCode(row) : undefined;
    },

    /** Messages by their ids, as others may see them. */
    async views(executor: Executor, messageIds: readonly string[]): Promise<Map<string, MessageView>> {
      const rows = await repository.byIds(executor, messageIds);
      return new Map(rows.map((row) => [row.id, toView(row)]));
    },
  };
}
