import { maskPhone } from '../addresses/phone.ts';
import type { Actor } from '../database/acts.ts';
import type { Database, Transaction } from '../database/database.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { DAY_MS } from '../lib/duration.ts';
import type { MessageService } from '../messages/service.ts';
import type { Settings } from '../settings/settings.ts';
import { budgetOf, loadDestination, messagesAt, nextFreeSendAt } from './destination.ts';
import { guessBudget } from './guess-budget.ts';
import type { VerificationRepository } from './repository.ts';

const TEN_MINUTES_MS = 10 * 60_000;
/** Limits are shown as they are for a code of the usual length from nobody in particular. */
const ANYBODY = { code_length: 6, client_ip: null };

/** What a phone has used of its limits in a project. Times are Unix ms. */
interface PhoneLimitState {
  /** E.164. */
  phone: string;
  messagesLast10Minutes: number;
  messagesLastDay: number;
  failedChecksLastDay: number;
  /** Guesses the phone has left over all its verifications, from a client address that has verified it. */
  guessesRemaining: number;
  /** Those that everybody else shares. */
  guessesRemainingUnknownClient: number;
  /** When the next send is allowed; null when it is now. */
  nextSendAt: number | null;
}

/** Where an administrator sees and lifts what limits a phone. */
export interface LimitAdministration {
  /** Throws WotpError PHONE_INVALID, PHONE_NOT_ALLOWED. */
  show(projectId: number, phone: string): Promise<PhoneLimitState>;
  /** Lifts everything that locks the phone, recorded as done `by`; returns it in E.164. Throws as `show`. */
  lift(trx: Transaction, projectId: number, phone: string, by: Actor): Promise<string>;
}

export function limitAdministration(deps: {
  database: Database;
  repository: VerificationRepository;
  messages: MessageService;
  events: EventRecorder;
  clock: Clock;
  settings: Settings;
}): LimitAdministration {
  const { database, repository, messages, events, clock, settings } = deps;

  return {
    async show(projectId, given) {
      const { readPhone, phoneLimits } = settings.of(projectId);
      const phone = readPhone(given);
      const now = clock.now();
      const destination = await loadDestination(repository, database.reader, projectId, phone.identity, now);
      const { reader } = database;
      destination.othersAt = await messages.acceptedFor(reader, projectId, phone.identity, now - DAY_MS);
      const sentAt = messagesAt(destination);
      const countSince = (times: number[], windowMs: number) =>
        times.filter((at) => at > now - windowMs).length;
      const next = nextFreeSendAt(destination, ANYBODY, phoneLimits, now);
      return {
        phone: phone.e164,
        messagesLast10Minutes: countSince(sentAt, TEN_MINUTES_MS),
        messagesLastDay: countSince(sentAt, DAY_MS),
        failedChecksLastDay: countSince(
          destination.failedChecks.map(([at]) => at),
          DAY_MS,
        ),
        guessesRemaining: guessBudget(
          destination.failedChecks,
          { codeLength: ANYBODY.code_length, clientIp: null, isKnown: true },
          now,
        ).remaining,
        guessesRemainingUnknownClient: budgetOf(destination, ANYBODY, now).remaining,
        nextSendAt: next > now ? next : null,
      };
    },

    async lift(trx, projectId, given, by) {
      const phone = settings.of(projectId).readPhone(given);
      await database.serialize(trx, `${projectId}:${phone.identity}`);
      const now = clock.now();
      const destination = await loadDestination(repository, trx, projectId, phone.identity, now);
      await repository.liftLimits(
        trx,
        destination.verifications.map((row) => row.id),
        now,
      );
      await messages.discount(trx, projectId, phone.identity);
      await events.record(trx, {
        type: 'limits.cleared',
        projectId,
        data: { phone: maskPhone(phone.e164) },
        by,
        phone: phone.identity,
        before: { failedChecksLastDay: destination.failedChecks.length },
        after: { failedChecksLastDay: 0 },
      });
      return phone.e164;
    },
  };
}
