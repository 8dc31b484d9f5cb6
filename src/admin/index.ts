import type { Core } from '../core.ts';
import { DEFAULT_PROJECT } from '../database/project.ts';
import type { Feature } from '../feature.ts';
import { sessionRoutes } from './routes.ts';
import { adminService } from './service.ts';

/** The administrator: the password, the sign-in link and the sessions of pages. */
export function adminFeature(core: Core) {
  const { database, keyring, events, clock, counters, config, publicUrl } = core;
  const admin = adminService({
    database,
    keyring,
    clock,
    counters,
    configuredPassword: config.security.masterPassword,
    failuresMax: config.limits.signInFailures,
    onWrong: (address) =>
      core.audit({
        type: 'admin.sign_in_failed',
        projectId: DEFAULT_PROJECT,
        data: { address },
        by: { name: 'nobody', address },
      }),
  });
  return {
    name: 'admin',
    service: admin,
    routes: (server) => sessionRoutes(server, { admin, database, events, publicUrl }),
  } satisfies Feature & { service: typeof admin };
}
