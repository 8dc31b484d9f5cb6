import { identityOf } from '../addresses/phone.ts';
import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import { optOutRoutes } from './routes.ts';
import { suppression } from './suppression.ts';

/** Numbers that get no more messages. */
export function optOutsFeature(core: Core) {
  const { database, events, clock, settings, idempotency } = core;
  const list = suppression(database);
  return {
    name: 'opt-outs',
    list,
    /** Whether a phone (E.164) wants no messages from a project. */
    isOptedOut: (projectId: number, phone: string) =>
      list.isSuppressed(database.reader, projectId, identityOf(phone)),
    routes: (server) =>
      optOutRoutes(server, {
        suppression: list,
        database,
        events,
        clock,
        settings,
        runOnce: idempotency.runOnce,
      }),
  } satisfies Feature & Record<string, unknown>;
}

export type OptOutsFeature = ReturnType<typeof optOutsFeature>;
