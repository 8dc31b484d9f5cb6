import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import { DAY_MS } from '../lib/duration.ts';
import { builtInText } from './built-in.ts';
import { messageTexts } from './message-texts.ts';
import { templateRoutes } from './routes.ts';
import { templateService } from './service.ts';

const USAGE_FLUSH_MS = 500;
/** Deleted templates that one portion forgets. */
const PORTION = 50;

/** Texts that callers keep and name in a send. */
export function templatesFeature(core: Core) {
  const { config, database, events, clock, settings, log } = core;
  const templates = templateService({ database, events, clock });
  const style = {
    brand: config.server.brandName,
    warnsOfSharing: config.otp.warnsOfSharing,
    webOtpHost: config.otp.webOtpHost,
  };
  const builtIn = builtInText(style);
  const texts = messageTexts({ templates, builtIn, style });
  const flush = core.every(USAGE_FLUSH_MS, 'writing the usage of templates', () => templates.flushUsage());
  const { verificationDays } = config.retention;
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
        brand: style.brand,
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
          if (verificationDays === 0) return { counts: { templates: 0 }, more: false };
          const before = clock.now() - (verificationDays + 2) * DAY_MS;
          const count = await templates.forgetDeleted(trx, before, PORTION);
          return { counts: { templates: count }, more: count === PORTION };
        },
      },
    ],
  } satisfies Feature & { service: typeof templates; texts: typeof texts };
}

export type TemplatesFeature = ReturnType<typeof templatesFeature>;
