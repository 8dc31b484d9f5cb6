import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { httpProvidersFeature } from '../../src/channels/http/index.ts';
import { type Environment, loadConfig } from '../../src/config/config.ts';
import { newId } from '../../src/lib/id.ts';
import type { OutgoingMessage, Receipt } from '../../src/messages/channel.ts';
import { rulesOf } from '../../src/settings/settings.ts';
import { startCallbackServer } from './callback-server.ts';
import { silentTroubles } from './silent-log.ts';
import { testClock } from './test-clock.ts';

export const PUBLIC_URL = 'https://otp.example.com';

/** A file of providers in a folder of its own, which `remove` deletes. */
export function providersFile(content: unknown) {
  const dir = mkdtempSync(join(tmpdir(), 'wotp-providers-'));
  const path = join(dir, 'providers.json');
  writeFileSync(path, JSON.stringify(content));
  return { path, remove: () => rmSync(dir, { recursive: true }) };
}

/**
 * The channels of a file of providers and the server that takes their callbacks, both as the product builds them, with
 * the clock of a test and without an outbox: `receipts` holds what was reported to it. Providers may be on this machine.
 */
export async function openHttpProviders(content: unknown, env: Environment = {}) {
  const file = providersFile(content);
  const config = loadConfig({
    PROVIDERS_FILE: file.path,
    PROVIDERS_ALLOWED_ADDRESSES: '127.0.0.1',
    BRAND_NAME: 'Acme',
    ...env,
  });
  file.remove();
  const clock = testClock();
  const receipts: Receipt[] = [];
  /** What the operator was told, as `<work>: <message>`. */
  const told: string[] = [];
  const troubles = {
    ...silentTroubles,
    failed(work: string, error: unknown, failure?: { message?: string }) {
      told.push(`${work}: ${failure?.message}: ${(error as Error).message}`);
    },
  };
  const feature = httpProvidersFeature({
    config,
    clock,
    machineClock: clock,
    troubles,
    publicUrl: new URL(PUBLIC_URL),
    settings: { of: () => rulesOf(config), projectsWithOwn: [] },
  });
  const { address, stop } = await startCallbackServer(clock, feature.routes);
  for (const channel of feature.channels) {
    await channel.start({ onReceipt: async (receipt) => void receipts.push(receipt) });
  }
  const [channel] = feature.channels;

  return {
    clock,
    receipts,
    told,
    channels: feature.channels,
    /** The first of the file's channels. */
    channel: channel!,

    message: (fields: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
      id: newId('msg', clock.now()),
      projectId: 1,
      to: '+6281234500001',
      text: 'Your code is 481516.',
      code: '481516',
      expiresAt: clock.now() + 300_000,
      ...fields,
    }),

    send(message: OutgoingMessage, signal = new AbortController().signal) {
      return channel!.send(message, signal);
    },

    /** Calls a callback as a provider does, at the path of a URL; resolves to the status of the answer. */
    async callback(url: string, headers: Record<string, string>, body: string): Promise<number> {
      const { pathname, search } = new URL(url, PUBLIC_URL);
      const answer = await fetch(new URL(pathname + search, address), { method: 'POST', headers, body });
      await answer.text();
      return answer.status;
    },

    async stop(): Promise<void> {
      for (const each of feature.channels) await each.stop();
      for (const each of feature.work) await each.stop();
      await stop();
    },
  };
}

export type HttpProviders = Awaited<ReturnType<typeof openHttpProviders>>;
