import type { Core } from '../../core.ts';
import type { Feature } from '../../feature.ts';
import { outboundClient } from '../../lib/outbound-client.ts';
import { CloudApiChannel } from './channel.ts';
import { graphApi } from './graph.ts';
import { webhookRoutes } from './routes.ts';
import { Template } from './template.ts';
import { reportsIn } from './webhook.ts';

/** The operator has chosen the address, so it may be anywhere. */
const ANYWHERE = ['0.0.0.0/0', '::/0'];
const STATES_EVERY_MS = 10 * 60_000;

/** WhatsApp by Meta's Cloud API, where `CLOUD_API_TOKEN` is set. */
export function cloudApiFeature(
  core: Pick<Core, 'config' | 'machineClock' | 'troubles' | 'stopping' | 'every'>,
) {
  const { config, machineClock: clock, troubles, stopping } = core;
  const { token, phoneNumberIds, accountId, languages, baseUrl, version, appSecret, verifyToken } =
    config.cloudApi;
  const client = outboundClient({
    allowedAddresses: ANYWHERE,
    isProduction: config.server.isProduction,
    clock,
  });
  const template = new Template(config.cloudApi.template ?? '', languages, clock);
  const graph = token === undefined ? undefined : graphApi({ client, clock, baseUrl, version, token });
  const channel =
    graph &&
    new CloudApiChannel({
      graph,
      senders: phoneNumberIds,
      template,
      accountId,
      hasWebhook: appSecret !== undefined,
      clock,
      troubles,
    });

  async function readStates(): Promise<void> {
    if (!graph || accountId === undefined) return;
    const askedAt = clock.now();
    for (const { language, state } of await graph.templateStates(accountId, template.name, stopping)) {
      template.noteState(language, state, askedAt);
    }
  }
  const READING = 'reading the state of the WhatsApp template';
  const reading = core.every(STATES_EVERY_MS, READING, readStates);
  const isReading = graph !== undefined && accountId !== undefined && !config.bot.mockMode;

  return {
    name: 'cloud-api',
    /** Undefined where it is not set up. */
    channel,
    routes: (server) =>
      webhookRoutes(server, {
        appSecret,
        verifyToken,
        take: async (body) => channel?.take(reportsIn(body, clock.now())),
      }),
    work: [
      {
        start() {
          if (!isReading) return;
          reading.start();
          readStates().catch((error: unknown) => {
            if (!stopping.aborted) troubles.failed(READING, error, { level: 'warn' });
          });
        },
        async stop() {
          await reading.stop();
          client.close();
        },
      },
    ],
  } satisfies Feature & Record<string, unknown>;
}
