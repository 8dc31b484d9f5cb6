import { SERVER } from '../database/acts.ts';
import type { Database } from '../database/database.ts';
import { DEFAULT_PROJECT } from '../database/project.ts';
import type { EventRecorder } from '../events/record.ts';
import type { Clock } from '../lib/clock.ts';
import type { ChannelName } from '../messages/channel.ts';
import type { WatchedChannel } from './watched-channel.ts';

/** The setting that holds since when a channel has been stopped (Unix ms): a restart may be what sets it right. */
const settingOf = (name: ChannelName) => `channel_stopped_at_${name}`;

/**
 * Records when a channel stops, so that nothing is sent until an operator acts or it recovers, and when it has sent again: one
 * event each, for however many messages and however many processes. Linked WhatsApp numbers have events of their own.
 */
export function channelStops(deps: {
  channels: readonly WatchedChannel[];
  database: Database;
  events: EventRecorder;
  clock: Clock;
}) {
  const { database, events, clock } = deps;
  const channels = deps.channels.filter(({ hasOwnLinks }) => !hasOwnLinks);
  /** Since when each has been stopped, as this process sees it (Unix ms); undefined while it works, absent until it is known. */
  const stopped = new Map<ChannelName, number | undefined>();

  function recordStop(channel: ChannelName, reason: string, at: number): Promise<void> {
    return database.transaction(async (trx) => {
      const isNew = await trx
        .insertInto('settings')
        .values({ key: settingOf(channel), value: String(at) })
        .onConflict((conflict) => conflict.doNothing())
        .returning('key')
        .executeTakeFirst();
      if (!isNew) return;
      const data = { channel, reason };
      await events.record(trx, { type: 'channel.stopped', projectId: DEFAULT_PROJECT, data, by: SERVER });
    });
  }

  function recordRecovery(channel: ChannelName): Promise<void> {
    return database.transaction(async (trx) => {
      const known = await trx
        .deleteFrom('settings')
        .where('key', '=', settingOf(channel))
        .returning('value')
        .executeTakeFirst();
      if (!known) return;
      const data = { channel, stoppedAt: Number(known.value) };
      await events.record(trx, { type: 'channel.recovered', projectId: DEFAULT_PROJECT, data, by: SERVER });
    });
  }

  return {
    /** Looks at every channel and records what has changed. */
    async look(): Promise<void> {
      const now = clock.now();
      for (const { name, takenAt, readiness } of channels.map(seen)) {
        const since = stopped.get(name);
        if (readiness.state === 'offline') {
          if (since === undefined) await recordStop(name, readiness.reason, now);
          stopped.set(name, since ?? now);
          continue;
        }
        const isStopped = !stopped.has(name) || since !== undefined;
        // What was handed over before it stopped says nothing about it.
        if (!isStopped || takenAt === undefined || takenAt < (since ?? 0)) continue;
        await recordRecovery(name);
        stopped.set(name, undefined);
      }
    },
  };
}

const seen = (channel: WatchedChannel) => ({
  name: channel.name,
  takenAt: channel.takenAt,
  readiness: channel.readiness(DEFAULT_PROJECT),
});
