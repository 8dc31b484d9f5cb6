import type { ChannelName } from '../channels/channel.ts';
import type { ChannelSelection } from '../channels/selection.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import { NotFoundError, RateLimitError, ValidationError, WotpError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { firstIdAt, newId } from '../lib/id.ts';
import type { PhoneLimits } from '../limits/phone-limits.ts';
import type { MessageService } from '../messages/service.ts';
import type { MessageRef } from '../messages/types.ts';
import { codeMac, generateCode, macsEqual, normalizeCode } from './code.ts';
import {
  attemptsRemaining,
  budgetOf,
  type Destination,
  failedChecksOf,
  LIFE_WORTH_A_RETRY_MS,
  latestFor,
  loadDestination,
  messageIdsOf,
  nextRetryAt,
  nextSendAt,
  pendingFor,
  sendsOf,
} from './destination.ts';
import type { FailedCheck } from './guess-budget.ts';
import { defaultMessage, readMessage } from './message-text.ts';
import type { PhoneReader } from './phone-reader.ts';
import { type Send, type VerificationRow, verificationRepository } from './repository.ts';
import { ENDINGS, type Ending, statusAt } from './state-machine.ts';
import type {
  SendRequest,
  Verification,
  VerificationStatus,
  VerificationTimelineEntry,
  VerifyRequest,
} from './types.ts';

const MINUTE_MS = 60_000;
const NONE_PENDING = 'No code is waiting for this number. Send a new one.';
const EXPIRED = 'The code has expired. Send a new one.';

export interface OtpRules {
  length: number;
  expiryMinutes: number;
  maxExpiryMinutes: number;
  maxAttempts: number;
  phoneLimits: PhoneLimits;
}

/** A phone's limits in a project, as an administrator sees them. Times are Unix ms. */
export interface PhoneLimitState {
  /** E.164. */
  phone: string;
  messagesLast10Minutes: number;
  messagesLastDay: number;
  failedChecksLastDay: number;
  /** Guesses the phone has left over all its verifications. */
  guessesRemaining: number;
  /** When the next send is allowed; null when it is now. */
  nextSendAt: number | null;
}

