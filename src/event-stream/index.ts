import type { AdminService } from '../admin/service.ts';
import type { Core } from '../core.ts';
import { eventFeed } from '../events/feed.ts';
import type { Feature } from '../feature.ts';
import type { KeyService } from '../keys/service.ts';
import { callerCheck } from '../keys/still-allowed.ts';
import { openFilesMax } from '../lib/open-files.ts';
import { EventBroadcast, READING } from './broadcast.ts';
import { eventStreamRoutes } from './routes.ts';

/** Other processes' events are looked for this often, in ms. */
const POLL_MS = 500;
/** Callers are checked this often, in ms: a stream ends within a second of its key. */
const LOOK_MS = 500;
/** Streams of this process; where few files may be open, half of them leave room for requests. */
const STREAMS_MAX = 1_000;
/** Streams of one caller, so that it leaves room for others. */
const STREAMS_PER_CALLER_MAX = 600;

/** The live stream of events. */
export function eventStreamFeature(
  { database, events, clock, troubles, stopping, every }: Core,
  others: { keys: KeyService; admin: AdminService },
): Feature {
  const broadcast = new EventBroadcast({
    feed: eventFeed(database),
    onCommit: events.onCommit,
    stillAllowed: callerCheck(others),
    clock,
    troubles,
    max: { perCaller: STREAMS_PER_CALLER_MAX, inAll: Math.min(STREAMS_MAX, Math.floor(openFilesMax() / 2)) },
  });
  // Before the server waits for its connections.
  stopping.addEventListener('abort', () => void broadcast.stop(), { once: true });
  return {
    name: 'event-stream',
    routes: (server) => eventStreamRoutes(server, broadcast),
    work: [
      broadcast,
      every(POLL_MS, READING, () => broadcast.read()),
      every(LOOK_MS, 'checking who reads the event stream', () => broadcast.look()),
    ],
    figures: () => ({ eventStreams: broadcast.size }),
  };
}
