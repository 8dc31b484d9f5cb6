import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import { keyRoutes } from './routes.ts';
import { keyService } from './service.ts';

const USAGE_FLUSH_MS = 100;

/** API keys. */
export function keysFeature(core: Core) {
  const { database, events, clock, settings, log } = core;
  const keys = keyService({ database, events, clock, settings });
  const flush = core.every(USAGE_FLUSH_MS, 'writing the usage of API keys', () => keys.flushUsage());
  return {
    name: 'keys',
    service: keys,
    routes: (server) => keyRoutes(server, { keys, clock, runOnce: core.idempotency.runOnce }),
    work: [
      {
        start: () => flush.start(),
        async stop() {
          await flush.stop();
          await keys
            .flushUsage()
            .catch((error: unknown) => log.error({ err: error }, 'the usage of API keys was not written'));
        },
      },
    ],
  } satisfies Feature & { service: typeof keys };
}

export type KeysFeature = ReturnType<typeof keysFeature>;
