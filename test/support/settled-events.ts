import { eventFeed } from '../../src/events/feed.ts';
import type { TestApp } from './test-app.ts';

/**
 * Resolves once readers of the feed can see every event that was recorded so far: on PostgreSQL a transaction of another test on the
 * same server holds the feed back until it has ended.
 */
export async function settledEvents({ app }: Pick<TestApp, 'app'>): Promise<void> {
  const feed = eventFeed(app.database);
  while ((await feed.heldBackSince()) !== undefined);
}
