import type { ChannelName } from '../channels/channel.ts';
import type { ChannelSelection } from '../channels/selection.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import { ConflictError, NotFoundError, ValidationError, WotpError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import { addressIdentity } from '../lib/client-address.ts';
import type { Clock } from '../lib/clock.ts';
import { MINUTE_MS } from '../lib/duration.ts';
import { firstIdAt, newId } from '../lib/id.ts';
import { fullWindow, type PhoneLimits } from '../limits/phone-limits.ts';
import type { MessageService } from '../messages/service.ts';
import type { MessageRef, MessageStatus } from '../messages/types.ts';
import { codeCheck } from './check.ts';
import { generateCode } from './code.ts';
import { codeSecrets } from './code-secrets.ts';
import {
  attemptsRemaining,
  budgetOf,
  type Destination,
  LIFE_WORTH_A_RETRY_MS,
  LOOK_BACK_MS,
  loadDestination,
  messageIdsOf,
  nextFreeSendAt,
  nextResendOf,
  nextRetryAt,
  nextSendAt,
  pendingFor,
  SENDS_MAX,
  sendsOf,
  withMessageAt,
} from './destination.ts';
import { verificationEnder } from './ending.ts';
import { BUDGET_WINDOW_MS } from './guess-budget.ts';
import { limitDesk } from './limit-desk.ts';
import { type VerificationFilter, verificationList } from './list.ts';
import { defaultMessage, readMessage } from './message-text.ts';
import type { PhoneReader } from './phone-reader.ts';
import { EXPIRED, guessesSpent, NONE_PENDING, optedOut, tooSoon, UNREADABLE_CODE } from './refusals.ts';
import { failedChecksColumn, type Send, type VerificationRow, verificationRepository } from './repository.ts';
import { statusAt } from './state-machine.ts';
import type { SendRequest, Verification, VerificationTimelineEntry } from './types.ts';

/** So many verifications are ended in one transaction where there may be many. */
const EXPIRED_TOGETHER = 500;

export interface OtpRules {
  length: number;
  expiryMinutes: number;
  maxExpiryMinutes: number;
  maxAttempts: number;
  phoneLimits: PhoneLimits;
}

/** The rules of verifications. Verbs that take a transaction leave committing to the caller. */
export type OtpService = ReturnType<typeof otpService>;

