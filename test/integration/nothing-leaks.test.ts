import { expect, onTestFinished, test, vi } from 'vitest';
import { openStream } from '../support/event-stream.ts';
import { makeKey } from '../support/keys.ts';
import { answering } from '../support/provider-stand-in.ts';
import { startTestApp } from '../support/test-app.ts';
import { testClock } from '../support/test-clock.ts';
import { newPhone, verificationsOf } from '../support/verifications.ts';
import { startReceiver, TO_THIS_MACHINE, webhooksOf } from '../support/webhook-receiver.ts';

vi.setConfig({ testTimeout: 60_000 });

/** Codes so long that no id, time or figure holds one by chance. */
const CODES = ['7391846205', '8260417395', '9417350826'] as const;
const WRONG_CODE = '1111122222';
const METRICS_TOKEN = 'a-token-that-only-prometheus-knows';
const HEADER_SECRET = 'Bearer s3cret-of-the-receiver';
/** Events of people who wrote, which name their number: there is nothing else to know them by. */
const OF_WRITERS = ['message.received', 'number.opted_out', 'number.opted_in'];

test('no event, delivery, stream, log line or metric holds a code, a secret, or a full phone number where it is not permitted', async () => {
  const receiver = await startReceiver();
  onTestFinished(() => receiver.stop());
  const server = await startTestApp({
    env: {
      ...TO_THIS_MACHINE,
      METRICS_TOKEN,
      WEBHOOK_ENABLED: 'true',
      WEBHOOK_URL: `${receiver.origin}/v3`,
      WEBHOOK_RETRY_SECONDS: '0,1',
    },
    clock: testClock(Date.now()),
  });
  onTestFinished(() => server.stop());
  const [otp, webhooks] = [verificationsOf(server), webhooksOf(server)];
  const { id, secret } = await webhooks.create(`${receiver.origin}/all`, {
    headers: { authorization: HEADER_SECRET },
  });
  const rotated = await webhooks.call('POST', `/${id}/rotate-secret`);
  const stream = await openStream(server, { asAdmin: true });
  const made = await makeKey(server, ['*']);
  const [phone, refused, stopped] = [newPhone(), newPhone(), newPhone()];

  // A code that is typed wrong and right, one that is sent again, replaced and canceled, and one that cannot be delivered.
  const first = await otp.sent({ phone, code: CODES[0], metadata: { order: 'A-1' } }, { key: made.key });
  await webhooks.until('it is read', () => stream.events.some(({ event }) => event === 'message.read'));
  await otp.check({ id: first.id, code: WRONG_CODE });
  await otp.check({ phone, code: CODES[0] });
  await otp.fault({ refuse: true });
  const second = await otp.sent({ phone: refused, code: CODES[1] });
  await otp.jump(61_000);
  await otp.fault({});
  await otp.resend(second.id);
  await otp.jump(61_000);
  await otp.sent({ phone: refused, code: CODES[2], purpose: 'payment' });
  await otp.cancel(second.id);
  await server.call('POST', 'simulator/reply', { asAdmin: true, body: { from: stopped, text: 'STOP' } });
  await otp.send({ phone: stopped, code: CODES[2] });
  await otp.limits(phone);
  await otp.send({ phone: 'nonsense', code: CODES[2] });
  await server.call('DELETE', `keys/${made.id}`, { asAdmin: true });
  await server.call('GET', 'otp', { key: `${server.key}x` });
  // What an endpoint answers is kept, so it is its own to hold.
  receiver.next(answering(500, 'no'));
  await otp.sent({ phone: newPhone() });
  await server.clock.advance(5_000);
  await otp.jump(700_000);
  await server.clock.advance(3_000);
  await webhooks.until(
    'nothing is pending',
    async () => (await webhooks.deliveries(id, '&status=pending')).length === 0,
  );

  const events = await server.app.database.reader.selectFrom('events').selectAll().execute();
  const deliveries = await server.app.database.reader.selectFrom('webhook_deliveries').selectAll().execute();
  const metrics = await server.call('GET', '/metrics', {
    key: null,
    headers: { authorization: `Bearer ${METRICS_TOKEN}` },
  });
  expect(metrics.status).toBe(200);
  const ofOthers = ({ body }: { body: string }) => !OF_WRITERS.includes(JSON.parse(body).type);
  const toAll = receiver.received.filter(({ path }) => path === '/all');
  const toV3 = receiver.received.filter(({ path }) => path === '/v3');
  const everything = {
    events: events.map((row) => JSON.stringify(row)),
    deliveries: deliveries.map((row) => JSON.stringify(row)),
    'requests to endpoints': [...toAll, ...toV3].map(({ path, body }) => `${path} ${body}`),
    stream: stream.events.map((event) => JSON.stringify(event)),
    'log lines': server.logLines,
    metrics: metrics.text.split('\n'),
  };
  // That there is something to search.
  for (const [where, texts] of Object.entries(everything)) expect(texts.length, where).toBeGreaterThan(10);
  const secrets = {
    codes: [...CODES, WRONG_CODE],
    'keys and passwords': [server.key, made.key, server.adminPassword, METRICS_TOKEN],
    'secrets of endpoints': [secret, rotated.body.data.secret, HEADER_SECRET].map((text) =>
      text.replace('whsec_', ''),
    ),
  };
  const found = (texts: readonly string[], wanted: readonly string[]) =>
    texts.filter((text) => wanted.some((each) => text.includes(each)));
  for (const [where, texts] of Object.entries(everything))
    for (const [what, wanted] of Object.entries(secrets))
      expect(found(texts, wanted), `${what} in ${where}`).toEqual([]);

  const phones = [phone, refused, stopped].map((each) => each.slice(1));
  const withoutPhones = {
    events: events.filter(({ type }) => !OF_WRITERS.includes(type)).map((row) => JSON.stringify(row)),
    'requests to endpoints': toAll.filter(ofOthers).map(({ body }) => body),
    stream: stream.events
      .filter(({ event }) => !OF_WRITERS.includes(event))
      .map((each) => JSON.stringify(each)),
    'log lines': server.logLines,
    metrics: everything.metrics,
  };
  for (const [where, texts] of Object.entries(withoutPhones))
    expect(found(texts, phones), `phone numbers in ${where}`).toEqual([]);
  // As version 3 did.
  expect(
    found(
      toV3.map(({ body }) => body),
      phones,
    ).length,
  ).toBeGreaterThan(0);
});
