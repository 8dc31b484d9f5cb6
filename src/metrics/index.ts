import type { ChannelsFeature } from '../channels/index.ts';
import type { WhatsAppFeature } from '../channels/whatsapp/index.ts';
import type { Core } from '../core.ts';
import { DEFAULT_PROJECT } from '../database/project.ts';
import { eventFeed } from '../events/feed.ts';
import type { Feature } from '../feature.ts';
import { VERSION } from '../lib/version.ts';
import type { MessagesFeature } from '../messages/index.ts';
import type { WebhooksFeature } from '../webhooks/index.ts';
import { countAttempts, countEvents, countRequests } from './counting.ts';
import { type Metrics, metricsRegistry } from './registry.ts';
import { metricsRoutes } from './routes.ts';

/**
 * Metrics for Prometheus.
 * @param features those whose figures it shows
 */
export function metricsFeature(
  core: Core,
  others: {
    messages: MessagesFeature;
    channels: ChannelsFeature;
    whatsapp: WhatsAppFeature;
    webhooks: WebhooksFeature;
    features: readonly Feature[];
  },
): Feature {
  const { config, database, events, clock } = core;
  const metrics = metricsRegistry();
  const read = gaugeReader(core, metrics, others);
  const text = async () => {
    await read();
    return metrics.text();
  };
  /** Compiles what every scrape runs, which takes longer than a scrape may; also begins to watch the process. */
  let warmingUp: Promise<unknown> | undefined;
  events.onCommit(countEvents(metrics, clock));
  others.webhooks.watchAttempts(countAttempts(metrics));
  database.watchCommits?.((transactions, ms) => {
    metrics.observe('wotp_database_commit_transactions', {}, transactions);
    metrics.observe('wotp_database_commit_seconds', {}, ms / 1_000);
  });
  database.watchPoolWaits?.((ms) => metrics.observe('wotp_database_pool_wait_seconds', {}, ms / 1_000));
  return {
    name: 'metrics',
    routes(server) {
      countRequests(server, metrics);
      metricsRoutes(server, {
        token: config.metrics.token,
        isProduction: config.server.isProduction,
        contentType: metrics.contentType,
        text,
      });
    },
    work: [
      {
        start() {
          // A scrape that fails says so itself.
          warmingUp = text().catch(() => {});
        },
        stop: async () => void (await warmingUp),
      },
    ],
  };
}

/** Reads what the gauges show; nothing of it depends on how much is stored. */
function gaugeReader(
  { database, clock }: Core,
  metrics: Metrics,
  { messages, channels, whatsapp, features }: Parameters<typeof metricsFeature>[1],
) {
  const feed = eventFeed(database);
  const build = { version: VERSION, node: process.version, engine: database.engine };

  return async (): Promise<void> => {
    const now = clock.now();
    const backlog = await messages.backlog();
    const queued = backlog
      .filter(({ status }) => status === 'queued')
      .map(({ channel, lane, ...rest }) => ({ labels: { channel, lane: String(lane) }, ...rest }));
    metrics.set(
      'wotp_queue_depth',
      queued.map(({ labels, count }) => [labels, count]),
    );
    metrics.set(
      'wotp_queue_oldest_age_seconds',
      queued.map(({ labels, oldestAt }) => [labels, Math.max(0, now - oldestAt) / 1_000]),
    );
    const sending = backlog.filter(({ status }) => status === 'sending');
    metrics.set(
      'wotp_messages_sending',
      sums(sending.map(({ channel, count }) => [channel, count])).map(([channel, sum]) => [{ channel }, sum]),
    );
    metrics.set(
      'wotp_channel_state',
      channels.overview(DEFAULT_PROJECT).map(({ name, state }) => [{ channel: name, state }, 1]),
    );

    const sessions = whatsapp.overview();
    metrics.set(
      'wotp_session_state',
      sums(sessions.map(({ state }) => [state, 1])).map(([state, sum]) => [{ state }, sum]),
    );
    const scores = sessions.flatMap(({ score }) => score ?? []);
    metrics.set('wotp_session_health_score', scores.length === 0 ? [] : [[{}, Math.min(...scores)]]);

    const heldBackSince = await feed.heldBackSince();
    const lagMs = heldBackSince === undefined ? 0 : Math.max(0, now - heldBackSince);
    metrics.set('wotp_event_feed_lag_seconds', [[{}, lagMs / 1_000]]);
    metrics.set('wotp_database_waiting_writes', [[{}, database.waitingWrites]]);
    const figures: Record<string, number> = Object.assign(
      {},
      ...features.map((each) => each.figures?.() ?? {}),
    );
    metrics.set('wotp_event_streams', [[{}, figures.eventStreams ?? 0]]);
    metrics.set('wotp_build_info', [[build, 1]]);
  };
}

/** The sum of the numbers that have the same name. */
function sums(entries: readonly (readonly [name: string, number: number])[]): [name: string, sum: number][] {
  const byName = new Map<string, number>();
  for (const [name, number] of entries) byName.set(name, (byName.get(name) ?? 0) + number);
  return [...byName];
}
