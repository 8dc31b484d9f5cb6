// @ts-check
// node bench/channels.js
// Each channel alone, without the outbox, against a stand-in in another process that takes every message: messages a second
// and processor time a message. The Cloud API keeps Meta's limit of its one number, so its first figure says no more.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NUMBERS, providerAt, startStandIns } from './channel-stand-ins.js';
import { dist } from './dist.js';
import { ensureBuilt } from './ensure-built.js';

/** How long a channel sends before it is measured, and then, in ms. */
const WARM_UP_MS = 1_000;
const MEASURE_MS = 4_000;
const DAY_MS = 86_400_000;

/**
 * @typedef {import('../src/messages/channel.ts').Channel} Channel
 * @typedef {{ channel: string, perSecond: number, cpuMicros: number }} Measured
 */

/**
 * Sends over each channel for some seconds.
 * @returns {Promise<Measured[]>}
 */
export async function benchChannels() {
  const folder = mkdtempSync(join(tmpdir(), 'wotp-bench-'));
  const standIns = startStandIns();
  try {
    const measured = [];
    for (const { name, channel, end } of await channelsTo(await standIns.start(), folder)) {
      await channel.start({ onReceipt: async () => {} });
      measured.push({ channel: name, ...(await measure(channel)) });
      await channel.stop();
      await end();
    }
    return measured;
  } finally {
    standIns.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * The channels as the product builds them.
 * @param {import('./channel-stand-ins.js').Places} places @param {string} folder
 */
async function channelsTo({ graph, sms: provider, smtp }, folder) {
  const { loadConfig } = await dist('config/config.js');
  const { systemClock } = await dist('lib/clock.js');
  const { cloudApiFeature } = await dist('channels/cloud-api/index.js');
  const { emailFeature } = await dist('channels/email/index.js');
  const { httpProvidersFeature } = await dist('channels/http/index.js');
  const providers = join(folder, 'providers.json');
  writeFileSync(providers, JSON.stringify({ providers: [providerAt(provider)] }));
  const config = loadConfig(
    {
      DATA_DIR: folder,
      BOT_MOCK_MODE: 'false',
      CLOUD_API_TOKEN: 'token-of-the-stand-in',
      CLOUD_API_PHONE_NUMBER_ID: NUMBERS[0],
      CLOUD_API_TEMPLATE: 'code',
      CLOUD_API_LANGUAGES: 'en_US',
      CLOUD_API_BASE_URL: graph,
      SMTP_URL: `smtp://127.0.0.1:${smtp}`,
      SMTP_FROM: 'no-reply@example.com',
      PROVIDERS_FILE: providers,
      PROVIDERS_ALLOWED_ADDRESSES: '127.0.0.1',
    },
    { cwd: folder },
  );
  const clock = systemClock();
  /** @type {any} */
  const core = {
    config,
    clock,
    machineClock: clock,
    troubles: { failed() {}, succeeded() {}, isAny: false },
    publicUrl: new URL('http://127.0.0.1'),
    stopping: new AbortController().signal,
    every: () => ({ start() {}, stop: async () => {} }),
  };
  const cloudApi = cloudApiFeature(core);
  const sms = httpProvidersFeature(core);
  const stopAll = async (/** @type {{ work: { stop(): unknown }[] }} */ { work }) => {
    for (const part of work) await part.stop();
  };
  return [
    { name: 'cloud_api', channel: given(cloudApi.channel), end: () => stopAll(cloudApi) },
    { name: 'email', channel: given((await emailFeature(core)).channel), end: async () => {} },
    { name: 'sms', channel: given(sms.channels[0]), end: () => stopAll(sms) },
  ];
}

/** @param {Channel | undefined} channel */
function given(channel) {
  if (!channel) throw new Error('A channel is not set up.');
  return channel;
}

/** @param {Channel} channel */
async function measure(channel) {
  let sent = 0;
  let isOver = false;
  async function sendOn() {
    while (!isOver) {
      sent += 1;
      const to =
        channel.reaches === 'email'
          ? `person${sent}@example.com`
          : `+628${String(1_000_000_000 + (sent % 1_000_000_000))}`;
      const id = `msg_${String(sent).padStart(26, '0')}`;
      const { signal } = new AbortController();
      const text = 'Your code is 481516. Do not share it.';
      await channel.send(
        { id, projectId: 1, to, text, code: '481516', expiresAt: Date.now() + DAY_MS },
        signal,
      );
    }
  }
  const sending = Promise.all(Array.from({ length: channel.capabilities.concurrency }, sendOn));
  await Promise.race([sending, new Promise((resolve) => setTimeout(resolve, WARM_UP_MS))]);
  const before = { sent, cpu: process.cpuUsage(), at: performance.now() };
  await Promise.race([sending, new Promise((resolve) => setTimeout(resolve, MEASURE_MS))]);
  const { user, system } = process.cpuUsage(before.cpu);
  const count = sent - before.sent;
  const perSecond = count / ((performance.now() - before.at) / 1000);
  isOver = true;
  await sending;
  return { perSecond, cpuMicros: (user + system) / count };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await ensureBuilt();
  for (const { channel, perSecond, cpuMicros } of await benchChannels())
    console.log(
      `${channel}: ${Math.round(perSecond)} messages/s, ${Math.round(cpuMicros)} µs of processor time a message.`,
    );
  process.exit();
}
