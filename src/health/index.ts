import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import { VERSION } from '../lib/version.ts';
import { healthRoutes } from './routes.ts';
import { healthService } from './service.ts';

/**
 * The health report, probes and metrics.
 * @param features those whose checks and figures it shows
 */
export function healthFeature(core: Core, { features }: { features: readonly Feature[] }): Feature {
  const { database, keyring, clock, startedAt, stopping, config } = core;
  const { dataDir } = config.database;
  const health = healthService({
    database,
    keyring,
    clock,
    startedAt,
    stopping,
    dataDir,
    version: VERSION,
    features,
  });
  const checks = features.flatMap(({ checks: own = [] }) => own);
  return { name: 'health', routes: (server) => healthRoutes(server, health, checks) };
}
