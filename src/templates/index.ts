import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import { DAY_MS } from '../lib/duration.ts';
import { verificationsKept } from '../settings/retention.ts';
import { messageTexts } from './message-texts.ts';
import { templateRoutes } from './routes.ts';
import { templateService } from './service.ts';

const USAGE_FLUSH_MS = 500;
/** Deleted templates that one portion forgets. */
const PORTION = 50;

/** Texts that callers keep and name in a send. */
export function templatesFeature(core: Core) {
  const { database, events, clock, settings, log } = core;
  const templates = templateService({ database, events, clock });
  const texts = messageTexts({ templates, settings });
  const flush = core.every(USAGE_FLUSH_MS, 'writing the usage of templates', () => templates.flushUsage());
  return {
    name: 'templates',
    service: templates,
    texts,
    routes: (server) =>
      templateRoutes(server, {
        templates,
        texts,
        settings,
        database,
        runOnce: core.idempotency.runOnce,
      }),
    work: [
      {
        start: () => flush.start(),
        async stop() {
          await flush.stop();
          await templates
            .flushUsage()
            .catch((error: unknown) => log.error({ err: error }, 'the usage of templates was not written'));
        },
      },
    ],
    keeps: [
      {
        // As long as messages that were made from them may be there.
        async forgetSome(trx) {
          let [count, more] = [0, false];
          for (const { days, projects } of verificationsKept(settings)) {
            const before = clock.now() - (days + 2) * DAY_MS;
            const forgotten = await templates.forgetDeleted(trx, projects, before, PORTION);
            count += forgotten;
            more ||= forgotten === PORTION;
          }
          return { counts: { templates: count }, more };
        },
      },
    ],
  } satisfies Feature & { service: typeof templates; texts: typeof texts };
}

export type TemplatesFeature = ReturnType<typeof templatesFeature>;
