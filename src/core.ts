import { Periodic } from './background/periodic.ts';
import { type Troubles, troubleLog } from './background/troubles.ts';
import type { Work } from './background/work.ts';
import type { Config } from './config/config.ts';
import type { Database } from './database/database.ts';
import { type Keyring, openKeyring } from './database/keyring.ts';
import { openDatabase } from './database/open.ts';
import { type EventRecorder, eventRecorder } from './events/record.ts';
import type { WotpEvent } from './events/types.ts';
import type { Feature } from './feature.ts';
import { type Idempotency, idempotency } from './http/idempotency.ts';
import { type Clock, systemClock } from './lib/clock.ts';
import { DAY_MS } from './lib/duration.ts';
import type { Logger } from './lib/logger.ts';
import { sharedClock } from './lib/shared-clock.ts';
import { COUNTED_MAX_MS, type Counters, openCounters } from './limits/counters.ts';
import { type LiveSettings, openSettings } from './settings/live.ts';

const COUNTS_FLUSH_MS = 100;
const COUNTS_PURGE_MS = 10 * 60_000;
const CLOCK_ADJUST_MS = 30_000;
/** How often it is looked for settings that another process has changed. */
const SETTINGS_LOOK_MS = 500;
/** Rows that one portion deletes. */
const PORTION = 200;

/** What every feature stands on; it knows none of them. */
export interface Core {
  readonly config: Config;
  readonly log: Logger;
  readonly troubles: Troubles;
  /** The time of the installation. */
  readonly clock: Clock;
  /** The time of this machine, for what concerns this process alone. */
  readonly machineClock: Clock;
  readonly database: Database;
  readonly keyring: Keyring;
  readonly events: EventRecorder;
  readonly counters: Counters;
  readonly settings: LiveSettings;
  readonly idempotency: Idempotency;
  /** When this process opened the database (Unix ms). */
  readonly startedAt: number;
  /** PUBLIC_URL; undefined where none is set. */
  readonly publicUrl: URL | undefined;
  /** Aborted when the application begins to stop. */
  readonly stopping: AbortSignal;
  /** Keeps an event in a transaction of its own; never rejects. */
  audit(event: WotpEvent): Promise<void>;
  /** Work that runs again and again, never twice at the same time. */
  every(intervalMs: number, name: string, run: () => Promise<void> | void): Work;
}

export interface CoreOptions {
  config: Config;
  log: Logger;
  /** Called when the disk failed to keep what was written; the process has to end with an error. */
  onFatal: (error: Error) => void;
  clock?: Clock;
}

/**
 * Opens the database and what is above it.
 * @returns also the work, the retention and the figures of all this, as a feature, and what begins the stop
 * @throws DatabaseOpenError, DatabaseInUseError and others whose message says what to do
 */
export async function openCore({ config, log, onFatal, clock: givenClock }: CoreOptions) {
  const { database, masterKey } = await openDatabase(config, onFatal);
  try {
    const machineClock = givenClock ?? systemClock();
    const { sharedTime } = database;
    const shared = sharedTime && !givenClock ? await sharedClock(machineClock, sharedTime) : undefined;
    const clock = shared ?? machineClock;
    const keyring = await openKeyring(database, masterKey, clock, (purpose, context) =>
      log.error({ purpose, context }, 'sealed value does not open: it is damaged, or was moved'),
    );
    const events = eventRecorder(database, clock, keyring);
    const troubles = troubleLog({ log, clock });
    const longestWindowMs = Math.max(config.limits.windowMs, COUNTED_MAX_MS);
    const counters = await openCounters(database, clock, longestWindowMs);
    const answers = idempotency({ database, keyring, clock });
    const settings = await openSettings({ database, config, events, clock });
    const stop = new AbortController();
    const { publicUrl } = config.server;

    const core: Core = {
      config,
      log,
      troubles,
      clock,
      machineClock,
      database,
      keyring,
      events,
      counters,
      settings,
      idempotency: answers,
      startedAt: clock.now(),
      publicUrl: publicUrl === undefined ? undefined : new URL(publicUrl),
      stopping: stop.signal,
      audit: (event) =>
        database
          .transaction((trx) => events.record(trx, event))
          .then(
            () => troubles.succeeded('recording an event'),
            (error: unknown) =>
              troubles.failed('recording an event', error, { fields: { event: event.type } }),
          ),
      every: (intervalMs, name, run) =>
        new Periodic({ name, intervalMs, run: async () => run() }, clock, troubles),
    };
    const flush = core.every(COUNTS_FLUSH_MS, 'writing request counts', () => counters.flush());
    const { eventDays } = config.retention;
    const own: Feature = {
      name: 'core',
      work: [
        {
          start() {
            for (const sentence of settings.loose()) log.warn(sentence);
            flush.start();
          },
          async stop() {
            await flush.stop();
            await counters
              .flush()
              .catch((error: unknown) => log.error({ err: error }, 'request counts not written'));
          },
        },
        core.every(COUNTS_PURGE_MS, 'deleting old request counts', () => counters.purge(longestWindowMs)),
        ...(database.isExclusive
          ? []
          : [core.every(SETTINGS_LOOK_MS, 'reading settings', () => settings.refresh())]),
        ...(shared
          ? [core.every(CLOCK_ADJUST_MS, "reading the database's clock", () => shared.adjust())]
          : []),
      ],
      keeps: [
        {
          async forgetSome(trx) {
            if (eventDays === 0) return { counts: { events: 0 }, more: false };
            const count = await events.forget(trx, clock.now() - eventDays * DAY_MS, PORTION);
            return { counts: { events: count }, more: count > 0 };
          },
        },
        {
          async forgetSome(trx) {
            const count = await answers.forget(trx, PORTION);
            return { counts: { idempotencyAnswers: count }, more: count === PORTION };
          },
        },
      ],
      figures: () => ({ waitingWrites: database.waitingWrites }),
    };
    return { core, own, beginStop: () => stop.abort(), close: () => database.close() };
  } catch (error) {
    await database.close();
    throw error;
  }
}
