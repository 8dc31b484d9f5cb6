import type { EventFeed, StoredEvent } from '../events/feed.ts';
import type { Clock } from '../lib/clock.ts';
import { timeOfId } from '../lib/id.ts';

/** The time that the figures are about, in ms. */
const WINDOW_MS = 60_000;
const SECOND_MS = 1_000;
/** Events that are read at once. */
const PAGE = 500;

/** What happened in one project in the last minute. */
export interface Activity {
  sent: number;
  delivered: number;
  verified: number;
  /** From the acceptance of a message to its *delivered*, in ms, ascending. */
  deliveryMs: number[];
}

const nothing = (): Activity => ({ sent: 0, delivered: 0, verified: 0, deliveryMs: [] });

/**
 * What happened in the last minute, from the event feed: the same on every node. The feed is read when somebody asks, from
 * where it was read last and at most a minute back, so nobody who does not ask pays for it.
 */
export function recentActivity({ feed, clock }: { feed: EventFeed; clock: Clock }) {
  /** By second (Unix), then by project. */
  const seconds = new Map<number, Map<number, Activity>>();
  let read: { cursor: string; at: number } | undefined;
  let reading: Promise<void> | undefined;

  const oldestSecond = () => Math.floor((clock.now() - WINDOW_MS) / SECOND_MS) + 1;

  async function catchUp(): Promise<void> {
    const now = clock.now();
    const isRecent = read !== undefined && now - read.at < WINDOW_MS;
    let cursor = isRecent ? read!.cursor : await feed.before(now - WINDOW_MS);
    if (!isRecent) seconds.clear();
    for (;;) {
      const events = await feed.after(cursor, PAGE);
      for (const event of events) count(event);
      cursor = events.at(-1)?.cursor ?? cursor;
      read = { cursor, at: now };
      if (events.length < PAGE) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const second of seconds.keys()) if (second < oldestSecond()) seconds.delete(second);
  }

  function count({ type, at, projectId, messageId }: StoredEvent): void {
    const second = Math.floor(at / SECOND_MS);
    if (projectId === null || second < oldestSecond()) return;
    const field = COUNTED[type];
    if (!field) return;
    const projects = seconds.get(second) ?? new Map<number, Activity>();
    seconds.set(second, projects);
    const activity = projects.get(projectId) ?? nothing();
    projects.set(projectId, activity);
    activity[field] += 1;
    if (field === 'delivered') activity.deliveryMs.push(Math.max(0, at - timeOfId('msg', messageId!)));
  }

  return async (projectId: number): Promise<Activity> => {
    reading ??= catchUp().finally(() => {
      reading = undefined;
    });
    await reading;
    const sum = nothing();
    for (const projects of seconds.values()) {
      const activity = projects.get(projectId);
      if (!activity) continue;
      sum.sent += activity.sent;
      sum.delivered += activity.delivered;
      sum.verified += activity.verified;
      for (const ms of activity.deliveryMs) sum.deliveryMs.push(ms);
    }
    sum.deliveryMs.sort((a, b) => a - b);
    return sum;
  };
}

const COUNTED: Readonly<Record<string, 'sent' | 'delivered' | 'verified' | undefined>> = {
  'message.sent': 'sent',
  'message.delivered': 'delivered',
  'otp.verified': 'verified',
};
