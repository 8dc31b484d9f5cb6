import type { AuditFeature } from '../audit/index.ts';
import type { WhatsAppFeature } from '../channels/whatsapp/index.ts';
import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import type { KeyService } from '../keys/service.ts';
import { v3Logs } from './logs.ts';
import { v3Routes } from './routes.ts';
import { v3Tokens } from './tokens.ts';

/** What is left of version 3: its tokens, its logs, and two of its requests. */
export function v3Feature(
  core: Core,
  others: {
    keys: { service: KeyService };
    whatsapp: WhatsAppFeature;
    audit: Pick<AuditFeature, 'newest'>;
  },
) {
  const { database, events, clock, config, startedAt, idempotency } = core;
  const { keys, whatsapp, audit } = others;
  const { mockMode } = config.bot;
  return {
    name: 'v3',
    routes: (server) =>
      v3Routes(server, {
        tokens: v3Tokens({ database, events, clock }),
        logs: v3Logs({ database, clock }),
        keys: keys.service,
        newestLogs: audit.newest,
        runOnce: idempotency.runOnce,
        link: (projectId) => ({
          connected: !mockMode && whatsapp.sessions.status.isConnectedFor(projectId),
          uptime: Math.floor((clock.now() - startedAt) / 1000),
          ...(mockMode && { mode: 'mock' as const }),
        }),
      }),
  } satisfies Feature;
}
