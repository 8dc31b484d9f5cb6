import type { Routing } from '../channels/route.ts';
import type { Database, Executor, Transaction } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import { ConflictError, NotFoundError, WotpError } from '../errors/errors.ts';
import type { EventRecorder } from '../events/record.ts';
import { addressIdentity } from '../lib/client-address.ts';
import type { Clock } from '../lib/clock.ts';
import { DAY_MS, MINUTE_MS } from '../lib/duration.ts';
import { newId } from '../lib/id.ts';
import { fullWindow } from '../limits/phone-limits.ts';
import type { ChannelName } from '../messages/channel.ts';
import type { MessageService } from '../messages/service.ts';
import type { Said } from '../messages/types.ts';
import type { Settings } from '../settings/settings.ts';
import type { MessageTexts } from '../templates/message-texts.ts';
import { nextStep } from './chain.ts';
import { codeCheck } from './check.ts';
import { codeSecrets } from './code-secrets.ts';
import {
  budgetOf,
  type Destination,
  failedChecksOf,
  LIFE_WORTH_A_RETRY_MS,
  loadDestination,
  messagesAt,
  nextFreeSendAt,
  nextInWindows,
  nextResendOf,
  nextRetryAt,
  nextSendAt,
  pendingFor,
  routeOf,
  SENDS_MAX,
  sendsOf,
  withFailedCheck,
  withMessageAt,
} from './destination.ts';
import { verificationEnder } from './ending.ts';
import { BUDGET_WINDOW_MS, type FailedCheck } from './guess-budget.ts';
import { limitAdministration } from './limit-administration.ts';
import { outgoing, sentBy } from './outgoing.ts';
import type { Person } from './person.ts';
import { verificationReading } from './reading.ts';
import { EXPIRED, guessesSpent, NONE_WITH_ID, tooSoon, UNREADABLE_CODE } from './refusals.ts';
import {
  type DestinationRow,
  failedChecksColumn,
  type Send,
  type VerificationRow,
  verificationRepository,
} from './repository.ts';
import { newCode, sendReader } from './send-request.ts';
import { sendWay } from './send-way.ts';
import { spreadLimits } from './spread-limits.ts';
import { statusAt } from './state-machine.ts';
import { phoneLimitsOf, TEST_PLACE, TEST_ROUTE } from './test-send.ts';
import type { SendRequest, Verification, VerificationStatus } from './types.ts';
import { upkeep } from './upkeep.ts';

/** The rules of verifications. Verbs that take a transaction leave committing to the caller. */
export type OtpService = ReturnType<typeof otpService>;

