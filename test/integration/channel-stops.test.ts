import { afterEach, beforeEach, expect, test } from 'vitest';
import { untilSo } from '../support/far-ends.ts';
import {
  cloudApiSettings,
  type GraphStandIn,
  refusing,
  signedByMeta,
  startGraph,
  statusChange,
  TOKEN,
  webhookOf,
} from '../support/graph-stand-in.ts';
import { type MailServer, startMailServer } from '../support/mail-server.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';

const PASSWORD = 'the-password-of-the-mail-server';

let graph: GraphStandIn;
let mail: MailServer;
let server: TestApp;

beforeEach(async () => {
  graph = await startGraph();
  mail = await startMailServer({ password: PASSWORD });
  server = await startTestApp({ env: settings(PASSWORD) });
});
afterEach(async () => {
  await server.stop();
  await graph.stop();
  await mail.stop();
});

const settings = (password: string) => ({
  ...QUICK_ADMIN,
  BOT_MOCK_MODE: 'false',
  ...cloudApiSettings(graph.origin),
  SMTP_URL: `smtp://wotp:${password}@127.0.0.1:${mail.port}`,
  SMTP_FROM: 'no-reply@example.com',
});

let people = 0;
async function send(channel: 'cloud_api' | 'email') {
  people += 1;
  const body = { phone: newPhone(), email: `person${people}@example.com`, channel };
  const answer = await server.call('POST', 'otp/send', { body });
  expect(answer.status, answer.text).toBe(201);
  return answer.body.data as { id: string; messageId: string };
}
const read = async (id: string) => (await server.call('GET', `otp/${id}`)).body.data;

async function recorded() {
  const rows = await server.app.database.reader
    .selectFrom('events')
    .select(['type', 'data', 'project_id'])
    .where('type', 'like', 'channel.%')
    .orderBy('seq')
    .execute();
  return rows.map(({ type, data, project_id }) => ({ type, project: project_id, ...JSON.parse(data!) }));
}

const until = (isSo: () => boolean | Promise<boolean>) => untilSo(server, isSo, 1_000);
const untilRecorded = (count: number) => until(async () => (await recorded()).length >= count);

test('a token that Meta refuses is one event, whatever waits, and so is the first message after it', async () => {
  graph.always(refusing(190, { status: 401 }));
  const sent = [await send('cloud_api'), await send('cloud_api'), await send('cloud_api')];
  await untilRecorded(1);
  graph.always(graph.honest);
  // The channel rests for a minute, and then tries one message.
  server.clock.set(server.clock.now() + 60_000);
  for (const { id } of sent) await until(async () => (await read(id)).messageStatus === 'sent');
  await untilRecorded(2);
  const [stopped, recovered, ...others] = await recorded();
  expect(stopped).toEqual({
    type: 'channel.stopped',
    actor: 'server',
    project: null,
    channel: 'cloud_api',
    reason: "CLOUD_API_TOKEN is invalid or has expired (Meta's error 190)",
  });
  expect(recovered).toMatchObject({ type: 'channel.recovered', project: null, channel: 'cloud_api' });
  expect(others).toEqual([]);
  expect(JSON.stringify(await recorded())).not.toContain(TOKEN);
});

test('a payment that Meta reports as missing in a status is an event, though no request was refused', async () => {
  const { id, messageId } = await send('cloud_api');
  await until(async () => (await read(id)).messageStatus === 'sent');
  const status = { id: graph.wamids[0]!, status: 'failed', ours: messageId, code: 131042 };
  const report = signedByMeta(webhookOf(statusChange({ at: server.clock.now(), ...status })));
  await server.call('POST', 'channels/cloud-api/webhook', { key: null, ...report });
  await untilRecorded(1);
  expect(await recorded()).toMatchObject([
    { type: 'channel.stopped', channel: 'cloud_api', reason: expect.stringContaining('payment') },
  ]);
});

test('a mail server that refuses to sign us in is one event, which a restart with the right password ends', async () => {
  const { dir, key, clock } = server;
  await server.stop({ keepFiles: true });
  server = await startTestApp({ env: settings('a-wrong-password'), dir, key, clock });
  const { id } = await send('email');
  await untilRecorded(1);
  await server.stop({ keepFiles: true });
  server = await startTestApp({ env: settings(PASSWORD), dir, key, clock });
  await until(async () => (await read(id)).messageStatus === 'sent');
  await untilRecorded(2);
  const [stopped, recovered] = await recorded();
  expect(stopped).toMatchObject({
    channel: 'email',
    reason: expect.stringMatching(/refused to sign us in|signing in to the mail server failed/),
  });
  expect(recovered).toMatchObject({ type: 'channel.recovered', channel: 'email' });
  expect(JSON.stringify(await recorded())).not.toMatch(/password/i);
});

test('a circuit that opens is one event, and so is its closing', async () => {
  mail.onConnect = () => 'cut';
  for (let i = 0; i < 3; i++) await send('email');
  await untilRecorded(1);
  mail.onConnect = () => 'go on';
  await untilRecorded(2);
  expect(await recorded()).toMatchObject([
    {
      type: 'channel.stopped',
      channel: 'email',
      reason: expect.stringContaining('paused after repeated failures'),
    },
    { type: 'channel.recovered', channel: 'email' },
  ]);
});
