import { afterEach, beforeEach, expect, test } from 'vitest';
import { webhookCommand } from '../../src/webhooks/cli.ts';
import { runHere } from '../support/command-in-process.ts';
import { ENGINE } from '../support/engine.ts';
import { answering, type ProviderStandIn } from '../support/provider-stand-in.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { testClock } from '../support/test-clock.ts';
import { startReceiver, TO_THIS_MACHINE, verified, webhooksOf } from '../support/webhook-receiver.ts';

let server: TestApp;
let receiver: ProviderStandIn;

beforeEach(async () => {
  receiver = await startReceiver();
  const env = { ...TO_THIS_MACHINE, WEBHOOK_RETRY_SECONDS: '0' };
  server = await startTestApp({ env, clock: testClock(Date.now()) });
});
afterEach(async () => {
  await server.stop();
  await receiver.stop();
});

/** Runs `webhook …` beside the running server, while its time goes on; resolves to its last line of JSON. */
async function webhook(...args: string[]) {
  let isOver = false;
  const command = runHere(webhookCommand(), [...args, '--json'], {
    cwd: server.dir,
    settings: {
      DATA_DIR: server.dir,
      ...(ENGINE === 'postgres' && {
        DATABASE_URL: server.app.config.database.url!,
        DB_MASTER_KEY: server.app.config.security.masterKey!,
      }),
    },
  }).finally(() => {
    isOver = true;
  });
  command.catch(() => {});
  while (!isOver) await server.clock.advance(20);
  return JSON.parse((await command).trim().split('\n').at(-1)!);
}

test('endpoints are created, listed and tested, and deliveries listed and sent again, from the command line', async () => {
  expect(await webhook('list')).toEqual({ webhooks: [] });
  const created = await webhook('create', receiver.origin, '--events', 'otp.*, message.failed');
  expect(created).toMatchObject({
    secret: expect.stringMatching(/^whsec_/),
    events: ['otp.*', 'message.failed'],
  });
  expect(await webhook('list')).toEqual({
    webhooks: [expect.objectContaining({ id: created.id, url: `${receiver.origin}/`, enabled: true })],
  });

  expect(await webhook('test', created.id)).toMatchObject({
    status: 'delivered',
    attempts: [{ status: 200 }],
  });
  verified(created.secret, receiver.received[0]!, server.clock.now());

  receiver.next(answering(500, 'broken'));
  await expect(webhook('test', created.id)).rejects.toThrow('did not accept the test event: HTTP 500');
  const { deliveries } = await webhook('deliveries', created.id, '--status', 'failed');
  expect(deliveries).toEqual([
    expect.objectContaining({ type: 'webhook.test', attempts: [expect.anything()] }),
  ]);
  expect(await webhook('retry', deliveries[0].id)).toMatchObject({ id: deliveries[0].id, status: 'pending' });
  const { until } = webhooksOf(server);
  await until('it came again', () => receiver.received.length === 3);
  expect(receiver.received[2]!.headers['webhook-id']).toBe(receiver.received[1]!.headers['webhook-id']);
});

test('a command says why an endpoint cannot be created', async () => {
  await expect(webhook('create', 'http://10.0.0.1/')).rejects.toThrow('WEBHOOK_ALLOWED_ADDRESSES');
  await expect(webhook('create', receiver.origin, '--events', 'otp.nothing')).rejects.toThrow('events.0');
});
