import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { BuiltServer } from '../../bench/built-server.js';
import { until } from '../../bench/crash-rounds.js';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { runOn } from '../../bench/local-postgres.js';
import { quietLibsignal } from '../support/fake-whatsapp/quiet-libsignal.ts';
import { startFakeWhatsApp } from '../support/fake-whatsapp/server.ts';
import { createPostgres } from '../support/postgres.ts';

quietLibsignal();

const OWN = '+6281200000001';
const MOVES_WITHIN_MS = 15_000;

/** Two servers on one PostgreSQL, each a process of its own, and a number that the first one has linked. */
async function twoServers() {
  await ensureBuilt();
  const postgres = await createPostgres({ ownKey: true });
  const whatsapp = await startFakeWhatsApp();
  const dir = mkdtempSync(join(tmpdir(), 'wotp-lease-'));
  const secrets = { masterKey: randomBytes(32).toString('hex'), password: randomBytes(16).toString('hex') };
  const nodes: BuiltServer[] = [];
  onTestFinished(async () => {
    await Promise.all(nodes.map((node) => node.kill()));
    await whatsapp.stop();
    await postgres.drop();
    rmSync(dir, { recursive: true, force: true });
  });
  const settings = { DATABASE_URL: postgres.url, BOT_MOCK_MODE: 'false', BOT_SOCKET_URL: whatsapp.url };
  for (const name of ['first', 'second']) {
    mkdirSync(join(dir, name));
    nodes.push(await BuiltServer.start(join(dir, name), secrets, nodes[0]?.apiKey, settings));
  }
  const [first, second] = nodes as [BuiltServer, BuiltServer];
  const { body } = await first.callAsAdmin('POST', 'bot/sessions', { name: 'lease' });
  const path = `bot/sessions/${body.data.id}`;
  // A busy machine may end a pairing before the scan is answered: who scans takes the next picture, as at any phone.
  while (whatsapp.phone(OWN).linked.length === 0) {
    const { status, body: shown } = await first.callAsAdmin('GET', `${path}/qr`);
    if (status === 200)
      await whatsapp
        .phone(OWN)
        .scanQr(shown.data.qr)
        .catch(() => undefined);
  }
  await whatsapp.until(() => whatsapp.phone(OWN).linked.length > 0 && whatsapp.linked(OWN).online);
  const device = whatsapp.linked(OWN);
  /** Resolves when the other node has logged the number in. */
  const moved = (logins: number) =>
    whatsapp.until(() => device.logins > logins && device.online, MOVES_WITHIN_MS);
  const row = async () =>
    (await runOn(postgres.url, 'select state, lease, lease_owner, lease_until from whatsapp_sessions'))[0];
  return { first, second, whatsapp, device, path, moved, row };
}

test('a number whose node is killed is on another node within 15 seconds', async () => {
  const { first, device, moved } = await twoServers();
  const { logins } = device;
  process.kill(first.pid!, 'SIGKILL');
  await moved(logins);
}, 120_000);

test('a node that was frozen while another took its number over changes nothing and fights nobody, when it goes on', async () => {
  const { first, second, device, path, moved, row } = await twoServers();
  const { logins } = device;
  process.kill(first.pid!, 'SIGSTOP');
  await moved(logins);
  await until('the second one says so', async () => (await row()).state === 'open');
  const taken = await row();
  process.kill(first.pid!, 'SIGCONT');
  const view = async (node: BuiltServer) => (await node.callAsAdmin('GET', path)).body.data;
  // Only the node that drives a session knows its health.
  await until('the first one has noticed', async () => (await view(first)).health === null);
  const { lease_until: before } = await row();
  await until('the second one has kept it', async () => (await row()).lease_until > before);
  expect([(await view(first)).state, (await view(second)).state]).toEqual(['open', 'open']);
  expect(device.logins).toBe(logins + 1);
  expect(await row()).toMatchObject({ ...taken, lease_until: expect.any(String) });
}, 120_000);
