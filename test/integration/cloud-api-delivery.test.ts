import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ACCOUNT,
  cloudApiSettings,
  disowning,
  type GivenStatus,
  type GraphStandIn,
  refusing,
  SENDERS,
  signedByMeta,
  startGraph,
  statusChange,
  TEMPLATE,
  TOKEN,
  VERIFY_TOKEN,
  webhookOf,
} from '../support/graph-stand-in.ts';
import { providersFile } from '../support/http-providers.ts';
import { expectProblem } from '../support/problem.ts';
import { answering, cut, type ProviderStandIn, startProvider } from '../support/provider-stand-in.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';

const WEBHOOK = '/api/v1/channels/cloud-api/webhook';

let graph: GraphStandIn;
let sms: ProviderStandIn;
let file: ReturnType<typeof providersFile>;
let server: TestApp;
let phones = 0;

beforeEach(async () => {
  graph = await startGraph();
  sms = await startProvider();
  file = providersFile({
    providers: [
      {
        name: 'acme',
        channel: 'sms',
        url: sms.origin,
        json: { to: '{{to}}', text: '{{text}}' },
        success: { where: [{ path: 'ok', in: [true] }] },
      },
    ],
  });
  sms.always(answering(200, { ok: true }));
  server = await startTestApp({ env: settings() });
});
const settings = () => ({
  BOT_MOCK_MODE: 'false',
  ...cloudApiSettings(graph.origin),
  PROVIDERS_FILE: file.path,
  PROVIDERS_ALLOWED_ADDRESSES: '127.0.0.1',
});
afterEach(async () => {
  await server.stop();
  await graph.stop();
  await sms.stop();
  file.remove();
});

