import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import { testNumberRoutes } from './routes.ts';
import { testNumberService } from './service.ts';

/** How often the list is read where another process may change it, in ms: it changes seldom. */
const RELOAD_MS = 1_000;

/** Addresses with a fixed code and no message, for reviewers of app stores and for tests. */
export function testNumbersFeature(core: Core) {
  const { config, database, keyring, events, clock, settings, idempotency } = core;
  const service = testNumberService({ database, keyring, events, clock, areOn: config.otp.testNumbers });
  const reading = core.every(RELOAD_MS, 'reading the test numbers', () => service.reload());
  return {
    name: 'test-numbers',
    codeFor: service.codeFor,
    routes: (server) =>
      testNumberRoutes(server, { service, database, settings, runOnce: idempotency.runOnce }),
    work: [
      {
        async start() {
          await service.reload();
          if (!database.isExclusive) reading.start();
        },
        stop: () => reading.stop(),
      },
    ],
  } satisfies Feature & Record<string, unknown>;
}

export type TestNumbersFeature = ReturnType<typeof testNumbersFeature>;
