import type { ChannelName } from '../channels/channel.ts';
import type { ChannelSelection } from '../channels/selection.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import { ConflictError, NotFoundError, WotpError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import { addressIdentity } from '../lib/client-address.ts';
import type { Clock } from '../lib/clock.ts';
import { MINUTE_MS } from '../lib/duration.ts';
import { firstIdAt, newId } from '../lib/id.ts';
import { fullWindow, type PhoneLimits } from '../limits/phone-limits.ts';
import type { MessageService } from '../messages/service.ts';
import type { MessageRef, MessageStatus, NewMessage } from '../messages/types.ts';
import { codeCheck } from './check.ts';
import { generateCode } from './code.ts';
import { codeSecrets } from './code-secrets.ts';
import {
  attemptsRemaining,
  budgetOf,
  type Destination,
  failedChecksOf,
  LIFE_WORTH_A_RETRY_MS,
  loadDestination,
  messageIdsOf,
  nextFreeSendAt,
  nextResendOf,
  nextRetryAt,
  nextSendAt,
  pendingFor,
  SENDS_MAX,
  sendsOf,
  withFailedCheck,
  withMessageAt,
} from './destination.ts';
import { verificationEnder } from './ending.ts';
import { BUDGET_WINDOW_MS, type FailedCheck } from './guess-budget.ts';
import { limitDesk } from './limit-desk.ts';
import { type VerificationFilter, verificationList } from './list.ts';
import { defaultMessage } from './message-text.ts';
import type { PhoneReader } from './phone-reader.ts';
import { EXPIRED, guessesSpent, NONE_WITH_ID, optedOut, tooSoon, UNREADABLE_CODE } from './refusals.ts';
import {
  type DestinationRow,
  failedChecksColumn,
  type Send,
  type VerificationRow,
  verificationRepository,
} from './repository.ts';
import { expiryOf, readText } from './send-request.ts';
import { type SpreadRules, spreadLimits } from './spread-limits.ts';
import { statusAt } from './state-machine.ts';
import type {
  SendRequest,
  Verification,
  VerificationTimelineEntry,
  VerificationWithMetadata,
} from './types.ts';
import { upkeep } from './upkeep.ts';

export interface OtpRules {
  length: number;
  expiryMinutes: number;
  maxExpiryMinutes: number;
  maxAttempts: number;
  phoneLimits: PhoneLimits;
  spread: SpreadRules;
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
  const spread = spreadLimits({ database, repository, rules: rules.spread });
  const limits = limitDesk({ ...deps, repository, phoneLimits });

  const load = (executor: Executor, projectId: string, identity: string) =>
    loadDestination(repository, executor, projectId, identity, clock.now());

  /** Loads a phone's state so that nobody else decides on it until this transaction has ended. */
  async function loadAlone(trx: Transaction, projectId: string, identity: string): Promise<Destination> {
    await database.serialize(trx, `${projectId}:${identity}`);
    return load(trx, projectId, identity);
  }