/** What a check came to. Everything but `verified` is an error to the caller, after what it changed is committed. */
type CheckResult =
  | { outcome: 'verified'; row: VerificationRow; verifiedAt: number }
  | { outcome: 'incorrect'; attemptsRemaining: number }
  | { outcome: 'exceeded'; nextSendAt: number }
  | { outcome: 'expired' }
  | { outcome: 'none' };

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
}) {
  const { database, keyring, events, messages, clock, rules, readPhone, selectChannel } = deps;
  const repository = verificationRepository(database);

  const macOf = (row: { id: string; key_version: number }, code: string) =>
    codeMac(keyring.key('otp-code', row.key_version), row.id, code);

  const load = (executor: Executor, projectId: string, identity: string) =>
    loadDestination(repository, executor, projectId, identity, clock.now());

  /** Loads a phone's state so that nobody else decides on it until this transaction has ended. */
  async function loadAlone(trx: Transaction, projectId: string, identity: string): Promise<Destination> {
    await database.serialize(trx, `${projectId}:${identity}`);
    return load(trx, projectId, identity);
  }

  /** Ends a pending verification, with its event, and stops its messages. False when it had ended before. */
  async function end(
    trx: Transaction,
    row: VerificationRow,
    status: Ending,
    reason: string | null,
  ): Promise<boolean> {
    const verifiedAt = status === 'verified' ? clock.now() : null;
    if (!(await repository.end(trx, { id: row.id, status, reason, verifiedAt }))) return false;
    await events.record(trx, {
      type: ENDINGS[status],
      projectId: row.project_id,
      verificationId: row.id,
      ...(reason === null ? {} : { data: { reason } }),
    });
    const ids = messageIdsOf(row);
    if (status === 'verified') await messages.confirmDelivery(trx, ids);
    await messages.stop(trx, ids, {
      status: status === 'expired' ? 'expired' : 'canceled',
      reason: reason ?? `verification ${status}`,
    });
    return true;
  }

  function toVerification(
    row: VerificationRow,
    destination: Destination,
    messageStatus: Verification['messageStatus'],
  ): Verification {
    const now = clock.now();
    const [, messageId] = sendsOf(row).at(-1)!;
    return {
      id: row.id,
      messageId,
      phone: row.phone,
      purpose: row.purpose,
      channel: row.channel as ChannelName,
      status: statusAt(row, now),
      messageStatus,
      createdAt: row.created_at,
      expiresAt: row.expires_at,
      resendAt:
        statusAt(row, now) === 'pending'
          ? nextRetryAt(destination, row, rules.phoneLimits)
          : Math.max(now, nextSendAt(destination, rules.phoneLimits)),
      attemptsRemaining:
        statusAt(row, now) === 'pending' ? attemptsRemaining(destination, row, rules.maxAttempts, now) : 0,
      verifiedAt: row.verified_at,
      reason: row.reason,
      metadata: row.metadata === null ? null : (JSON.parse(row.metadata) as Record<string, unknown>),
    };
  }

  async function view(executor: Executor, row: VerificationRow): Promise<Verification> {
    const destination = await load(executor, row.project_id, row.destination);
    const views = await messages.views(executor, messageIdsOf(row).slice(-1));
    const newest = [...views.values()][0];
    return toVerification(row, destination, newest?.status ?? 'expired');
  }

  /** Puts one more message with the same code into the outbox. */
  async function sendAgain(
    trx: Transaction,
    row: VerificationRow,
    destination: Destination,
    changes: { body?: string; channel: ChannelName },
  ): Promise<Verification> {
    const now = clock.now();
    const sends = sendsOf(row);
    const allowedAt = nextRetryAt(destination, row, rules.phoneLimits);
    if (allowedAt > now) throw tooSoon(allowedAt, now);
    const [, previous] = sends.at(-1)!;
    const code = await messages.codeOf(trx, previous);
    const body = changes.body ?? (await messages.bodyOf(trx, previous));
    if (code === undefined || body === undefined) {
      throw new Error(`The message ${previous} of a pending verification has no code.`);
    }
    const messageId = newId('msg', now);
    await enqueue(trx, row, messageId, code, body, changes.channel);
    const all: Send[] = [...sends, [now, messageId]];
    await repository.setSends(trx, row.id, all, changes.channel);
    return toVerification(
      { ...row, sends: JSON.stringify(all), channel: changes.channel },
      { ...destination, sentAt: [...destination.sentAt, now] },
      'queued',
    );
  }

  function enqueue(
    trx: Transaction,
    row: Pick<VerificationRow, 'id' | 'project_id' | 'phone' | 'expires_at'>,
    messageId: string,
    code: string,
    body: string,
    channel: ChannelName,
  ): Promise<void> {
    return messages.enqueue(trx, {
      id: messageId,
      projectId: row.project_id,
      verificationId: row.id,
      phone: row.phone,
      channel,
      body,
      code,
      expiresAt: row.expires_at,
    });
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

  /** Compares a code with the one of a verification, and does the same work when there is none. */
  function matches(row: VerificationRow | undefined, code: string): boolean {
    const mac = macOf(row ?? { id: 'ver_none', key_version: keyring.version }, code);
    return macsEqual(mac, row?.code_mac ?? Buffer.alloc(mac.length)) && row !== undefined;
  }

  async function check(trx: Transaction, request: VerifyRequest, code: string): Promise<CheckResult> {
    const identity =
      request.id === undefined
        ? readPhone(request.phone!).identity
        : (await repository.byId(trx, request.projectId, request.id))?.destination;
    const destination =
      identity === undefined ? undefined : await loadAlone(trx, request.projectId, identity);
    const row =
      destination &&
      (request.id === undefined
        ? latestFor(destination, request.purpose ?? 'default')
        : destination.verifications.find((candidate) => candidate.id === request.id));
    const now = clock.now();
    const status = row && statusAt(row, now);

    if (!row || !destination || status !== 'pending') {
      matches(undefined, code);
      if (row && destination && status === 'max_attempts_reached') {
        return { outcome: 'exceeded', nextSendAt: nextFreeSendAt(destination, row, now) };
      }
      if (row && status === 'expired') {
        await end(trx, row, 'expired', null);
        return { outcome: 'expired' };
      }
      return { outcome: 'none' };
    }

    const clientIp = request.clientIp ?? row.client_ip;
    const guesser = { ...row, client_ip: clientIp };
    if (attemptsRemaining(destination, guesser, rules.maxAttempts, now) === 0) {
      matches(undefined, code);
      return { outcome: 'exceeded', nextSendAt: nextFreeSendAt(destination, guesser, now) };
    }

    // The attempt is taken before the comparison; both are committed together, whatever the comparison says.
    const failed: FailedCheck = [now, clientIp];
    if (!(await repository.spendAttempt(trx, row.id, [...failedChecksOf(row), failed])))
      return { outcome: 'none' };
    if (matches(row, code)) {
      await end(trx, row, 'verified', null);
      for (const other of destination.verifications) {
        if (other.id === row.id || failedChecksOf(other).length > 0)
          await repository.setFailedChecks(trx, other.id, []);
      }
      return { outcome: 'verified', row, verifiedAt: now };
    }
    const after = { ...destination, failedChecks: [...destination.failedChecks, failed] };
    const remaining = attemptsRemaining(
      after,
      { ...guesser, attempts: row.attempts + 1 },
      rules.maxAttempts,
      now,
    );
    if (remaining === 0) await end(trx, row, 'max_attempts_reached', 'max_attempts_reached');
    return { outcome: 'incorrect', attemptsRemaining: remaining };
  }

  /** When a phone without guesses may be sent a new code (Unix ms). */
  function nextFreeSendAt(
    destination: Destination,
    row: Pick<VerificationRow, 'code_length' | 'client_ip'>,
    now: number,
  ): number {
    const budget = budgetOf(destination, { codeLength: row.code_length, clientIp: row.client_ip }, now);
    return Math.max(
      nextSendAt(destination, rules.phoneLimits),
      budget.remaining === 0 ? budget.refillsAt : 0,
    );
  }

  async function pendingById(trx: Transaction, projectId: string, id: string) {
    const found = await repository.byId(trx, projectId, id);
    if (!found) throw new NotFoundError(NONE_PENDING, 'OTP_NOT_FOUND');
    const destination = await loadAlone(trx, projectId, found.destination);
    const row = (await repository.byId(trx, projectId, id))!;
    return { row, destination, status: statusAt(row, clock.now()) };
  }

  return {
    /**
     * Sends a code. While one is pending for the phone and purpose this is a retry: the same code goes out again.
     * Another code, or less than a minute of life left, begins a new verification and ends the old one.
     * @throws WotpError PHONE_INVALID, PHONE_NOT_ALLOWED, RATE_LIMIT_EXCEEDED, OTP_ATTEMPTS_EXCEEDED,
     * VALIDATION_ERROR, WHATSAPP_OFFLINE, CHANNEL_UNAVAILABLE
     */
    async send(
      trx: Transaction,
      request: SendRequest,
    ): Promise<{ verification: Verification; retried: boolean }> {
      const phone = readPhone(request.phone);
      const channel = selectChannel(request.channel);
      const expiryMinutes = expiryOf(request);
      const text = readText(request);
      const destination = await loadAlone(trx, request.projectId, phone.identity);
      const now = clock.now();
      const clientIp = request.clientIp ?? null;

      const pending = pendingFor(destination, request.purpose, now);
      const isRetry =
        pending !== undefined &&
        pending.expires_at - now >= LIFE_WORTH_A_RETRY_MS &&
        (text.code === undefined || matches(pending, text.code.toUpperCase()));
      const codeLength = isRetry
        ? pending.code_length
        : (text.code?.length ?? request.length ?? rules.length);
      const budget = budgetOf(destination, { codeLength, clientIp }, now);
      if (budget.remaining === 0) {
        throw exceeded(
          nextFreeSendAt(destination, { code_length: codeLength, client_ip: clientIp }, now),
          now,
        );
      }

      if (isRetry) {
        const verification = await sendAgain(trx, pending, destination, { channel, body: text.body });
        return { verification, retried: true };
      }

      const allowedAt = nextSendAt(destination, rules.phoneLimits);
      if (allowedAt > now) throw tooSoon(allowedAt, now);
      if (pending) await end(trx, pending, 'canceled', 'superseded');

      const code = text.code ?? generateCode(codeLength, request.alphabet ?? 'numeric');
      const id = newId('ver', now);
      const messageId = newId('msg', now);
      const row: VerificationRow = {
        id,
        project_id: request.projectId,
        phone: phone.e164,
        destination: phone.identity,
        purpose: request.purpose,
        channel,
        status: 'pending',
        reason: null,
        code_mac: macOf({ id, key_version: keyring.version }, code.toUpperCase()),
        key_version: keyring.version,
        code_length: codeLength,
        attempts: 0,
        sends: JSON.stringify([[now, messageId]] satisfies Send[]),
        failed_checks: '[]',
        client_ip: clientIp,
        metadata: request.metadata === undefined ? null : JSON.stringify(request.metadata),
        created_at: now,
        expires_at: now + expiryMinutes * MINUTE_MS,
        verified_at: null,
        limits_lifted_at: null,
      };
      await repository.insert(trx, row);
      await events.record(trx, { type: 'otp.created', projectId: row.project_id, verificationId: id });
      await enqueue(trx, row, messageId, code, text.body ?? defaultMessage(expiryMinutes), channel);
      const sent = { ...destination, sentAt: [...destination.sentAt, now] };
      return { verification: toVerification(row, sent, 'queued'), retried: false };
    },

    /**
     * Checks what the person typed. Whatever it comes to is committed before this settles.
     * @throws WotpError VALIDATION_ERROR (costs no attempt), OTP_INCORRECT, OTP_EXPIRED, OTP_NOT_FOUND,
     * OTP_ATTEMPTS_EXCEEDED
     */
    async verify(request: VerifyRequest): Promise<{
      id: string;
      phone: string;
      purpose: string;
      status: VerificationStatus;
      verifiedAt: number;
    }> {
      const code = normalizeCode(request.code);
      if (code === undefined) {
        const message = 'ASCII letters and digits only; spaces and hyphens between them are ignored.';
        throw new ValidationError('The code is not well-formed.', [{ path: 'code', message }]);
      }
      const result = await database.transaction((trx) => check(trx, request, code));
      switch (result.outcome) {
        case 'verified': {
          const { id, phone, purpose } = result.row;
          return { id, phone, purpose, status: 'verified', verifiedAt: result.verifiedAt };
        }
        case 'incorrect': {
          const { attemptsRemaining } = result;
          const left = attemptsRemaining === 1 ? '1 attempt is' : `${attemptsRemaining} attempts are`;
          throw new WotpError('OTP_INCORRECT', `The code is wrong; ${left} left.`, { attemptsRemaining });
        }
        case 'exceeded':
          throw exceeded(result.nextSendAt, clock.now());
        case 'expired':
          throw new WotpError('OTP_EXPIRED', EXPIRED);
        case 'none':
          throw new NotFoundError(NONE_PENDING, 'OTP_NOT_FOUND');
      }
    },

    /** Sends the same code again. Throws WotpError OTP_NOT_FOUND, OTP_EXPIRED, RATE_LIMIT_EXCEEDED. */
    async resend(trx: Transaction, projectId: string, id: string): Promise<Verification> {
      const { row, destination, status } = await pendingById(trx, projectId, id);
      if (status === 'expired') throw new WotpError('OTP_EXPIRED', EXPIRED);
      if (status !== 'pending') throw new NotFoundError(NONE_PENDING, 'OTP_NOT_FOUND');
      const guesser = { codeLength: row.code_length, clientIp: row.client_ip };
      const now = clock.now();
      if (budgetOf(destination, guesser, now).remaining === 0) {
        throw exceeded(nextFreeSendAt(destination, row, now), now);
      }
      return sendAgain(trx, row, destination, { channel: row.channel as ChannelName });
    },

    /** Cancels a pending verification; canceling it again changes nothing. Throws OTP_NOT_FOUND, OTP_EXPIRED. */
    async cancel(trx: Transaction, projectId: string, id: string): Promise<Verification> {
      const { row, status } = await pendingById(trx, projectId, id);
      if (status === 'expired') throw new WotpError('OTP_EXPIRED', EXPIRED);
      if (status === 'pending') await end(trx, row, 'canceled', 'canceled');
      else if (status !== 'canceled') throw new NotFoundError(NONE_PENDING, 'OTP_NOT_FOUND');
      return view(trx, (await repository.byId(trx, projectId, id))!);
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

    /** A project's verifications, newest first. `cursor` is the id after which to go on. */
    async list(
      projectId: string,
      filter: { phone?: string; purpose?: string; status?: string; from?: number; to?: number },
      page: { cursor?: string; limit: number },
    ): Promise<{ verifications: Verification[]; next: string | null }> {
      const rows = await repository.list(
        projectId,
        {
          destination: filter.phone === undefined ? undefined : readPhone(filter.phone).identity,
          purpose: filter.purpose,
          status: filter.status,
          createdFrom: filter.from === undefined ? undefined : firstIdAt('ver', filter.from),
          createdBefore: filter.to === undefined ? undefined : firstIdAt('ver', filter.to),
        },
        clock.now(),
        { before: page.cursor, limit: page.limit + 1 },
      );
      const shown = rows.slice(0, page.limit);
      const verifications = await Promise.all(shown.map((row) => view(database.reader, row)));
      return { verifications, next: rows.length > page.limit ? shown.at(-1)!.id : null };
    },

    /** Ends the verifications whose time is over, up to `limit` of them. Returns how many there were. */
    async expireDue(limit: number): Promise<number> {
      const due = await repository.due(database.reader, clock.now(), limit);
      if (due.length === 0) return 0;
      await database.transaction(async (trx) => {
        for (const row of due) await end(trx, row, 'expired', null);
      });
      return due.length;
    },

    /** A message failed for good: its verification fails too, unless another message of it has arrived or may. */
    async onUndeliverable(trx: Transaction, message: MessageRef, reason: string): Promise<void> {
      const row = await repository.byIdInAnyProject(trx, message.verificationId);
      if (row?.status !== 'pending') return;
      if (await messages.anyAlive(trx, messageIdsOf(row))) return;
      await end(trx, row, 'failed', reason);
    },

    /** What limits say of a phone. Throws WotpError PHONE_INVALID, PHONE_NOT_ALLOWED. */
    async limitState(projectId: string, phoneInput: string): Promise<PhoneLimitState> {
      const phone = readPhone(phoneInput);
      const destination = await load(database.reader, projectId, phone.identity);
      const now = clock.now();
      const since = (windowMs: number) => destination.sentAt.filter((at) => at > now - windowMs).length;
      const shortCode = destination.verifications.some(
        (row) => row.code_length < 6 && row.status === 'pending',
      );
      const guesser = { code_length: shortCode ? 5 : 6, client_ip: null };
      const next = nextFreeSendAt(destination, guesser, now);
      return {
        phone: phone.e164,
        messagesLast10Minutes: since(10 * MINUTE_MS),
        messagesLastDay: since(24 * 60 * MINUTE_MS),
        failedChecksLastDay: destination.failedChecks.filter(([at]) => at > now - 24 * 60 * MINUTE_MS).length,
        guessesRemaining: budgetOf(destination, { codeLength: guesser.code_length, clientIp: null }, now)
          .remaining,
        nextSendAt: next > now ? next : null,
      };
    },

    /** Lifts everything that locks a phone; recorded with `actor`. */
    async liftLimits(
      trx: Transaction,
      projectId: string,
      phoneInput: string,
      actor: string,
    ): Promise<string> {
      const phone = readPhone(phoneInput);
      const destination = await loadAlone(trx, projectId, phone.identity);
      await repository.liftLimits(
        trx,
        destination.verifications.map((row) => row.id),
        clock.now(),
      );
      const masked = phone.e164.slice(-4).padStart(phone.e164.length, '*');
      await events.record(trx, { type: 'limits.cleared', projectId, data: { phone: masked, actor } });
      return phone.e164;
    },
  };
}

function retryAfterSeconds(at: number, now: number): number {
  return Math.max(1, Math.ceil((at - now) / 1000));
}

function tooSoon(allowedAt: number, now: number): RateLimitError {
  const seconds = retryAfterSeconds(allowedAt, now);
  return new RateLimitError(
    `This number has just been sent a code. The next one is allowed in ${seconds} s.`,
    seconds,
  );
}

function exceeded(nextSendAt: number, now: number): RateLimitError {
  const seconds = retryAfterSeconds(nextSendAt, now);
  return new RateLimitError(
    `Too many wrong codes for this number. A new code may be sent in ${seconds} s.`,
    seconds,
    'OTP_ATTEMPTS_EXCEEDED',
  );
}
