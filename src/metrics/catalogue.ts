/** What a family of metrics is. */
export interface MetricFamily {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** The upper bounds of a histogram. */
  readonly buckets?: readonly number[];
}

/** As the semantic conventions of OpenTelemetry advise for HTTP, in seconds. */
const HTTP_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/**
 * Every family of metrics but those of the process. No label has values without a bound: routes are templates, and there
 * is no phone number, key, id or project among them. `docs/METRICS.md` is made from this table.
 */
export const METRICS = {
  http_server_request_duration_seconds: {
    type: 'histogram',
    help: 'How long requests took until their answer was written; streams are left out.',
    labels: ['http_request_method', 'http_route', 'http_response_status_code'],
    buckets: HTTP_SECONDS,
  },
  wotp_refusals_total: {
    type: 'counter',
    help: 'Requests answered with an error, by its code; `OTP_INCORRECT` counts wrong codes.',
    labels: ['code'],
  },
  wotp_verifications_total: {
    type: 'counter',
    help: 'Verifications that entered a state on this server, by the channel that they were at.',
    labels: ['channel', 'status'],
  },
  wotp_messages_total: {
    type: 'counter',
    help: 'Messages that entered a state on this server; one that is queued again counts again.',
    labels: ['channel', 'status'],
  },
  wotp_message_delivery_seconds: {
    type: 'histogram',
    help: 'From the acceptance of a message to its delivery receipt.',
    labels: ['channel'],
    buckets: [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300],
  },
  wotp_queue_depth: {
    type: 'gauge',
    help: 'Messages that wait, over all servers. Lane 0 is codes, 1 single messages, 2 bulk.',
    labels: ['channel', 'lane'],
  },
  wotp_queue_oldest_age_seconds: {
    type: 'gauge',
    help: 'How long the oldest queued message has waited, over all servers.',
    labels: ['channel', 'lane'],
  },
  wotp_messages_sending: {
    type: 'gauge',
    help: 'Messages that a channel is sending, over all servers.',
    labels: ['channel'],
  },
  wotp_channel_state: {
    type: 'gauge',
    help: '1 for the state of each channel for the default project: `ready`, `waiting` (an open circuit too) or `off`.',
    labels: ['channel', 'state'],
  },
  wotp_session_state: {
    type: 'gauge',
    help: 'WhatsApp sessions in each state.',
    labels: ['state'],
  },
  wotp_session_health_score: {
    type: 'gauge',
    help: 'The lowest sending health among WhatsApp sessions, 0 to 100; absent where none has sent.',
    labels: [],
  },
  wotp_database_commit_seconds: {
    type: 'histogram',
    help: 'How long a commit took, its sync to disk included (WODB only).',
    labels: [],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1],
  },
  wotp_database_commit_transactions: {
    type: 'histogram',
    help: 'Transactions that shared a commit (WODB only).',
    labels: [],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
  },
  wotp_database_waiting_writes: {
    type: 'gauge',
    help: 'Writes that wait for their turn, or for a connection of the pool.',
    labels: [],
  },
  wotp_database_pool_wait_seconds: {
    type: 'histogram',
    help: 'How long transactions waited for a connection of the pool (PostgreSQL only).',
    labels: [],
    buckets: [0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
  },
  wotp_webhook_attempts_total: {
    type: 'counter',
    help: 'Attempts to deliver an event to a webhook endpoint: `accepted` (2xx), `rejected` (another status) or `unanswered`.',
    labels: ['result'],
  },
  wotp_webhook_attempt_seconds: {
    type: 'histogram',
    help: 'How long webhook endpoints took to answer; attempts without an answer are left out.',
    labels: [],
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15],
  },
  wotp_webhook_deliveries_total: {
    type: 'counter',
    help: 'Webhook deliveries that ended on this server: `delivered`, or `failed` when their last attempt failed.',
    labels: ['status'],
  },
  wotp_event_feed_lag_seconds: {
    type: 'gauge',
    help: 'For how long events have waited for a transaction that is still running (PostgreSQL); 0 where none wait.',
    labels: [],
  },
  wotp_event_streams: {
    type: 'gauge',
    help: 'Open event streams.',
    labels: [],
  },
  wotp_build_info: {
    type: 'gauge',
    help: 'Always 1.',
    labels: ['version', 'node', 'engine'],
  },
} as const satisfies Record<string, MetricFamily>;

export type MetricName = keyof typeof METRICS;

/** The page docs/METRICS.md. */
export function metricsPage(): string {
  const rows = Object.entries<MetricFamily>(METRICS).map(
    ([name, { type, help, labels }]) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(' ')} | ${help} |`,
  );
  return [
    '# Metrics',
    '',
    '`GET /metrics` answers in the text format of Prometheus. `npm run docs` writes this page.',
    '',
    'Set `METRICS_TOKEN` (24 characters or more) and give it to Prometheus. Without it only programs on the same machine can',
    'read the metrics, and in production nobody can.',
    '',
    '```yaml',
    'scrape_configs:',
    '  - job_name: wotp',
    '    authorization: { credentials_file: /etc/prometheus/wotp-token }',
    '    static_configs: [{ targets: ["127.0.0.1:3000"] }]',
    '```',
    '',
    'Counters and histograms start at 0 with the process; add them up over all servers. Times are in seconds. Labels have few',
    'values: no phone number, key, id or project is among them.',
    '',
    '| name | type | labels | what it says |',
    '|---|---|---|---|',
    ...rows,
    '',
    'The metrics of the process come from prom-client: `process_*` (CPU, memory, open files, start time) and `nodejs_*`',
    '(event-loop delay, garbage collection, heap).',
    '',
  ].join('\n');
}
