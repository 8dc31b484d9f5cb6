import { setImmediate } from 'node:timers/promises';
import type { Core } from '../core.ts';
import { EventConsumer } from '../events/consumer.ts';
import { eventFeed, type StoredEvent } from '../events/feed.ts';
import type { Feature } from '../feature.ts';
import { DAY_MS } from '../lib/duration.ts';
import { pause } from '../lib/pause.ts';
import type { MessagesFeature } from '../messages/index.ts';
import type { OtpFeature } from '../otp/index.ts';
import { addEvents } from './counting.ts';
import { dayOf } from './figures.ts';
import { analyticsReading } from './reading.ts';
import { rebuilding } from './rebuild.ts';
import { rollups } from './rollups.ts';
import { analyticsRoutes } from './routes.ts';
import { Tally } from './tally.ts';

/** How often events are counted, in ms: the more at once, the fewer rows are written for each. */
const COUNT_EVERY_MS = 5_000;
/**
 * Events that are counted in one transaction. Where no other process reads them they are added up before it begins, so more
 * go together: what is read of a verification is read once for all of its events.
 */
const EVENTS_TOGETHER = { exclusive: 3_000, shared: 500 };
/** How long a question waits for events that are not counted yet, in ms. */
const CATCH_UP_MAX_MS = 250;

/** Figures of what was sent, delivered and verified, from counts that a consumer of the events keeps. */
export function analyticsFeature(core: Core, others: { messages: MessagesFeature; otp: OtpFeature }) {
  const { config, database, clock, machineClock, troubles, events } = core;
  const { analyticsDays, verificationDays } = config.retention;
  const readers = { messages: others.messages.facts.factsOf, verifications: others.otp.factsOf };
  const feed = eventFeed(database);
  const counts = rollups(database);
  /** Events that were added up before the transaction that writes them. */
  let added: { news: readonly StoredEvent[]; tally: Tally } | undefined;
  const consumer = new EventConsumer({
    database,
    feed,
    clock,
    troubles,
    name: 'analytics',
    from: 'beginning',
    async beforehand(news) {
      const tally = new Tally();
      await addEvents(tally, database.reader, news, { readers, breathe: setImmediate });
      added = { news, tally };
    },
    async handle(trx, news) {
      let tally = added?.news === news ? added.tally : undefined;
      if (!tally) {
        tally = new Tally();
        await addEvents(tally, trx, news, { readers });
      }
      await counts.add(trx, tally);
    },
    pollMs: COUNT_EVERY_MS,
    togetherMax: database.isExclusive ? EVENTS_TOGETHER.exclusive : EVENTS_TOGETHER.shared,
  });

  let catchingUp: Promise<void> | undefined;
  /** Counts what has happened, so that an answer holds it; one that is far behind is not waited for. */
  async function catchUp(): Promise<void> {
    catchingUp ??= consumer
      .begin()
      .then(() => consumer.catchUp())
      // The next look at the feed meets it again and says so.
      .catch(() => {})
      .finally(() => {
        catchingUp = undefined;
      });
    const isCaughtUp = new AbortController();
    const done = catchingUp.then(() => isCaughtUp.abort());
    await Promise.race([done, pause(machineClock, CATCH_UP_MAX_MS, isCaughtUp.signal)]);
  }

  const daysAgo = (days: number) => (days === 0 ? 0 : dayOf(clock.now() - days * DAY_MS));

  return {
    name: 'analytics',
    routes: (server) =>
      analyticsRoutes(server, {
        reading: analyticsReading(database),
        topPhones: counts.phones.top,
        rebuild: rebuilding({
          database,
          clock,
          feed,
          consumer,
          rollups: counts,
          readers,
          oldestMessageAt: others.messages.facts.oldestAt,
        }),
        catchUp,
        database,
        events,
        clock,
      }),
    work: [consumer],
    keeps: [
      {
        async forgetSome(trx) {
          const before = { counts: daysAgo(analyticsDays), phones: daysAgo(verificationDays) };
          const more = await counts.removeOldest(trx, before);
          return { counts: { analyticsDays: more ? 1 : 0 }, more };
        },
      },
    ],
    /** Forgets that messages were sent to a phone (E.164); what else is counted names nobody. */
    forgetPhone: counts.phones.forget,
  } satisfies Feature & Record<string, unknown>;
}
