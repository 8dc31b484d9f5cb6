import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { call, endCommands, PASSWORD, serve } from '../support/command-line.ts';
import { startFakeWhatsApp } from '../support/fake-whatsapp/server.ts';
import { stanza } from '../support/fake-whatsapp/stanza.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { eventually } from '../support/whatsapp-sessions.ts';

vi.setConfig({ testTimeout: 90_000 });
const HASTY = fileURLToPath(new URL('../support/hasty-server.js', import.meta.url));

beforeAll(ensureBuilt, 120_000);
afterAll(endCommands);

/** A server of its own process that shows a QR code to link a phone with. */
async function showingQr() {
  const whatsapp = await startFakeWhatsApp();
  onTestFinished(() => whatsapp.stop());
  const settings = { BOT_MOCK_MODE: 'false', BOT_SOCKET_URL: whatsapp.url, MASTER_PASSWORD: PASSWORD };
  const server = await serve(tempFolder(), settings, [], HASTY);
  const dataOf = async (answer: Promise<Response>) =>
    ((await (await answer).json()) as { data: Record<string, unknown> }).data;
  const { id } = await dataOf(call(server.address, 'POST', 'bot/sessions', { body: { name: 'x' } }));
  const session = () => dataOf(call(server.address, 'GET', `bot/sessions/${id}`));
  await whatsapp.until(() => whatsapp.unpaired === 1);
  return { whatsapp, server, session };
}

test("an exception in a timer of the WhatsApp library ends that session's connection, with a reason and a next attempt, and not the process", async () => {
  const { whatsapp, server, session } = await showingQr();
  const refs = [stanza('ref', {}, Buffer.from('2@first')), stanza('ref')];
  const attributes = { type: 'set', xmlns: 'md', from: '@s.whatsapp.net', id: 'attack' };
  whatsapp.attack(stanza('iq', attributes, [stanza('pair-device', {}, refs)]));
  await eventually(async () => (await session()).nextAttemptAt !== null);
  expect(await session()).toMatchObject({
    state: 'pairing',
    reason: 'The WhatsApp library failed on data that WhatsApp sent. See the log.',
  });
  const connections = whatsapp.connectionsEver;
  await whatsapp.until(() => whatsapp.connectionsEver > connections && whatsapp.unpaired === 1);
  expect((await fetch(`${server.address}/api/v1/health/live`)).status).toBe(200);
  expect((await server.stop()).code).toBe(0);
});

test('an exception of our own ends the process with 1, and it says which', async () => {
  const { server } = await showingQr();
  expect((await server.stop('SIGUSR2')).code).toBe(1);
  expect(server.output()).toContain('wotp: An error in the server ended it:\nError: a bug of our own');
});
