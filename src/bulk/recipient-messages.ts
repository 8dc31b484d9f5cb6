import { identityOf } from '../addresses/phone.ts';
import type { Routing } from '../channels/route.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import { DatabaseError, WotpError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { DAY_MS } from '../lib/duration.ts';
import { newId } from '../lib/id.ts';
import type { MessageService } from '../messages/service.ts';
import type { MessageStatus, Said } from '../messages/types.ts';
import type { OtpService } from '../otp/service.ts';
import type { BulkContent, BulkContents } from './contents.ts';
import { plainChannel } from './plain-channel.ts';
import type { QueuedRow, RecipientRow } from './repository.ts';
import type { BulkText } from './text.ts';

/** How long a plain message may wait in the outbox, in ms. */
const PLAIN_LIFE_MS = DAY_MS;

/** What becomes of a recipient whose turn it is. */
type Turn =
  | { is: 'queued'; messageId: string; verificationId: string | null }
  | { is: 'rejected'; reason: string }
  /** No channel takes anything at the moment: it is nobody's turn. */
  | { is: 'not now'; reason: string };

/** What became of a recipient's message. */
export interface Outcome {
  /** The newest one. */
  messageId: string;
  status: MessageStatus;
  reason: string | null;
  /** Undefined while a message may still be taken by a channel. */
  end: 'sent' | 'failed' | undefined;
}

const TAKEN: readonly MessageStatus[] = ['sent', 'delivered', 'read'];
const NOT_TAKEN: readonly MessageStatus[] = ['failed', 'expired', 'canceled'];
/** Refusals that say nothing of the recipient. */
const NOT_NOW = ['WHATSAPP_OFFLINE', 'CHANNEL_UNAVAILABLE'];

export type RecipientMessages = ReturnType<typeof recipientMessages>;

/** The messages of bulk jobs: one of the job's own to each recipient, or the code of a verification. */
export function recipientMessages(deps: {
  database: Database;
  contents: BulkContents;
  messages: MessageService;
  otp: OtpService;
  routing: Routing;
  clock: Clock;
  isOptedOut: (executor: Executor, projectId: number, identity: string) => Promise<boolean>;
}) {
  const { database, contents, messages, otp, routing, clock, isOptedOut } = deps;

  async function sendPlain(
    trx: Transaction,
    projectId: number,
    { bulk_id, phone, email }: RecipientRow,
    { channel }: BulkContent,
    said: Said,
  ): Promise<Turn> {
    const identity = phone === null ? email!.toLowerCase() : identityOf(phone);
    await database.serialize(trx, `${projectId}:${identity}`);
    const optedOut = phone !== null && (await isOptedOut(trx, projectId, identity));
    const reach = { phone: phone ?? undefined, email: email ?? undefined };
    const name = plainChannel(routing, { projectId, channel, reach, isOptedOut: optedOut });
    if (name === undefined) {
      return { is: 'rejected', reason: 'PHONE_OPTED_OUT: The number has opted out of messages.' };
    }
    const now = clock.now();
    if ((await otp.nextAllowedAt(trx, projectId, identity, { withCode: false })) > now) {
      const reason = 'RATE_LIMIT_EXCEEDED: The limits of this address allow no more messages at the moment.';
      return { is: 'rejected', reason };
    }
    const id = newId('msg', now);
    const deliverer = routing.deliverer(name);
    await messages.enqueue(trx, {
      id,
      projectId,
      ownerId: bulk_id,
      address: name === 'email' ? email! : phone!,
      identity,
      channel: deliverer,
      ...(deliverer !== name && { plays: name }),
      lane: 'bulk',
      ...said,
      expiresAt: now + PLAIN_LIFE_MS,
    });
    return { is: 'queued', messageId: id, verificationId: null };
  }

  /** What became of the messages of recipients, by their numbers; those whose message is gone are left out. */
  async function outcomes(executor: Executor, rows: readonly QueuedRow[]): Promise<Map<number, Outcome>> {
    const verificationIds = rows.flatMap(({ verification_id }) => verification_id ?? []);
    const verifications =
      verificationIds.length === 0 ? undefined : await otp.progressOf(executor, verificationIds);
    const newest = rows.map(({ number, message_id, verification_id }) => {
      const verification = verifications?.get(verification_id ?? '');
      return { number, verification, messageId: verification?.messageId ?? message_id };
    });
    const ids = newest.flatMap(({ messageId }) => messageId ?? []);
    const known = ids.length === 0 ? undefined : await messages.outcomes(executor, ids);
    const found = new Map<number, Outcome>();
    for (const { number, verification, messageId } of newest) {
      const message = known?.get(messageId ?? '');
      if (!message || messageId === null) continue;
      const { status, reason } = message;
      const isTaken =
        TAKEN.includes(status) ||
        // It was typed, or an earlier message of it may still arrive.
        verification?.status === 'verified' ||
        (verification?.status === 'pending' && NOT_TAKEN.includes(status));
      const end = isTaken ? 'sent' : NOT_TAKEN.includes(status) ? 'failed' : undefined;
      found.set(number, { messageId, status, reason: reason ?? verification?.reason ?? null, end });
    }
    return found;
  }

  return {
    /** Puts the message of a recipient whose turn it is into the outbox. */
    async send(
      trx: Transaction,
      projectId: number,
      row: RecipientRow,
      common: BulkContent,
      text: BulkText,
    ): Promise<Turn> {
      const details = contents.openDetails(row);
      if (!details) return { is: 'rejected', reason: 'The stored data of this recipient cannot be read.' };
      try {
        if (!text.withCode) {
          return await sendPlain(trx, projectId, row, common, text.plain(trx, details));
        }
        const { verification } = await otp.send(trx, {
          projectId,
          phone: row.phone ?? undefined,
          email: row.email ?? undefined,
          ...text.send(details),
          code: details.code,
          purpose: common.purpose,
          channel: common.channel,
          expiryMinutes: common.expiryMinutes,
          lane: 'bulk',
        });
        return { is: 'queued', messageId: verification.messageId, verificationId: verification.id };
      } catch (error) {
        if (!isRefusal(error)) throw error;
        const reason = `${error.code}: ${error.message}`;
        return { is: NOT_NOW.includes(error.code) ? 'not now' : 'rejected', reason };
      }
    },

    outcomes,

    /**
     * Ends messages of recipients that wait in the outbox, up to `limit` of them, with the verifications they carry the
     * codes of. Resolves to how many they were.
     */
    async cancel(
      trx: Transaction,
      projectId: number,
      rows: readonly QueuedRow[],
      limit: number,
    ): Promise<number> {
      const end = { status: 'canceled', reason: 'the bulk job was canceled', arrived: false } as const;
      const known = await outcomes(trx, rows);
      const waiting = rows.filter(({ number }) => known.get(number)?.status === 'queued').slice(0, limit);
      for (const { message_id, verification_id } of waiting) {
        if (verification_id === null) await messages.stop(trx, [message_id!], end);
        // One that has ended meanwhile is not there to be canceled.
        else
          await otp.cancel(trx, projectId, verification_id).catch((error: unknown) => {
            if (!isRefusal(error)) throw error;
          });
      }
      return waiting.length;
    },
  };
}

/** Whether a recipient was refused, before anything was written; what the database says undoes the whole step. */
const isRefusal = (error: unknown): error is WotpError =>
  error instanceof WotpError && !(error instanceof DatabaseError);
