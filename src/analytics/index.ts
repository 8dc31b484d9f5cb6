import type { Core } from '../core.ts';
import { EventConsumer } from '../events/consumer.ts';
import { eventFeed } from '../events/feed.ts';
import type { Feature } from '../feature.ts';
import { DAY_MS } from '../lib/duration.ts';
import { pause } from '../lib/pause.ts';
import type { MessagesFeature } from '../messages/index.ts';
import type { OtpFeature } from '../otp/index.ts';
import { count, factsOf, isCounted } from './counting.ts';
import { dayOf } from './figures.ts';
import { analyticsReading } from './reading.ts';
import { rebuilding } from './rebuild.ts';
import { rollups } from './rollups.ts';
import { analyticsRoutes } from './routes.ts';
import { Tally } from './tally.ts';

/** How often events are counted, in ms: the more at once, the fewer rows are written for each. */
const COUNT_EVERY_MS = 5_000;
/** Events that are counted in one transaction. */
const EVENTS_TOGETHER = 500;
/** How long a question waits for events that are not counted yet, in ms. */
const CATCH_UP_MAX_MS = 250;

/** Figures of what was sent, delivered and verified, from counts that a consumer of the events keeps. */
export function analyticsFeature(core: Core, others: { messages: MessagesFeature; otp: OtpFeature }) {
  const { config, database, clock, machineClock, troubles, events } = core;
  const { analyticsDays, verificationDays } = config.retention;
  const facts = { messages: others.messages.facts.factsOf, verifications: others.otp.factsOf };
  const feed = eventFeed(database);
  const counts = rollups(database);
  const consumer = new EventConsumer({
    database,
    feed,
    clock,
    troubles,
    name: 'analytics',
    from: 'beginning',
    async handle(trx, news) {
      const counted = news.filter(isCounted);
      if (counted.length === 0) return;
      const found = await factsOf(trx, counted, facts);
      const tally = new Tally();
      for (const event of counted) count(tally, event, found);
      await counts.add(trx, tally);
    },
    pollMs: COUNT_EVERY_MS,
    togetherMax: EVENTS_TOGETHER,
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
          facts,
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