/** Moves time on until something is so; answers of the stand-ins come in their own time. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) {
    await server.clock.advance(20);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function send(fields: object = {}) {
  phones += 1;
  const phone = `+62812345${String(phones).padStart(5, '0')}`;
  const { body, status, text } = await server.call('POST', 'otp/send', { body: { phone, ...fields } });
  expect(status, text).toBe(201);
  return { ...(body.data as { id: string; messageId: string; route: string[] }), phone };
}

interface Entry {
  messageId: string;
  channel: string;
  status: string;
  reason: string | null;
}
async function timelineOf(id: string): Promise<Entry[]> {
  return (await server.call('GET', `otp/${id}`)).body.data.timeline;
}
const statesOf = async (id: string) => (await timelineOf(id)).map(({ status }) => status);
const untilIn = (id: string, status: string) => until(async () => (await statesOf(id)).at(-1) === status);

function report(fields: Omit<GivenStatus, 'at'>, secret?: string) {
  const { body, headers } = signedByMeta(
    webhookOf(statusChange({ at: server.clock.now(), ...fields })),
    secret,
  );
  return server.call('POST', WEBHOOK, { key: null, body, headers });
}

describe('a code by the WhatsApp Cloud API', () => {
  test('goes to Meta, whose statuses say what became of it', async () => {
    const { id, messageId, phone, route } = await send();
    expect(route).toEqual(['cloud_api', 'sms']);
    await untilIn(id, 'sent');
    const [request] = graph.messages();
    expect(request).toMatchObject({ to: phone, biz_opaque_callback_data: messageId });
    const [wamid] = graph.wamids;
    for (const status of ['sent', 'delivered', 'read', 'delivered', 'read']) {
      expect((await report({ id: wamid!, status, ours: messageId })).status).toBe(200);
    }
    expect(await statesOf(id)).toEqual(['queued', 'sending', 'sent', 'delivered', 'read']);
    const code = request.template.components[0].parameters[0].text;
    const checked = await server.call('POST', 'otp/verify', { body: { id, code } });
    expect(checked.body.data).toMatchObject({ valid: true, channels: ['cloud_api'] });
  });

  test.each([
    ['the country of the phone', {}, 'id'],
    ['the locale of the send', { locale: 'pt-PT' }, 'pt_BR'],
    ['the locale, whatever languages a template of ours has', { locale: 'pt', template: 'ours' }, 'pt_BR'],
    ['the country, whatever languages a template of ours has', { template: 'ours' }, 'id'],
  ])('is in the approved language of %s', async (_what, fields, language) => {
    const ours = { code: 'ours', name: 'Ours', content: '{{code}} (en)', language: 'en' };
    expect((await server.call('POST', 'templates', { body: ours })).status).toBe(201);
    const { id } = await send(fields);
    await untilIn(id, 'sent');
    expect(graph.messages()[0].template.language.code).toBe(language);
  });

  test('that goes on by SMS says there what the template says for SMS', async () => {
    const ours = {
      code: 'ours',
      name: 'Ours',
      content: 'Hi {{name}}, {{code}}',
      language: 'en',
      translations: { id: { text: 'Halo {{name}}, {{code}}', sms: '{{code}} {{name}}' } },
    };
    expect((await server.call('POST', 'templates', { body: ours })).status).toBe(201);
    const { id } = await send({ template: 'ours', variables: { name: 'Ayu' }, code: '481516' });
    await untilIn(id, 'sent');
    expect((await server.call('POST', `otp/${id}/next`)).status).toBe(200);
    await until(() => sms.received.length > 0);
    expect(JSON.parse(sms.received[0]!.body).text).toBe('481516 Ayu');
  });

  test('is found by the id of Meta alone', async () => {
    const { id } = await send();
    await untilIn(id, 'sent');
    await report({ id: graph.wamids[0]!, status: 'delivered' });
    expect(await statesOf(id)).toEqual(['queued', 'sending', 'sent', 'delivered']);
  });

  test.each([
    ['our id', true],
    ['the id of Meta', false],
  ])('has arrived when its status comes before the answer, by %s', async (_what, isNamed) => {
    graph.next(async (response, request) => {
      const { biz_opaque_callback_data: ours } = JSON.parse(request.body);
      const next = `wamid.HBgLMTY0NjcwNDM1OTUVAgARGBI${'1'.padStart(20, '0')}`;
      await report({ id: next, status: 'delivered', ...(isNamed && { ours }) });
      graph.honest(response, request);
    });
    const { id } = await send();
    await until(async () => graph.wamids.length > 0 && (await statesOf(id)).includes('delivered'));
    await server.clock.advance(5_000);
    expect((await statesOf(id)).at(-1)).toBe('delivered');
    expect(graph.received).toHaveLength(1);
  });

  test('whose answer is lost is not sent again, and its status decides', async () => {
    graph.next(cut);
    const { id, messageId } = await send({ channel: 'cloud_api' });
    await untilIn(id, 'sent');
    expect((await timelineOf(id)).at(-1)!.reason).toContain('the answer was lost');
    await server.clock.advance(120_000);
    expect(graph.received).toHaveLength(1);
    await report({ id: 'wamid.NeverAnswered', status: 'delivered', ours: messageId });
    expect(await statesOf(id)).toEqual(['queued', 'sending', 'sent', 'delivered']);
  });

  test.each([
    ['whose status came before', true],
    ['of which nothing else was heard', false],
  ])('that its recipient did not request is worth nothing any more (%s)', async (_what, isDelivered) => {
    const { id } = await send();
    await untilIn(id, 'sent');
    const [wamid] = graph.wamids;
    if (isDelivered) await report({ id: wamid!, status: 'delivered' });
    for (let times = 0; times < 2; times++) {
      const { body, headers } = signedByMeta(webhookOf(disowning(wamid!)));
      expect((await server.call('POST', WEBHOOK, { key: null, body, headers })).status).toBe(200);
    }
    const { data } = (await server.call('GET', `otp/${id}`)).body;
    expect(data).toMatchObject({
      status: 'canceled',
      reason: 'the recipient did not request this code',
      messageStatus: 'read',
    });
    const code = graph.messages()[0].template.components[0].parameters[0].text;
    const checked = await server.call('POST', 'otp/verify', { body: { id, code } });
    expect(checked.body.code).toBe('OTP_NOT_FOUND');
    await server.clock.advance(60_000);
    expect((await timelineOf(id)).every(({ channel }) => channel === 'cloud_api')).toBe(true);
  });

  test('is queued while the token is wrong, says so, and goes out when it is right', async () => {
    graph.next(refusing(190, { status: 401 }));
    const { id } = await send({ channel: 'cloud_api' });
    await until(async () => (await timelineOf(id)).at(-1)!.reason?.includes('CLOUD_API_TOKEN') === true);
    expect((await statesOf(id)).at(-1)).toBe('queued');
    expect(graph.received).toHaveLength(1);
    await server.clock.advance(61_000);
    await untilIn(id, 'sent');
    expect(graph.received).toHaveLength(2);
    expect(graph.wamids).toHaveLength(1);
  });
});

describe('the next channel', () => {
  const untilSms = (phone: string) =>
    until(() => sms.received.some(({ body }) => JSON.parse(body).to === phone));

  test('is used at once where Meta says that nobody uses WhatsApp there, and next time at the send', async () => {
    const { id, messageId, phone } = await send();
    await untilIn(id, 'sent');
    const failed = { id: graph.wamids[0]!, status: 'failed', ours: messageId, code: 131026 };
    const failedAt = server.clock.now();
    await report(failed);
    await untilSms(phone);
    expect(server.clock.now() - failedAt).toBeLessThan(1_000);
    const byCloudApi = (await timelineOf(id)).filter(({ channel }) => channel === 'cloud_api');
    expect(byCloudApi.at(-1)).toMatchObject({
      status: 'failed',
      reason: expect.stringMatching(/not on WhatsApp.*131026/),
    });
    // `failed` again, and a late receipt, move nothing.
    await report(failed);
    await report({ ...failed, status: 'delivered' });
    await server.clock.advance(60_000);
    expect(sms.received).toHaveLength(1);
    const { body, text } = await server.call('POST', 'otp/send', { body: { phone, purpose: 'payment' } });
    expect(body.data?.route, text).toEqual(['sms']);
  });

  test('is used where Meta drops the message without a word', async () => {
    const { id, phone } = await send();
    await untilIn(id, 'sent');
    await server.clock.advance(24_000);
    expect(sms.received).toEqual([]);
    await untilSms(phone);
    expect(graph.received).toHaveLength(1);
  });

  test('is used at once while the account is stopped', async () => {
    graph.next(refusing(131042));
    const { phone } = await send();
    const sentAt = server.clock.now();
    await untilSms(phone);
    expect(server.clock.now() - sentAt).toBeLessThan(5_000);
    expect((await send()).route).toEqual(['sms']);
    expect(graph.received).toHaveLength(1);
  });
});

test('the state of the template is read at the start, and again every 10 minutes', async () => {
  await server.stop();
  const states = (status: string) =>
    answering(200, {
      data: ['en_US', 'id', 'pt_BR'].map((language) => ({ name: TEMPLATE, language, status })),
    });
  graph.next(states('PAUSED'));
  server = await startTestApp({ env: { ...settings(), CLOUD_API_ACCOUNT_ID: ACCOUNT } });
  await until(() => graph.received.length === 1);
  await until(async () => (await send()).route.length === 1);
  expect((await send()).route).toEqual(['sms']);
  graph.next(states('APPROVED'));
  await server.clock.advance(10 * 60_000);
  await until(() => graph.received.length === 2);
  await until(async () => (await send()).route.length === 2);
});

test('the administrator sees what Meta tells of the numbers and the template, and what it does not', async () => {
  await server.stop();
  graph.approved.delete('pt_BR');
  server = await startTestApp({ env: { ...settings(), CLOUD_API_ACCOUNT_ID: ACCOUNT } });
  const shown = await server.call('GET', 'channels/cloud_api', { asAdmin: true });
  expect(shown.body.data).toMatchObject({
    name: 'cloud_api',
    state: 'ready',
    details: [
      `Number ${SENDERS[0]}: +1 555-078-3881, Acme, quality GREEN, limit TIER_250, throughput STANDARD.`,
      expect.stringMatching(`^Number ${SENDERS[1]}: Meta did not tell \\(HTTP 400: .*\\)\\.$`),
      `Template ${TEMPLATE}: en_US APPROVED, id APPROVED.`,
    ],
  });
  expect((await server.call('GET', 'channels/sms', { asAdmin: true })).body.data.details).toEqual([]);
  expectProblem(await server.call('GET', 'channels/cloud_api'), 'FORBIDDEN');
  expectProblem(await server.call('GET', 'channels/fax', { asAdmin: true }), 'RESOURCE_NOT_FOUND');
});

describe('the webhook', () => {
  test('that is forged or unsigned is a 401 and changes nothing', async () => {
    const { id, messageId } = await send();
    await untilIn(id, 'sent');
    const status = { id: graph.wamids[0]!, status: 'failed', ours: messageId, code: 131026 };
    expectProblem(await report(status, 'a guess'), 'UNAUTHORIZED');
    const body = webhookOf(statusChange({ at: server.clock.now(), ...status }));
    expectProblem(await server.call('POST', WEBHOOK, { key: null, body }), 'UNAUTHORIZED');
    // Nor does a key of the API sign for Meta.
    expectProblem(await server.call('POST', WEBHOOK, { body }), 'UNAUTHORIZED');
    await server.clock.advance(1_000);
    expect(await statesOf(id)).toEqual(['queued', 'sending', 'sent']);
  });

  test('about messages that nobody knows is a 200 and changes nothing', async () => {
    const ours = 'msg_01jd3x8zq2e6v9k5m7n0p4r8st';
    expect((await report({ id: 'wamid.A', status: 'delivered', ours })).status).toBe(200);
    expect((await report({ id: 'wamid.A', status: 'failed', code: 131026 })).status).toBe(200);
  });

  test("answers Meta's handshake, and refuses everybody else", async () => {
    const ask = (token: string) =>
      server.call('GET', `${WEBHOOK}?hub.mode=subscribe&hub.challenge=42&hub.verify_token=${token}`, {
        key: null,
      });
    const answer = await ask(VERIFY_TOKEN);
    expect([answer.status, answer.text]).toEqual([200, '42']);
    expect(answer.headers.get('content-type')).toContain('text/plain');
    expectProblem(await ask('a-guess'), 'FORBIDDEN');
  });

  test('leaves no token, secret, code or number in the log', async () => {
    graph.next(refusing(100));
    const { id, phone } = await send({ channel: 'cloud_api' });
    await untilIn(id, 'failed');
    await server.call(
      'GET',
      `${WEBHOOK}?hub.mode=subscribe&hub.challenge=42&hub.verify_token=${VERIFY_TOKEN}`,
    );
    const code = graph.messages()[0].template.components[0].parameters[0].text;
    const log = server.logLines.join('');
    expect(log).toContain(WEBHOOK);
    for (const secret of [TOKEN, VERIFY_TOKEN, code, phone.slice(1)]) expect(log).not.toContain(secret);
  });
});
