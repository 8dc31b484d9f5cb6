import { randomBytes, randomInt } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { BuiltServer } from '../../bench/built-server.js';
import { ensureBuilt } from '../support/child.ts';
import { slowRecount } from '../support/slow-recount.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { startTestApp } from '../support/test-app.ts';
import { testClock } from '../support/test-clock.ts';
import { newPhone } from '../support/verifications.ts';

const KILLS = 4;
const WRITERS = 8;
const CODE = '481516';

/** Sends, checks and asks for figures, so that events are written and counted all the time, until the server dies. */
async function useUntilKilled(server: BuiltServer, requests: number): Promise<void> {
  let left = requests;
  async function write(): Promise<void> {
    for (;;) {
      const { body } = await server.call('POST', 'otp/send', { phone: newPhone(), code: CODE });
      await server.call('GET', 'analytics/success-rate');
      if (randomInt(2) === 0) await server.call('POST', 'otp/verify', { id: body.data.id, code: CODE });
      left -= 1;
      if (left === 0) await server.kill();
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: WRITERS }, write));
  expect(ended.every(({ status }) => status === 'rejected')).toBe(true);
}

test('figures equal a slow recount after the server was killed while it counted, and after a rebuild', async () => {
  await ensureBuilt();
  const dir = tempFolder();
  const secrets = { masterKey: randomBytes(32).toString('hex'), password: 'a password only tests know' };
  let key = '';
  for (let kill = 0; kill < KILLS; kill++) {
    const server = await BuiltServer.start(dir, secrets, key, { BOT_MOCK_MODE: 'true' });
    key = server.apiKey;
    await useUntilKilled(server, randomInt(20, 80));
  }

  const app = await startTestApp({
    dir,
    key,
    adminPassword: secrets.password,
    env: { DB_MASTER_KEY: secrets.masterKey, MASTER_PASSWORD: secrets.password },
    clock: testClock(Date.now() + 1_000),
  });
  onTestFinished(() => app.stop());
  const today = new Date(app.clock.now()).toISOString().slice(0, 10);
  const yesterday = new Date(app.clock.now() - 86_400_000).toISOString().slice(0, 10);

  async function expectFigures() {
    // Looks at the feed, which no longer grows.
    await app.clock.advance(6_000);
    const slow = await slowRecount(app.app.database, 1);
    const { dailyStats } = (await app.call('GET', 'analytics/dashboard?days=2')).body.data;
    expect(dailyStats).toEqual([slow.day(yesterday, 'UTC'), slow.day(today, 'UTC')]);
    expect(dailyStats[0].total + dailyStats[1].total).toBeGreaterThan(KILLS * 20);
    for (const by of ['channel', 'country', 'purpose']) {
      const { rows } = (await app.call('GET', `analytics/conversion?by=${by}`)).body.data;
      const counted = rows.map(({ conversion: _, ...row }: Record<string, unknown>) => row);
      expect(counted, by).toEqual(slow.conversion(by, [yesterday, today], 'UTC'));
    }
    const { byChannel } = (await app.call('GET', 'analytics/delivery-time')).body.data;
    const times = slow.deliveries('channel', [yesterday, today], 'UTC').get('simulator')!;
    expect(byChannel).toMatchObject([{ key: 'simulator', messages: times.length }]);
  }
  await expectFigures();
  const { status, body } = await app.call('POST', 'analytics/rebuild', { asAdmin: true, body: {} });
  expect([status, body.data.next, body.data.left]).toEqual([200, null, []]);
  await expectFigures();
}, 400_000);
