import { Alarm } from '../background/alarm.ts';
import type { Core } from '../core.ts';
import type { Feature } from '../feature.ts';
import { DAY_MS } from '../lib/duration.ts';
import type { OtpFeature } from '../otp/index.ts';
import { verificationsKept } from '../settings/retention.ts';
import { scheduleEnder } from './ending.ts';
import { firing } from './firing.ts';
import { scheduleRepository } from './repository.ts';
import { schedulerRoutes } from './routes.ts';
import { sealedRequests } from './sealed-request.ts';
import { schedulerService } from './service.ts';

/** Without a wake-up what is due is looked for this often, in ms. */
const LOOK_MS = 5_000;
/** What one portion deletes. */
const PORTION = 200;

/** Sends at a later time. */
export function schedulerFeature(core: Core, { otp }: { otp: OtpFeature }) {
  const { config, database, events, clock, troubles, settings } = core;
  const repository = scheduleRepository(database);
  const deps = {
    database,
    events,
    clock,
    troubles,
    repository,
    ender: scheduleEnder({ repository, events, clock }),
    requests: sealedRequests(core.keyring),
    otp: otp.service,
  };
  const { fireDue } = firing({ ...deps, misfireMinutes: config.scheduler.misfireMinutes });
  const alarm = new Alarm({ name: 'firing schedules', atLeastMs: LOOK_MS, run: fireDue }, clock, troubles);
  const scheduler = schedulerService({ ...deps, onScheduled: (dueAt) => alarm.wakeAt(dueAt) });

  return {
    name: 'scheduler',
    routes: (server) => schedulerRoutes(server, { scheduler, database, runOnce: core.idempotency.runOnce }),
    work: [alarm],
    keeps: [
      {
        async forgetSome(trx) {
          let [schedules, more] = [0, false];
          for (const { days, projects } of verificationsKept(settings)) {
            const before = clock.now() - days * DAY_MS;
            const count = await scheduler.forgetEnded(trx, projects, before, PORTION);
            schedules += count;
            more ||= count === PORTION;
          }
          return { counts: { schedules }, more };
        },
      },
    ],
  } satisfies Feature;
}
