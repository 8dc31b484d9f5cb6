import type { WhatsAppFeature } from '../channels/whatsapp/index.ts';
import type { Core } from '../core.ts';
import { SERVER } from '../database/acts.ts';
import type { Feature } from '../feature.ts';
import type { KeysFeature } from '../keys/index.ts';
import { erasure } from './erasure.ts';
import { projectRoutes } from './routes.ts';
import { ensureDefaultProject, projectService } from './service.ts';
import { settingRoutes } from './setting-routes.ts';

/** How often it is looked for deleted projects whose data are to be erased, in ms. */
const ERASE_LOOK_MS = 5_000;
const SESSIONS_TOGETHER = 200;

/** The tenants and their settings. `defaultId` is what the API calls the default project. */
export async function projectsFeature(core: Core, others: { keys: KeysFeature; whatsapp: WhatsAppFeature }) {
  const { database, clock, events, settings, stopping, idempotency } = core;
  const { keys, whatsapp } = others;
  const projects = projectService({ database, clock, events, revokeKeys: keys.service.revokeAll });
  const { eraseDeleted } = erasure({
    database,
    clock,
    events,
    stopping,
    async removeSessions(projectId) {
      const { sessions } = await whatsapp.sessions.list(projectId, { limit: SESSIONS_TOGETHER });
      for (const { id } of sessions) await whatsapp.sessions.remove(projectId, id, SERVER);
    },
  });
  return {
    name: 'projects',
    defaultId: await ensureDefaultProject({ database, clock }),
    numberOf: projects.numberOf,
    routes(server) {
      projectRoutes(server, { projects, database, runOnce: idempotency.runOnce });
      settingRoutes(server, { settings, database });
    },
    work: [core.every(ERASE_LOOK_MS, 'erasing deleted projects', eraseDeleted)],
  } satisfies Feature & Record<string, unknown>;
}
