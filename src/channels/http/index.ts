import type { FastifyInstance } from 'fastify';
import type { Core } from '../../core.ts';
import type { Feature } from '../../feature.ts';
import { localAddress } from '../../http/local-address.ts';
import { outboundClient } from '../../lib/outbound-client.ts';
import type { Settings } from '../../settings/settings.ts';
import { ProviderChannel } from './channel.ts';
import { httpProvider } from './provider.ts';
import { callbackPath, providerRoutes } from './routes.ts';

/** What a provider is given as the name of the product where none is set. */
const FALLBACK_BRAND = 'WOTP';

/** The providers of PROVIDERS_FILE: the channels `sms` and `http`, each where it has a provider. */
export function httpProvidersFeature(
  core: Pick<Core, 'config' | 'clock' | 'machineClock' | 'troubles' | 'publicUrl'> & { settings: Settings },
) {
  const { config, machineClock: clock, troubles, publicUrl, settings } = core;
  const { definitions, allowedAddresses } = config.providers;
  const { isProduction } = config.server;
  const client = outboundClient({ allowedAddresses, isProduction, clock });
  let server: FastifyInstance | undefined;
  /** Where callbacks find this server; undefined while it has no address. */
  let origin: string | URL | undefined = publicUrl;

  const channels = (['sms', 'http'] as const).flatMap((name) => {
    const providers = definitions
      .filter(({ channel }) => channel === name)
      .map((definition) =>
        httpProvider(definition, {
          client,
          clock: core.clock,
          brandOf: (projectId) => settings.of(projectId).style.brand ?? FALLBACK_BRAND,
          callbackUrl() {
            const url = new URL(callbackPath(definition.name), origin);
            const { token } = definition.callback ?? {};
            if (token !== undefined) url.searchParams.set('token', token);
            return url.href;
          },
        }),
      );
    return providers.length > 0 ? [new ProviderChannel({ name, providers, clock, troubles })] : [];
  });

  return {
    name: 'http-providers',
    channels,
    routes(given) {
      server = given;
      providerRoutes(given, {
        definitions,
        publicOrigin: publicUrl?.origin,
        report: async (name, receipt) => channels.find((channel) => channel.name === name)?.report(receipt),
      });
    },
    work: [
      {
        start() {},
        // It sends to the end, when it listens no longer.
        whenListening() {
          origin ??= localAddress(server!);
        },
        stop: async () => client.close(),
      },
    ],
  } satisfies Feature & Record<string, unknown>;
}
