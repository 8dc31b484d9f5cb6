import { z } from 'zod';
import type { Config } from '../../../src/config/config.ts';
import type { Core } from '../../../src/core.ts';
import type { Feature } from '../../../src/feature.ts';
import { DAY_MS } from '../../../src/lib/duration.ts';
import { toyRoutes } from './routes.ts';
import { toyService } from './service.ts';
import type { ToySettings } from './settings.ts';

/** Toys that are wound up again and again and thrown away when they are old: every part that a feature can have. */
export function toyFeature(core: Core): Feature {
  const { database, events, clock } = core;
  const { windSeconds, days } = (core.config as Config & { toy: ToySettings }).toy;
  const toys = toyService({ database, events, clock });
  return {
    name: 'toy',
    routes: (server) => toyRoutes(server, toys),
    work: [core.every(windSeconds * 1000, 'winding the toys', () => toys.wind())],
    keeps: [
      {
        async forgetSome(trx) {
          const count = days === 0 ? 0 : await toys.forget(trx, clock.now() - days * DAY_MS);
          return { counts: { toys: count }, more: count > 0 };
        },
      },
    ],
    checks: [
      {
        name: 'toys',
        schema: { count: z.int() },
        async run() {
          const count = await toys.count();
          if (count > 0) return { status: 'healthy', count };
          return { status: 'degraded', count, detail: 'There is no toy. Create one with `wotp toy add`.' };
        },
      },
    ],
    figures: () => ({ toysWound: toys.wound }),
  };
}
