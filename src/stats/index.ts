import type { ChannelsFeature } from '../channels/index.ts';
import type { Core } from '../core.ts';
import { eventFeed } from '../events/feed.ts';
import type { Feature } from '../feature.ts';
import type { MessagesFeature } from '../messages/index.ts';
import { recentActivity } from './recent-activity.ts';
import { statsRoutes } from './routes.ts';

/** How a project is doing now: what waits, what was sent in the last minute, how the channels do. */
export function statsFeature(
  { database, clock }: Core,
  { messages, channels }: { messages: MessagesFeature; channels: ChannelsFeature },
): Feature {
  const activityOf = recentActivity({ feed: eventFeed(database), clock });
  return {
    name: 'stats',
    routes: (server) =>
      statsRoutes(server, { activityOf, backlogOf: messages.backlog, channelsOf: channels.overview, clock }),
  };
}
