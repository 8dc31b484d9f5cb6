import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { METRICS, type MetricFamily } from '../../src/metrics/catalogue.ts';
import { ENGINE } from '../support/engine.ts';
import { openStream } from '../support/event-stream.ts';
import { expectProblem } from '../support/problem.ts';
import { answering, cut } from '../support/provider-stand-in.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { testClock } from '../support/test-clock.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';
import { startReceiver, TO_THIS_MACHINE, webhooksOf } from '../support/webhook-receiver.ts';
import { MASTER_KEY } from '../support/wodb.ts';

const CODE = '481516';
const TOKEN = 'a-token-that-only-prometheus-knows';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

const scrape = async (of = server): Promise<string> => {
  const answer = await of.call('GET', '/metrics', { key: null });
  expect(answer.status).toBe(200);
  return answer.text;
};

/** The value of a series as the text has it, with its labels in their order; undefined where it has none. */
function sample(text: string, series: string): number | undefined {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

describe('the metrics', () => {
  test('are in the text format of Prometheus: every family of the catalogue once, with its help and type', async () => {
    const answer = await server.call('GET', '/metrics', { key: null });
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const lines = answer.text.split('\n');
    for (const [name, { type, help }] of Object.entries<MetricFamily>(METRICS)) {
      expect(lines.filter((line) => line === `# HELP ${name} ${help}`)).toHaveLength(1);
      expect(lines.filter((line) => line === `# TYPE ${name} ${type}`)).toHaveLength(1);
    }
    const others = lines
      .filter((line) => line.startsWith('# TYPE '))
      .map((line) => line.split(' ')[2]!)
      .filter((name) => !(name in METRICS));
    for (const name of others) expect(name).toMatch(/^(process|nodejs)_/);
    expect(others).toContain('nodejs_eventloop_lag_p99_seconds');
    expect(answer.text.endsWith('\n')).toBe(true);
  });

  test('follow a code from the send to the check', async () => {
    const before = await scrape();
    const { id } = await otp.sent({ phone: newPhone(), code: CODE });
    await otp.deliver();
    await otp.check({ id, code: '000000' });
    await otp.check({ id, code: CODE });
    const after = await scrape();
    const grown = (series: string) => (sample(after, series) ?? 0) - (sample(before, series) ?? 0);
    for (const status of ['created', 'verified'])
      expect(grown(`wotp_verifications_total{channel="simulator",status="${status}"}`), status).toBe(1);
    for (const status of ['queued', 'sent', 'delivered', 'read'])
      expect(grown(`wotp_messages_total{channel="simulator",status="${status}"}`), status).toBe(1);
    expect(grown('wotp_message_delivery_seconds_count{channel="simulator"}')).toBe(1);
    expect(grown('wotp_message_delivery_seconds_bucket{le="0.5",channel="simulator"}')).toBe(1);
    expect(grown('wotp_refusals_total{code="OTP_INCORRECT"}')).toBe(1);
    const route = (status: number) =>
      `http_server_request_duration_seconds_count{http_request_method="POST",http_route="/api/v1/otp/verify",http_response_status_code="${status}"}`;
    expect([grown(route(200)), grown(route(422))]).toEqual([1, 1]);
    if (ENGINE === 'wodb') expect(grown('wotp_database_commit_seconds_count')).toBeGreaterThan(0);
  });

  test('show what waits, and for how long', async () => {
    await otp.fault({ refuse: true });
    await otp.sent({ phone: newPhone() });
    await server.clock.advance(4_000);
    const text = await scrape();
    const [depth = 0, sending = 0] = [
      sample(text, 'wotp_queue_depth{channel="simulator",lane="0"}'),
      sample(text, 'wotp_messages_sending{channel="simulator"}'),
    ];
    expect(depth + sending).toBe(1);
    if (depth === 1)
      expect(sample(text, 'wotp_queue_oldest_age_seconds{channel="simulator",lane="0"}')).toBe(4);
    await otp.fault({});
    await server.clock.advance(60_000);
    expect(await scrape()).not.toContain('wotp_queue_depth{');
  });

  test('count open streams, and leave their duration out', async () => {
    const stream = await openStream(server);
    expect(sample(await scrape(), 'wotp_event_streams')).toBe(1);
    stream.destroy();
    while ((sample(await scrape(), 'wotp_event_streams') ?? 0) > 0);
    expect(await scrape()).not.toContain('http_route="/api/v1/events/stream"');
  });

  test('count what becomes of webhooks', async () => {
    const receiver = await startReceiver();
    onTestFinished(() => receiver.stop());
    const env = { ...QUICK_ADMIN, ...TO_THIS_MACHINE, WEBHOOK_RETRY_SECONDS: '0,0' };
    const other = await startTestApp({ env, clock: testClock(Date.now()) });
    onTestFinished(() => other.stop());
    const webhooks = webhooksOf(other);
    await webhooks.create(receiver.origin, { events: ['otp.created'] });
    const sent = () => verificationsOf(other).sent({ phone: newPhone() });
    const until = async (series: string, value: number) =>
      webhooks.until(`${series} is ${value}`, async () => sample(await scrape(other), series) === value);
    await sent();
    await until('wotp_webhook_deliveries_total{status="delivered"}', 1);
    receiver.next(answering(500, ''), cut);
    await sent();
    await until('wotp_webhook_deliveries_total{status="failed"}', 1);
    const text = await scrape(other);
    for (const result of ['accepted', 'rejected', 'unanswered'])
      expect(sample(text, `wotp_webhook_attempts_total{result="${result}"}`), result).toBe(1);
    expect(sample(text, 'wotp_webhook_attempt_seconds_count')).toBe(2);
  });

  test.runIf(ENGINE === 'postgres')('say how long transactions waited for a connection', async () => {
    const before = sample(await scrape(), 'wotp_database_pool_wait_seconds_count') ?? 0;
    await otp.sent({ phone: newPhone() });
    expect(sample(await scrape(), 'wotp_database_pool_wait_seconds_count')).toBeGreaterThan(before);
  });

  test('say which version on which engine', async () => {
    expect(await scrape()).toMatch(
      new RegExp(`^wotp_build_info\\{version="[^"]+",node="v[^"]+",engine="${ENGINE}"\\} 1$`, 'm'),
    );
  });

  test('hold no phone, code, key or id, whatever is asked for', async () => {
    const phone = newPhone();
    const { id, messageId } = await otp.sent({ phone, code: CODE });
    await otp.check({ phone, code: '111111' });
    await server.call('GET', `otp/${id}`);
    await server.call('GET', `limits/${phone}`, { asAdmin: true });
    await server.call('GET', `nothing/${phone}`);
    await server.call('BREW' as 'GET', `/secret-${id}`, { key: null }).catch(() => undefined);
    const text = await scrape();
    for (const secret of [phone.slice(1), CODE, id, messageId, server.key, 'nothing', 'secret-', 'BREW'])
      expect(text).not.toContain(secret);
    expect(text).toContain('http_route="/api/v1/otp/:id"');
  });
});

describe('who may read the metrics', () => {
  const started = async (env: Record<string, string>) => {
    const other = await startTestApp({ env: { ...QUICK_ADMIN, ...env } });
    onTestFinished(() => other.stop());
    return other;
  };
  const PRODUCTION = { NODE_ENV: 'production', DB_MASTER_KEY: MASTER_KEY };

  test.each([
    ['outside production', {}],
    ['in production', PRODUCTION],
  ])('with METRICS_TOKEN only those who send it, %s', async (_, env) => {
    const other = await started({ ...env, METRICS_TOKEN: TOKEN });
    const as = (authorization?: string) =>
      other.call('GET', '/metrics', { key: null, headers: authorization ? { authorization } : {} });
    expect((await as(`Bearer ${TOKEN}`)).status).toBe(200);
    for (const wrong of [undefined, `Bearer ${TOKEN}x`, `Bearer ${other.key}`, TOKEN, 'Bearer '])
      expectProblem(await as(wrong), 'UNAUTHORIZED');
    expect(other.logLines.join('')).not.toContain(TOKEN);
  });

  test('without one nobody in production', async () => {
    const other = await started(PRODUCTION);
    expectProblem(await other.call('GET', '/metrics', { key: null }), 'UNAUTHORIZED');
  });

  test('without one nobody outside production whom a proxy forwards', async () => {
    const headers = { 'x-forwarded-for': '203.0.113.7' };
    expectProblem(await server.call('GET', '/metrics', { key: null, headers }), 'UNAUTHORIZED');
    const behindProxy = await started({ TRUST_PROXY: '1' });
    expectProblem(await behindProxy.call('GET', '/metrics', { key: null, headers }), 'UNAUTHORIZED');
  });
});
