import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import { demoRoutes } from './routes.ts';

/** Invented verifications to look around; not in production. */
export function demoFeature({ config, database, events, keyring, clock, idempotency }: Core): Feature {
  if (config.server.isProduction) return { name: 'demo' };
  return {
    name: 'demo',
    routes: (server) =>
      demoRoutes(server, { database, events, keyring, clock, runLongOnce: idempotency.runLongOnce }),
  };
}