export function otpService(deps: {
  database: Database;
  keyring: Keyring;
  events: EventRecorder;
  messages: MessageService;
  clock: Clock;
  rules: OtpRules;
  readPhone: PhoneReader;
  selectChannel: ChannelSelection;
  /** Whether a phone, by its identity, has opted out of messages. */
  isOptedOut: (executor: Executor, projectId: string, identity: string) => Promise<boolean>;
}) {
  const { database, keyring, events, messages, clock, rules, readPhone, selectChannel, isOptedOut } = deps;
  const { phoneLimits } = rules;
  const repository = verificationRepository(database);
  const list = verificationList(database);
  const secrets = codeSecrets(keyring);
  const ender = verificationEnder({ repository, events, messages });
  const verify = codeCheck({ ...deps, ...rules, repository, ender, secrets });
  const limits = limitDesk({ ...deps, repository, phoneLimits });

  const load = (executor: Executor, projectId: string, identity: string) =>
    loadDestination(repository, executor, projectId, identity, clock.now());

  /** Loads a phone's state so that nobody else decides on it until this transaction has ended. */
  async function loadAlone(trx: Transaction, projectId: string, identity: string): Promise<Destination> {
    await database.serialize(trx, `${projectId}:${identity}`);
    return load(trx, projectId, identity);
  }

  function toVerification(
    row: VerificationRow,
    destination: Destination,
    messageStatus: MessageStatus,
  ): Verification {
    const now = clock.now();
    const status = statusAt(row, now);
    const isPending = status === 'pending';
    const [, messageId] = sendsOf(row).at(-1)!;
    return {
      id: row.id,
      messageId,
      phone: row.phone,
      purpose: row.purpose,
      channel: row.channel as ChannelName,
      status,
      messageStatus,
      createdAt: row.created_at,
      expiresAt: row.expires_at,
      resendAt: isPending
        ? nextRetryAt(destination, row, phoneLimits)
        : Math.max(now, nextSendAt(destination, phoneLimits)),
      attemptsRemaining: isPending ? attemptsRemaining(destination, row, rules.maxAttempts, now) : 0,
      verifiedAt: row.verified_at,
      reason: row.reason,
      metadata: row.metadata === null ? null : (JSON.parse(row.metadata) as Record<string, unknown>),
    };
  }

  async function view(executor: Executor, row: VerificationRow): Promise<Verification> {
    const destination = await load(executor, row.project_id, row.destination);
    const [newest] = (await messages.views(executor, messageIdsOf(row).slice(-1))).values();
    return toVerification(row, destination, newest?.status ?? 'expired');
  }

  /** Nothing is sent to a phone whose guesses are used up. */
  function refuseWithoutGuesses(
    destination: Destination,
    guesser: Pick<VerificationRow, 'code_length' | 'client_ip'>,
    now: number,
  ): void {
    const { remaining, quota } = budgetOf(destination, guesser, now);
    if (remaining > 0) return;
    const nextSendAt = nextFreeSendAt(destination, guesser, phoneLimits, now);
    throw guessesSpent(nextSendAt, now, { quota, windowMs: BUDGET_WINDOW_MS });
  }

  /** Puts a message with the verification's code into the outbox. */
  function enqueue(
    trx: Transaction,
    row: VerificationRow,
    message: { id: string; code: string; body: string; channel: ChannelName },
  ): Promise<void> {
    return messages.enqueue(trx, {
      id: message.id,
      projectId: row.project_id,
      verificationId: row.id,
      phone: row.phone,
      channel: message.channel,
      lane: 'code',
      body: message.body,
      code: message.code,
      expiresAt: row.expires_at,
    });
  }

  /** Refuses another message of a pending verification before its time; `retryAt` is when the same request may pass. */
  function refuseTooSoon(destination: Destination, row: VerificationRow, retryAt: number, now: number): void {
    if (nextResendOf(destination, row, phoneLimits) <= now) return;
    const limit =
      sendsOf(row).length >= SENDS_MAX
        ? { quota: SENDS_MAX, windowMs: row.expires_at - row.created_at }
        : fullWindow(destination.sentAt, phoneLimits, retryAt);
    throw tooSoon(retryAt, now, limit);
  }

  /**
   * Sends the same code once more; with another text, by another channel, to another spelling of the number. Undefined
   * when the stored code cannot be read; then nothing was sent.
   */
  async function sendAgain(
    trx: Transaction,
    row: VerificationRow,
    destination: Destination,
    { body: newBody, channel, phone = row.phone }: { body?: string; channel: ChannelName; phone?: string },
  ): Promise<Verification | undefined> {
    const now = clock.now();
    const sends = sendsOf(row);
    const [, previousId] = sends.at(-1)!;
    const previous = await messages.open(trx, previousId);
    if (!previous) return undefined;
    const id = newId('msg', now);
    // WOTP's own text looks different on each channel; a caller's is the same on all.
    const minutes = (row.expires_at - row.created_at) / MINUTE_MS;
    const isOwn = previous.body === defaultMessage(minutes, row.channel as ChannelName);
    const body = newBody ?? (isOwn ? defaultMessage(minutes, channel) : previous.body);
    await enqueue(trx, { ...row, phone }, { id, code: previous.code, body, channel });
    const all: Send[] = [...sends, [now, id]];
    // Its time may have run out since it was read.
    if (!(await repository.setSends(trx, row.id, all, channel))) throw new WotpError('OTP_EXPIRED', EXPIRED);
    return toVerification(
      { ...row, sends: JSON.stringify(all), channel },
      withMessageAt(destination, now),
      'queued',
    );
  }

  /** The code and the text that the caller asks for; what is undefined is WOTP's to choose. */
  function readText(request: SendRequest): { code: string | undefined; body: string | undefined } {
    const text = request.message === undefined ? undefined : readMessage(request.message, request.code);
    const code = request.code ?? text?.codeInText;
    if (code !== undefined && request.length !== undefined && request.length !== code.length) {
      const message = 'The code given has another length. Leave length out when you give the code.';
      throw new ValidationError('The request is not valid.', [{ path: 'length', message }]);
    }
    return { code, body: text?.body };
  }

  function expiryOf(request: SendRequest): number {
    const minutes = request.expiryMinutes ?? rules.expiryMinutes;
    if (minutes > rules.maxExpiryMinutes) {
      const message = `At most ${rules.maxExpiryMinutes} minutes (OTP_MAX_EXPIRY_MINUTES).`;
      throw new ValidationError('The request is not valid.', [{ path: 'expiryMinutes', message }]);
    }
    return minutes;
  }

  /** The verification with this id, alone with its phone's state. */
  async function findAlone(trx: Transaction, projectId: string, id: string) {
    const found = await repository.byId(trx, projectId, id);
    if (!found) throw new NotFoundError(NONE_PENDING, 'OTP_NOT_FOUND');
    const destination = await loadAlone(trx, projectId, found.destination);
    const row = destination.verifications.find((candidate) => candidate.id === id) ?? found;
    const status = statusAt(row, clock.now());
    if (status === 'expired') throw new WotpError('OTP_EXPIRED', EXPIRED);
    return { row, destination, status };
  }

  async function expireUntil(time: number, limit: number): Promise<number> {
    const due = await repository.due(database.reader, time, limit);
    if (due.length === 0) return 0;
    await database.transaction(async (trx) => {
      for (const row of due) await ender.end(trx, row, 'expired', null);
    });
    return due.length;
  }

  return {
    verify,
    limits,

    /**
     * Sends a code. While one is pending for the phone and purpose this is a retry: the same code goes out again.
     * Another code, or less than a minute of life left, begins a new verification and ends the old one.
     * @throws WotpError PHONE_INVALID, PHONE_NOT_ALLOWED, PHONE_OPTED_OUT, RATE_LIMIT_EXCEEDED, OTP_ATTEMPTS_EXCEEDED,
     * VALIDATION_ERROR, WHATSAPP_OFFLINE, CHANNEL_UNAVAILABLE
     */
    async send(
      trx: Transaction,
      request: SendRequest,
    ): Promise<{ verification: Verification; retried: boolean }> {
      const phone = readPhone(request.phone);
      const expiryMinutes = expiryOf(request);
      const text = readText(request);
      if (await isOptedOut(trx, request.projectId, phone.identity)) throw optedOut();
      const channel = selectChannel(request.channel, request.projectId, phone.e164);
      const destination = await loadAlone(trx, request.projectId, phone.identity);
      const now = clock.now();
      const client_ip = request.clientIp === undefined ? null : addressIdentity(request.clientIp);

      const pending = pendingFor(destination, request.purpose, now);
      const repeatable = pending && pending.expires_at - now >= LIFE_WORTH_A_RETRY_MS ? pending : undefined;
      const code_length = text.code?.length ?? repeatable?.code_length ?? request.length ?? rules.length;
      refuseWithoutGuesses(destination, { code_length, client_ip }, now);
      if (repeatable) {
        // Before the codes are compared: a refusal that told whether they are the same would be a free guess.
        refuseTooSoon(destination, repeatable, nextRetryAt(destination, repeatable, phoneLimits), now);
        if (text.code === undefined || secrets.matches(repeatable, text.code.toUpperCase())) {
          const wanted = { channel, body: text.body, phone: phone.e164 };
          const verification = await sendAgain(trx, repeatable, destination, wanted);
          if (verification) return { verification, retried: true };
        }
      }

      const allowedAt = nextSendAt(destination, phoneLimits);
      if (allowedAt > now)
        throw tooSoon(allowedAt, now, fullWindow(destination.sentAt, phoneLimits, allowedAt));
      if (pending) await ender.end(trx, pending, 'canceled', 'superseded');

      const code = text.code ?? generateCode(code_length, request.alphabet ?? 'numeric');
      const id = newId('ver', now);
      const messageId = newId('msg', now);
      const { code_mac, key_version } = secrets.macFor(id, code.toUpperCase());
      const row: VerificationRow = {
        id,
        project_id: request.projectId,
        phone: phone.e164,
        destination: phone.identity,
        purpose: request.purpose,
        channel,
        status: 'pending',
        reason: null,
        code_mac,
        key_version,
        code_length,
        attempts: 0,
        sends: JSON.stringify([[now, messageId]] satisfies Send[]),
        failed_checks: failedChecksColumn([]),
        client_ip,
        metadata: request.metadata === undefined ? null : JSON.stringify(request.metadata),
        created_at: now,
        expires_at: now + expiryMinutes * MINUTE_MS,
        verified_at: null,
        limits_lifted_at: null,
      };
      await repository.insert(trx, row);
      await events.record(trx, { type: 'otp.created', projectId: row.project_id, verificationId: id });
      const body = text.body ?? defaultMessage(expiryMinutes, channel);
      await enqueue(trx, row, { id: messageId, code, body, channel });
      const verification = toVerification(row, withMessageAt(destination, now), 'queued');
      return { verification, retried: false };
    },

    /**
     * Sends the same code again, by the channel that a send would take now.
     * @throws WotpError OTP_NOT_FOUND, OTP_EXPIRED, PHONE_OPTED_OUT, OTP_ATTEMPTS_EXCEEDED, RATE_LIMIT_EXCEEDED, WHATSAPP_OFFLINE,
     * CHANNEL_UNAVAILABLE; ConflictError when the stored code cannot be read
     */
    async resend(trx: Transaction, projectId: string, id: string): Promise<Verification> {
      const { row, destination, status } = await findAlone(trx, projectId, id);
      if (status !== 'pending') throw new NotFoundError(NONE_PENDING, 'OTP_NOT_FOUND');
      if (await isOptedOut(trx, projectId, row.destination)) throw optedOut();
      const now = clock.now();
      const channel = selectChannel('auto', projectId, row.phone);
      refuseWithoutGuesses(destination, row, now);
      // Once its next message would come after its end, no wait makes this one send again.
      const retryAt = Math.min(nextResendOf(destination, row, phoneLimits), row.expires_at);
      refuseTooSoon(destination, row, retryAt, now);
      const verification = await sendAgain(trx, row, destination, { channel });
      if (!verification) throw new ConflictError(UNREADABLE_CODE);
      return verification;
    },

    /** Cancels a pending verification; canceling it again changes nothing. Throws WotpError OTP_NOT_FOUND, OTP_EXPIRED. */
    async cancel(trx: Transaction, projectId: string, id: string): Promise<Verification> {
      const { row, status } = await findAlone(trx, projectId, id);
      if (status === 'pending') await ender.end(trx, row, 'canceled', 'canceled');
      else if (status !== 'canceled') throw new NotFoundError(NONE_PENDING, 'OTP_NOT_FOUND');
      return view(trx, (await repository.byId(trx, projectId, id)) ?? row);
    },

    /** One verification with the timeline of its messages. Throws NotFoundError. */
    async get(
      projectId: string,
      id: string,
    ): Promise<{ verification: Verification; timeline: VerificationTimelineEntry[] }> {
      const row = await repository.byId(database.reader, projectId, id);
      if (!row) throw new NotFoundError('There is no verification with this id.');
      const views = await messages.views(database.reader, messageIdsOf(row));
      const timeline = [...views.values()].flatMap(({ id: messageId, channel, timeline }) =>
        timeline.map((entry) => ({ ...entry, messageId, channel })),
      );
      return {
        verification: await view(database.reader, row),
        timeline: timeline.sort((a, b) => a.at - b.at),
      };
    },

    /**
     * A project's verifications, newest first; `cursor` is the id after which to go on. A page may be short and have a
     * next one all the same.
     * @throws WotpError PHONE_INVALID, PHONE_NOT_ALLOWED
     */
    async list(
      projectId: string,
      filter: Omit<VerificationFilter, 'destination'> & { phone?: string },
      { cursor, limit }: { cursor?: string; limit: number },
    ): Promise<{ verifications: Verification[]; next: string | null }> {
      const { phone, ...rest } = filter;
      const narrowed = phone === undefined ? rest : { ...rest, destination: readPhone(phone).identity };
      const { rows, next } = await list.page(projectId, narrowed, clock.now(), { before: cursor, limit });
      return { verifications: await Promise.all(rows.map((row) => view(database.reader, row))), next };
    },

    /** How many verifications made since `since` (Unix ms) are in each state. */
    counts: (projectId: string, since: number): Promise<Record<string, number>> =>
      repository.counts(projectId, firstIdAt('ver', since)),

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
     * Deletes up to `limit` ended verifications that began before `time` (Unix ms), the oldest first. Those that limits
     * and guesses are still counted from stay, whatever `time` is. Resolves to how many went, and to the ids of their
     * messages, which the same transaction has to delete.
     */
    async forgetEnded(
      trx: Transaction,
      time: number,
      limit: number,
    ): Promise<{ count: number; messageIds: string[] }> {
      const before = firstIdAt('ver', Math.min(time, clock.now() - LOOK_BACK_MS));
      const removed = await repository.removeEnded(trx, before, limit);
      return { count: removed.length, messageIds: removed.flatMap(messageIdsOf) };
    },

    /** A message failed for good: its verification fails too, unless another message of it has arrived or may. */
    async onUndeliverable(trx: Transaction, message: MessageRef, reason: string): Promise<void> {
      const { projectId, verificationId } = message;
      const found = await repository.byIdInAnyProject(trx, verificationId);
      if (!found) return;
      // Of two messages that fail at the same time the second sees that the first has.
      await database.serialize(trx, `${projectId}:${found.destination}`);
      const row = await repository.byIdInAnyProject(trx, verificationId);
      if (!row || statusAt(row, clock.now()) !== 'pending') return;
      if (await messages.anyAlive(trx, messageIdsOf(row))) return;
      await ender.end(trx, row, 'failed', reason);
    },
  };
}
