import type { ArrivedRepository } from '../channels/simulator/repository.ts';
import { forgetContacts } from '../channels/whatsapp/contacts.ts';
import type { Database, Transaction } from '../database/database.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import { DAY_MS } from '../lib/duration.ts';
import { pause } from '../lib/pause.ts';
import type { MessageService } from '../messages/service.ts';
import type { OtpService } from '../otp/service.ts';

/** What one transaction deletes at most: rows enough to get on, few enough that nobody notices the wait. */
const PORTION = { verifications: 50, events: 200, answers: 200, contacts: 200, recentSends: 200 };
/** Between two portions the queue belongs to everybody else, in ms. */
const PAUSE_MS = 20;

/** How much was deleted. Messages went with their verifications. */
export interface Purged {
  verifications: number;
  messages: number;
  events: number;
}

/** Deletes what has been kept for as long as it shall be. */
export type Retention = ReturnType<typeof retention>;

export function retention(deps: {
  database: Database;
  clock: Clock;
  otp: Pick<OtpService, 'forgetEnded' | 'forgetRecentSends'>;
  messages: Pick<MessageService, 'forget'>;
  arrived: Pick<ArrivedRepository, 'remove'>;
  events: Pick<EventRecorder, 'forget'>;
  /** Deletes kept answers whose time is over. */
  forgetAnswers: (trx: Transaction, limit: number) => Promise<number>;
  /** Days; 0 is for ever. */
  rules: { verificationDays: number; eventDays: number; contactDays: number };
}) {
  const { database, clock, otp, messages, arrived, events, forgetAnswers, rules } = deps;

  const before = (days: number) => clock.now() - days * DAY_MS;

  async function verificationsAndMessages(): Promise<{ count: number; messages: number }> {
    if (rules.verificationDays === 0) return { count: 0, messages: 0 };
    return database.transaction(async (trx) => {
      const time = before(rules.verificationDays);
      const { count, messageIds } = await otp.forgetEnded(trx, time, PORTION.verifications);
      await messages.forget(trx, messageIds);
      await arrived.remove(trx, messageIds);
      return { count, messages: messageIds.length };
    });
  }

  async function oldEvents(): Promise<number> {
    if (rules.eventDays === 0) return 0;
    return database.transaction((trx) => events.forget(trx, before(rules.eventDays), PORTION.events));
  }

  async function oldContacts(): Promise<boolean> {
    if (rules.contactDays === 0) return false;
    const portion = { before: before(rules.contactDays), now: clock.now(), limit: PORTION.contacts };
    return database.transaction((trx) => forgetContacts(trx, portion));
  }

  /** Deletes one portion of each kind, a transaction each; `more` when there may be others. */
  async function purgeSome(): Promise<{ purged: Purged; more: boolean }> {
    const verifications = await verificationsAndMessages();
    const eventCount = await oldEvents();
    const moreContacts = await oldContacts();
    const answers = await database.transaction((trx) => forgetAnswers(trx, PORTION.answers));
    const recentSends = await database.transaction((trx) => otp.forgetRecentSends(trx, PORTION.recentSends));
    return {
      purged: { verifications: verifications.count, messages: verifications.messages, events: eventCount },
      more:
        verifications.count === PORTION.verifications ||
        eventCount > 0 ||
        moreContacts ||
        answers === PORTION.answers ||
        recentSends === PORTION.recentSends,
    };
  }

  return {
    purgeSome,

    /** Deletes everything that is over, portion by portion with pauses between, or stops when `signal` is aborted. */
    async purge(signal: AbortSignal): Promise<void> {
      while (!signal.aborted && (await purgeSome()).more) await pause(clock, PAUSE_MS, signal);
    },
  };
}