  function toVerification(
    row: DestinationRow,
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
    };
  }

  async function view(executor: Executor, row: DestinationRow): Promise<Verification> {
    const destination = await load(executor, row.project_id, row.destination);
    const [newest] = (await messages.views(executor, messageIdsOf(row).slice(-1))).values();
    return toVerification(row, destination, newest?.status ?? 'expired');
  }

  async function viewWithMetadata(row: VerificationRow): Promise<VerificationWithMetadata> {
    const metadata = row.metadata === null ? null : (JSON.parse(row.metadata) as Record<string, unknown>);
    return { ...(await view(database.reader, row)), metadata };
  }

  /** Nothing is sent to a phone whose guesses are used up. */
  function refuseWithoutGuesses(
    destination: Destination,
    guesser: Pick<DestinationRow, 'code_length' | 'client_ip'>,
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
    row: DestinationRow,
    message: Pick<NewMessage, 'id' | 'code' | 'body' | 'channel' | 'metadata'>,
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
      metadata: message.metadata,
      expiresAt: row.expires_at,
    });
  }

  /** Refuses another message of a pending verification before its time; `retryAt` is when the same request may pass. */
  function refuseTooSoon(destination: Destination, row: DestinationRow, retryAt: number, now: number): void {
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
    row: DestinationRow,
    destination: Destination,
    {
      body: newBody,
      channel,
      phone = row.phone,
      metadata,
    }: { channel: ChannelName; body?: string; phone?: string; metadata?: Record<string, unknown> },
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
    await enqueue(trx, { ...row, phone }, { id, code: previous.code, body, channel, metadata });
    const all: Send[] = [...sends, [now, id]];
    // Its time may have run out since it was read.
    if (!(await repository.setSends(trx, row.id, all, channel))) throw new WotpError('OTP_EXPIRED', EXPIRED);
    return toVerification(
      { ...row, sends: JSON.stringify(all), channel },
      withMessageAt(destination, now),
      'queued',
    );
  }

  /**
   * The verification with this id that is open for the request, alone with its phone's state.
   * @throws NotFoundError for every other, by the same reads as for one that never existed
   */
  async function findAlone(trx: Transaction, request: 'resend' | 'cancel', projectId: string, id: string) {
    const identity = await repository.openDestination(trx, request, { projectId, id, since: 0 });
    if (identity === undefined) throw new NotFoundError(NONE_WITH_ID, 'OTP_NOT_FOUND');
    const destination = await loadAlone(trx, projectId, identity);
    const row =
      destination.verifications.find((candidate) => candidate.id === id) ??
      (await repository.byId(trx, projectId, id));
    if (!row) throw new NotFoundError(NONE_WITH_ID, 'OTP_NOT_FOUND');
    const status = statusAt(row, clock.now());
    if (status === 'expired') throw new WotpError('OTP_EXPIRED', EXPIRED);
    return { row, destination, status };
  }

  return {
    verify,
    limits,
    ...upkeep({ ...deps, repository, ender, spread }),

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
      const expiryMinutes = expiryOf(request, rules);
      const text = readText(request);
      if (await isOptedOut(trx, request.projectId, phone.identity)) throw optedOut();
      const channel = selectChannel(request.channel, request.projectId, phone.e164);
      let destination = await loadAlone(trx, request.projectId, phone.identity);
      const now = clock.now();
      const client_ip = request.clientIp === undefined ? null : addressIdentity(request.clientIp);

      const pending = pendingFor(destination, request.purpose, now);
      const repeatable = pending && pending.expires_at - now >= LIFE_WORTH_A_RETRY_MS ? pending : undefined;
      const code_length = text.code?.length ?? repeatable?.code_length ?? request.length ?? rules.length;
      refuseWithoutGuesses(destination, { code_length, client_ip }, now);
      const newSend = { projectId: request.projectId, identity: phone.identity, clientIp: client_ip, now };
      /** Lets a new verification through; the virtual phone costs nobody anything. */
      const admit = () => (channel === 'simulator' ? undefined : spread.admit(trx, newSend));
      let countSend: Awaited<ReturnType<typeof admit>>;
      if (repeatable) {
        // Before the codes are compared: a refusal that told whether they are the same would be a free guess.
        refuseTooSoon(destination, repeatable, nextRetryAt(destination, repeatable, phoneLimits), now);
        const guess: FailedCheck | undefined = text.code === undefined ? undefined : [now, client_ip];
        if (guess) {
          // What would refuse another code refuses this one, for the same reason.
          refuseWithoutGuesses(withFailedCheck(destination, guess), { code_length, client_ip }, now);
          countSend = await admit();
        }
        if (!guess || secrets.matches(repeatable, text.code!.toUpperCase())) {
          const { metadata } = request;
          const wanted = { channel, body: text.body, phone: phone.e164, metadata };
          const verification = await sendAgain(trx, repeatable, destination, wanted);
          if (verification) return { verification, retried: true };
        } else {
          // The answer says that the codes differ, as that of a check would have said.
          await repository.spendAttempt(trx, repeatable.id, [...failedChecksOf(repeatable), guess]);
          destination = withFailedCheck(destination, guess);
        }
      }

      const allowedAt = nextSendAt(destination, phoneLimits);
      if (allowedAt > now)
        throw tooSoon(allowedAt, now, fullWindow(destination.sentAt, phoneLimits, allowedAt));
      countSend ??= await admit();
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
        verified_client_ip: null,
      };
      await repository.insert(trx, row);
      await countSend?.(id);
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
      const { row, destination, status } = await findAlone(trx, 'resend', projectId, id);
      if (status !== 'pending') throw new NotFoundError(NONE_WITH_ID, 'OTP_NOT_FOUND');
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
      const { row, status } = await findAlone(trx, 'cancel', projectId, id);
      if (status === 'pending') await ender.end(trx, row, 'canceled', 'canceled');
      else if (status !== 'canceled') throw new NotFoundError(NONE_WITH_ID, 'OTP_NOT_FOUND');
      return view(trx, (await repository.byId(trx, projectId, id)) ?? row);
    },

    /** One verification with the timeline of its messages. Throws NotFoundError. */
    async get(
      projectId: string,
      id: string,
    ): Promise<{ verification: VerificationWithMetadata; timeline: VerificationTimelineEntry[] }> {
      const row = await repository.byId(database.reader, projectId, id);
      if (!row) throw new NotFoundError('There is no verification with this id.');
      const views = await messages.views(database.reader, messageIdsOf(row));
      const timeline = [...views.values()].flatMap(({ id: messageId, channel, timeline, metadata }) =>
        timeline.map((entry, i) => ({
          ...entry,
          messageId,
          channel,
          ...(i === 0 && metadata ? { metadata } : {}),
        })),
      );
      return {
        verification: await viewWithMetadata(row),
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
    ): Promise<{ verifications: VerificationWithMetadata[]; next: string | null }> {
      const { phone, ...rest } = filter;
      const narrowed = phone === undefined ? rest : { ...rest, destination: readPhone(phone).identity };
      const { rows, next } = await list.page(projectId, narrowed, clock.now(), { before: cursor, limit });
      return { verifications: await Promise.all(rows.map(viewWithMetadata)), next };
    },

    /** How many verifications made since `since` (Unix ms) are in each state. */
    counts: (projectId: string, since: number): Promise<Record<string, number>> =>
      repository.counts(projectId, firstIdAt('ver', since)),

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
