import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { ChannelOverview } from '../channels/index.ts';
import { problems, projectQuery, success } from '../http/schemas.ts';
import { typed } from '../http/server.ts';
import type { Clock } from '../lib/clock.ts';
import type { Backlog } from '../messages/backlog.ts';
import { CHANNEL_NAMES } from '../messages/channel.ts';
import type { Activity } from './recent-activity.ts';

const perMinute = (what: string) => z.int().meta({ description: `${what} in the last 60 seconds.` });
const latency = (share: string) =>
  z
    .int()
    .nullable()
    .meta({
      description: `${share} of the messages delivered in the last 60 seconds took at most this long since they were accepted, in ms; null where none was.`,
    });

const stats = z
  .object({
    queued: z.int().meta({ description: 'Messages that wait.' }),
    sending: z.int().meta({ description: 'Messages that a channel is sending.' }),
    sentPerMinute: perMinute('Messages that a provider acknowledged'),
    deliveredPerMinute: perMinute('Messages that reached the device'),
    verifiedPerMinute: perMinute('Verifications that succeeded'),
    oldestQueuedSeconds: z
      .int()
      .meta({ description: 'How long the oldest queued message has waited; 0 where none waits.' }),
    delivery: z.object({ p50Ms: latency('Half'), p95Ms: latency('95 %') }),
    channels: z.array(
      z.object({
        name: z.enum(CHANNEL_NAMES),
        state: z.enum(['ready', 'waiting', 'off']),
        successRate: z.number().nullable().meta({
          description:
            'The share of its latest 256 tries on this server that the provider acknowledged, 0 to 1; null where it had none.',
        }),
        p95Ms: z.number().nullable().meta({
          description: '95 % of the acknowledgements came within this time, in ms; null where none came.',
        }),
      }),
    ),
  })
  .meta({
    title: 'Stats',
    description: 'How a project is doing now.',
    example: {
      queued: 2,
      sending: 1,
      sentPerMinute: 42,
      deliveredPerMinute: 40,
      verifiedPerMinute: 37,
      oldestQueuedSeconds: 1,
      delivery: { p50Ms: 850, p95Ms: 2_300 },
      channels: [{ name: 'email', state: 'ready', successRate: 0.99, p95Ms: 310 }],
    },
  });

/** The figures of a project at this moment. */
export function statsRoutes(
  server: FastifyInstance,
  deps: {
    activityOf: (projectId: number) => Promise<Activity>;
    backlogOf: (projectId: number) => Promise<Backlog[]>;
    channelsOf: (projectId: number) => ChannelOverview[];
    clock: Clock;
  },
): void {
  const { activityOf, backlogOf, channelsOf, clock } = deps;
  typed(server).get(
    '/api/v1/stats',
    {
      config: { access: 'analytics:read' },
      schema: {
        tags: ['Events'],
        operationId: 'getStats',
        summary: 'Get what waits, rates and latencies',
        description:
          'The project at this moment, over all nodes; how channels do is that of the server that answers. It costs little: ask as often as every second.',
        querystring: projectQuery,
        response: { 200: success(stats), ...problems() },
      },
    },
    async ({ projectId }) => {
      const [activity, backlog] = [await activityOf(projectId), await backlogOf(projectId)];
      const counted = (status: Backlog['status']) =>
        backlog.filter((each) => each.status === status).reduce((sum, { count }) => sum + count, 0);
      const now = clock.now();
      const oldest = Math.min(
        now,
        ...backlog.filter(({ status }) => status === 'queued').map(({ oldestAt }) => oldestAt),
      );
      const data = {
        queued: counted('queued'),
        sending: counted('sending'),
        sentPerMinute: activity.sent,
        deliveredPerMinute: activity.delivered,
        verifiedPerMinute: activity.verified,
        oldestQueuedSeconds: Math.floor((now - oldest) / 1_000),
        delivery: {
          p50Ms: percentile(activity.deliveryMs, 0.5),
          p95Ms: percentile(activity.deliveryMs, 0.95),
        },
        channels: channelsOf(projectId),
      };
      return { success: true as const, data };
    },
  );
}

/** The value that a share of the ascending values does not exceed; null of none. */
function percentile(ascending: readonly number[], share: number): number | null {
  return ascending[Math.ceil(ascending.length * share) - 1] ?? null;
}
