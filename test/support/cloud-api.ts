import { cloudApiFeature } from '../../src/channels/cloud-api/index.ts';
import { type Environment, loadConfig } from '../../src/config/config.ts';
import { newId } from '../../src/lib/id.ts';
import { type OutgoingMessage, type Receipt, SendError } from '../../src/messages/channel.ts';
import { startCallbackServer } from './callback-server.ts';
import { cloudApiSettings, signedByMeta } from './graph-stand-in.ts';
import { silentTroubles } from './silent-log.ts';
import { testClock } from './test-clock.ts';

const WEBHOOK = '/api/v1/channels/cloud-api/webhook';

/**
 * The channel and the server that takes its webhooks, as the product builds them, with the clock of a test and without an
 * outbox: `receipts` holds what was reported to it.
 */
export async function openCloudApi(origin: string, env: Environment = {}) {
  const config = loadConfig({ ...cloudApiSettings(origin), BOT_MOCK_MODE: 'false', ...env });
  const clock = testClock();
  const receipts: Receipt[] = [];
  /** What the operator was told, as `<work>: <message>: <cause>`. */
  const told: string[] = [];
  const stop = new AbortController();
  const reads: (() => Promise<void> | void)[] = [];
  const feature = cloudApiFeature({
    config,
    machineClock: clock,
    stopping: stop.signal,
    troubles: {
      ...silentTroubles,
      failed(work, error, failure) {
        told.push(`${work}: ${failure?.message}: ${(error as Error).message}`);
      },
    },
    every: (_interval, _name, run) => {
      reads.push(run);
      return { start() {}, stop: async () => {} };
    },
  });
  const channel = feature.channel!;
  const server = await startCallbackServer(clock, feature.routes);
  await channel.start({ onReceipt: async (receipt) => void receipts.push(receipt) });

  const message = (fields: Partial<OutgoingMessage> = {}): OutgoingMessage => ({
    id: newId('msg', clock.now()),
    projectId: 1,
    to: '+12025550123',
    text: 'Your code is 481516.',
    code: '481516',
    expiresAt: clock.now() + 300_000,
    ...fields,
  });

  async function callWebhook(init: RequestInit & { query?: string } = {}) {
    const { query = '', ...request } = init;
    const answer = await fetch(new URL(WEBHOOK + query, server.address), request);
    return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
  }

  return {
    clock,
    channel,
    receipts,
    told,
    message,
    callWebhook,

    /** Reads the states of the template, as happens from time to time. */
    async readStates() {
      for (const read of reads) await read();
    },

    /** What a send ends with: what was accepted, or what failed and why. */
    send: (outgoing = message(), signal = new AbortController().signal) =>
      channel.send(outgoing, signal).catch((error: unknown) => {
        if (!(error instanceof SendError)) throw error;
        const { failure, reason, retryAfterMs } = error;
        return { failure, reason, ...(retryAfterMs !== undefined && { retryAfterMs }) };
      }),

    /** Reports something as Meta does; resolves to the status of the answer. */
    async report(value: unknown): Promise<number> {
      return (await callWebhook({ method: 'POST', ...signedByMeta(value) })).status;
    },

    async stop(): Promise<void> {
      stop.abort();
      await channel.stop();
      for (const work of feature.work) await work.stop();
      await server.stop();
    },
  };
}

export type CloudApi = Awaited<ReturnType<typeof openCloudApi>>;