export function otpService(deps: {
  database: Database;
  keyring: Keyring;
  events: EventRecorder;
  messages: MessageService;
  clock: Clock;
  settings: Settings;
  routing: Routing;
  /** What the messages say. */
  texts: MessageTexts;
  /** Whether a phone, by its identity, has opted out of messages. */
  isOptedOut: (executor: Executor, projectId: number, identity: string) => Promise<boolean>;
  /** The fixed code of a test number, by its identity; undefined for every other. */
  testCodeFor: (projectId: number, identity: string) => string | undefined;
}) {
  const { database, keyring, events, messages, clock, settings, routing, testCodeFor } = deps;
  const repository = verificationRepository(database);
  const secrets = codeSecrets(keyring);
  const ender = verificationEnder({ repository, events, messages });
  const readSend = sendReader(deps);
  const { wayFor, whyAddressFull, refuseOptedOut } = sendWay({ ...deps, repository });
  const out = outgoing({ ...deps, repository, ender });
  const verify = codeCheck({ ...deps, repository, ender, secrets });
  const spread = spreadLimits({ database, repository, settings });
  const limits = limitAdministration({ ...deps, repository });
  const read = verificationReading({ ...deps, repository });
  const { toVerification, view } = read;

  const load = (executor: Executor, projectId: number, identity: string) =>
    loadDestination(repository, executor, projectId, identity, clock.now());

  /** Loads a phone's state so that nobody else decides on it until this transaction has ended. */
  async function loadAlone(trx: Transaction, projectId: number, identity: string): Promise<Destination> {
    await database.serialize(trx, `${projectId}:${identity}`);
    return loadWhole(trx, projectId, identity);
  }

  /** Loads a phone's state with the messages to it that carry no code of its own. */
  async function loadWhole(executor: Executor, projectId: number, identity: string): Promise<Destination> {
    const destination = await load(executor, projectId, identity);
    const others = await messages.acceptedFor(executor, projectId, identity, clock.now() - DAY_MS);
    if (others.length > 0) destination.othersAt = others.filter((at) => at >= destination.countedFrom);
    return destination;
  }

  /** Nothing is sent to a phone whose guesses are used up. */
  function refuseWithoutGuesses(
    destination: Destination,
    guesser: Pick<DestinationRow, 'project_id' | 'code_length' | 'client_ip'>,
    now: number,
  ): void {
    const { remaining, quota } = budgetOf(destination, guesser, now);
    if (remaining > 0) return;
    const { phoneLimits } = settings.of(guesser.project_id);
    const nextSendAt = nextFreeSendAt(destination, guesser, phoneLimits, now);
    throw guessesSpent(nextSendAt, now, { quota, windowMs: BUDGET_WINDOW_MS });
  }

  /** Refuses another message of a pending verification before its time; `retryAt` is when the same request may pass. */
  function refuseTooSoon(destination: Destination, row: DestinationRow, retryAt: number, now: number): void {
    const phoneLimits = phoneLimitsOf(settings, row);
    if (nextResendOf(destination, row, phoneLimits) <= now) return;
    const limit =
      sendsOf(row).length >= SENDS_MAX
        ? { quota: SENDS_MAX, windowMs: row.expires_at - row.created_at }
        : fullWindow(messagesAt(destination), phoneLimits, retryAt);
    throw tooSoon(retryAt, now, limit);
  }

  /** The pending verification after another message of its own. */
  const afterMessage = (row: DestinationRow, destination: Destination) =>
    toVerification(row, withMessageAt(destination, clock.now()), 'queued');

  /**
   * Repeats a pending verification: by the channel it is at, or along the channels that the request names. Undefined when
   * the stored code cannot be read or is in a value of the request's template; then nothing was sent.
   */
  async function sendAgain(
    trx: Transaction,
    row: DestinationRow,
    given: { request: SendRequest; person: Person; route: ChannelName[]; said: Said | undefined },
  ): Promise<DestinationRow | undefined> {
    const { request, person, route, said } = given;
    const now = { ...row, phone: person.phone?.e164 ?? row.phone, email: person.email?.address ?? row.email };
    const { locale, metadata, lane } = request;
    const message = { said, locale, metadata, lane };
    const name = routeOf(row)[row.step]!;
    const isAsked = request.channel !== 'auto' || request.channels !== undefined;
    // Delivered as it is now: mock mode may have been switched since.
    if (!isAsked && route.includes(name)) {
      return out.sendFrom(trx, { ...now, channel: routing.deliverer(name) }, message);
    }
    const used = routeOf(row).slice(0, row.step + 1);
    const reason = sentBy(route[0]!, 'asked for');
    const moved = { ...now, ...out.placeAt(row, [...used, ...route], used.length) };
    return out.sendFrom(trx, moved, { ...message, reason });
  }

  /**
   * The verification with this id that is open for the request, alone with its phone's state.
   * @throws NotFoundError for every other, by the same reads as for one that never existed
   */
  async function findAlone(trx: Transaction, request: 'resend' | 'cancel', projectId: number, id: string) {
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

    /**
     * Refuses what a send would refuse now, but for limits: those count when it is made. Resolves to whom it would reach.
     * @throws WotpError as `send` does, but for RATE_LIMIT_EXCEEDED and OTP_ATTEMPTS_EXCEEDED
     */
    async requireSendable(executor: Executor, request: SendRequest): Promise<Person> {
      const { person } = await readSend(executor, request);
      await wayFor(executor, request, person, async () => undefined);
      return person;
    },

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
      const { code: rules } = settings.of(request.projectId);
      const { person, expiryMinutes, code: codeInRequest, said } = await readSend(trx, request);
      const testCode = testCodeFor(request.projectId, person.identity);
      const isTest = testCode !== undefined;
      const givenCode = testCode ?? codeInRequest;
      const route = isTest
        ? TEST_ROUTE
        : await wayFor(trx, request, person, (identity) => whyAddressFull(trx, request.projectId, identity));
      let destination = await loadAlone(trx, request.projectId, person.identity);
      const now = clock.now();
      const client_ip = request.clientIp === undefined ? null : addressIdentity(request.clientIp);

      const pending = pendingFor(destination, request.purpose, now);
      const mayRepeat = pending && !isTest && !pending.is_test;
      const repeatable = mayRepeat && pending.expires_at - now >= LIFE_WORTH_A_RETRY_MS ? pending : undefined;
      const phoneLimits = phoneLimitsOf(settings, { project_id: request.projectId, is_test: isTest ? 1 : 0 });
      const code_length = givenCode?.length ?? repeatable?.code_length ?? request.length ?? rules.length;
      const guesser = { project_id: request.projectId, code_length, client_ip };
      refuseWithoutGuesses(destination, guesser, now);
      const newSend = { projectId: request.projectId, identity: person.identity, clientIp: client_ip, now };
      /** Lets a new verification through; the virtual phone costs nobody anything. */
      const admit = () =>
        isTest || request.lane === 'bulk' || routing.deliverer(route[0]!) === 'simulator'
          ? undefined
          : spread.admit(trx, newSend);
      let countSend: Awaited<ReturnType<typeof admit>>;
      if (repeatable) {
        // Before the codes are compared: a refusal that told whether they are the same would be a free guess.
        refuseTooSoon(destination, repeatable, nextRetryAt(destination, repeatable, phoneLimits), now);
        const guess: FailedCheck | undefined = givenCode === undefined ? undefined : [now, client_ip];
        if (guess) {
          // What would refuse another code refuses this one, for the same reason.
          refuseWithoutGuesses(withFailedCheck(destination, guess), guesser, now);
          countSend = await admit();
        }
        if (!guess || secrets.matches(repeatable, givenCode!.toUpperCase())) {
          const sent = await sendAgain(trx, repeatable, { request, person, route, said });
          if (sent) return { verification: afterMessage(sent, destination), retried: true };
        } else {
          // The answer says that the codes differ, as that of a check would have said.
          await repository.spendAttempt(trx, repeatable.id, [...failedChecksOf(repeatable), guess]);
          destination = withFailedCheck(destination, guess);
        }
      }

      const allowedAt = nextSendAt(destination, phoneLimits);
      if (allowedAt > now)
        throw tooSoon(allowedAt, now, fullWindow(messagesAt(destination), phoneLimits, allowedAt));
      countSend ??= await admit();
      if (!isTest) await messages.count(trx, request.projectId);
      if (pending) await ender.end(trx, pending, 'canceled', 'superseded');

      const code = givenCode ?? newCode(code_length, request);
      const id = newId('ver', now);
      const messageId = newId('msg', now);
      const expires_at = now + expiryMinutes * MINUTE_MS;
      const place = isTest
        ? TEST_PLACE
        : out.placeAt({ project_id: request.projectId, expires_at }, route, 0);
      const secret = secrets.store(id, code);
      const row: VerificationRow = {
        id,
        project_id: request.projectId,
        phone: person.phone?.e164 ?? null,
        email: person.email?.address ?? null,
        destination: person.identity,
        purpose: request.purpose,
        channel: place.channel,
        route: place.route,
        step: place.step,
        move_at: place.move_at,
        status: 'pending',
        reason: null,
        code_mac: secret.code_mac,
        sealed_code: secret.sealed_code,
        key_version: secret.key_version,
        code_length,
        attempts: 0,
        sends: JSON.stringify([[now, messageId]] satisfies Send[]),
        failed_checks: failedChecksColumn([]),
        client_ip,
        metadata: request.metadata === undefined ? null : JSON.stringify(request.metadata),
        is_test: isTest ? 1 : 0,
        created_at: now,
        expires_at,
        verified_at: null,
        limits_lifted_at: null,
        verified_client_ip: null,
      };
      await repository.insert(trx, row);
      await countSend?.(id);
      const { channel, project_id } = row;
      await events.record(trx, { type: 'otp.created', projectId: project_id, verificationId: id, channel });
      const { content, template } = said ?? {};
      const { locale, lane } = request;
      await out.enqueue(trx, row, { id: messageId, content, template, locale, lane, isCounted: true });
      const verification = toVerification(row, withMessageAt(destination, now), 'queued');
      return { verification, retried: false };
    },

    /**
     * Sends the same code again, by the channel it is at.
     * @throws WotpError OTP_NOT_FOUND, OTP_EXPIRED, PHONE_OPTED_OUT, OTP_ATTEMPTS_EXCEEDED, RATE_LIMIT_EXCEEDED, WHATSAPP_OFFLINE,
     * CHANNEL_UNAVAILABLE; ConflictError when the stored code cannot be read
     */
    async resend(trx: Transaction, projectId: number, id: string): Promise<Verification> {
      const { row, destination, status } = await findAlone(trx, 'resend', projectId, id);
      if (status !== 'pending') throw new NotFoundError(NONE_WITH_ID, 'OTP_NOT_FOUND');
      const name = routeOf(row)[row.step]!;
      if (!row.is_test) {
        await refuseOptedOut(trx, row, name);
        routing.requirePossible(name, projectId);
      }
      const now = clock.now();
      refuseWithoutGuesses(destination, row, now);
      const phoneLimits = phoneLimitsOf(settings, row);
      // Once its next message would come after its end, no wait makes this one send again.
      const retryAt = Math.min(nextResendOf(destination, row, phoneLimits), row.expires_at);
      refuseTooSoon(destination, row, retryAt, now);
      const sent = await out.sendFrom(trx, row, {});
      if (!sent) throw new ConflictError(UNREADABLE_CODE);
      return afterMessage(sent, destination);
    },

    /**
     * Goes on by the next channel of the route at once: neither a receipt nor the wait between two messages counts.
     * @throws WotpError OTP_NOT_FOUND, OTP_EXPIRED, OTP_ATTEMPTS_EXCEEDED, RATE_LIMIT_EXCEEDED; ConflictError when no channel
     * follows, or the stored code cannot be read
     */
    async next(trx: Transaction, projectId: number, id: string): Promise<Verification> {
      const { row, destination, status } = await findAlone(trx, 'resend', projectId, id);
      if (status !== 'pending') throw new NotFoundError(NONE_WITH_ID, 'OTP_NOT_FOUND');
      const now = clock.now();
      refuseWithoutGuesses(destination, row, now);
      const step = nextStep(out.progressOf(row), now, out.usableFor(row));
      if (step === undefined) throw new ConflictError('No other channel is left for this verification.');
      const { phoneLimits } = settings.of(projectId);
      const allowedAt = nextInWindows(destination, phoneLimits);
      if (allowedAt > now)
        throw tooSoon(allowedAt, now, fullWindow(messagesAt(destination), phoneLimits, allowedAt));
      const sent = await out.moveTo(trx, row, step, 'asked for');
      if (!sent) throw new ConflictError(UNREADABLE_CODE);
      return afterMessage(sent, destination);
    },

    moveDue: out.moveDue,
    moveFromOffline: out.moveFromOffline,

    /** Cancels a pending verification; canceling it again changes nothing. Throws WotpError OTP_NOT_FOUND, OTP_EXPIRED. */
    async cancel(trx: Transaction, projectId: number, id: string): Promise<Verification> {
      const { row, status } = await findAlone(trx, 'cancel', projectId, id);
      if (status === 'pending') await ender.end(trx, row, 'canceled', 'canceled');
      else if (status !== 'canceled') throw new NotFoundError(NONE_WITH_ID, 'OTP_NOT_FOUND');
      return view(trx, (await repository.byId(trx, projectId, id)) ?? row);
    },

    /** When the limits of an address allow another message of a project, with a code or without (Unix ms). */
    async nextAllowedAt(
      executor: Executor,
      projectId: number,
      identity: string,
      { withCode }: { withCode: boolean },
    ): Promise<number> {
      const destination = await loadWhole(executor, projectId, identity);
      const { phoneLimits } = settings.of(projectId);
      return withCode ? nextSendAt(destination, phoneLimits) : nextInWindows(destination, phoneLimits);
    },

    /** Where verifications are, by their ids: their state and their newest message. */
    async progressOf(
      executor: Executor,
      ids: readonly string[],
    ): Promise<Map<string, { status: VerificationStatus; reason: string | null; messageId: string }>> {
      const rows = await repository.byIds(executor, ids);
      return new Map(
        rows.map((row) => [
          row.id,
          { status: statusAt(row, clock.now()), reason: row.reason, messageId: sendsOf(row).at(-1)![1] },
        ]),
      );
    },

    get: read.get,
    list: read.list,
    counts: read.counts,
    idsOf: read.idsOf,

    /** What the outbox has to know of verifications, whose messages it carries. */
    owner: out.owner,
  };
}
