import type { Config } from './config/config.ts';
import type { WodbMaintenance } from './database/wodb/maintenance.ts';
import type { Clock } from './lib/clock.ts';
import { CronSchedule } from './lib/cron-schedule.ts';
import { Periodic } from './lib/periodic.ts';
import type { SharedClock } from './lib/shared-clock.ts';
import type { Troubles } from './lib/troubles.ts';
import type { OtpService } from './otp/service.ts';

const EXPIRY_SWEEP_MS = 1_000;
const EXPIRY_SWEEP_ROWS = 500;
const COUNTS_FLUSH_MS = 100;
const UNREAD_SWEEP_MS = 1_000;
const CLOCK_ADJUST_MS = 30_000;
const PURGE_MS = 10 * 60_000;

/** Work that time alone calls for. */
export interface Background {
  start(): void;
  /** Resolves when what was under way is over. */
  stop(): Promise<void>;
}

/** Everything that runs by the clock, for as long as the application runs. */
export function backgroundWork(parts: {
  clock: Clock;
  troubles: Troubles;
  otp: OtpService;
  writeCounts: () => Promise<void>;
  /** Drops the clients that do not read their answers. */
  dropUnread: () => void;
  /** Deletes what has been kept long enough. */
  purge: () => Promise<void>;
  /** The clock that follows the database's; undefined where there is none to follow. */
  shared: SharedClock | undefined;
  /** Undefined on PostgreSQL. */
  maintenance: WodbMaintenance | undefined;
  backups: Config['backups'];
}): Background[] {
  const { clock, troubles, otp, writeCounts, dropUnread, purge, shared, maintenance, backups } = parts;
  const every = (intervalMs: number, name: string, run: () => Promise<void>) =>
    new Periodic({ name, intervalMs, run }, clock, troubles);

  const work: Background[] = [
    every(EXPIRY_SWEEP_MS, 'expiring verifications', async () => {
      while ((await otp.expireDue(EXPIRY_SWEEP_ROWS)) === EXPIRY_SWEEP_ROWS);
    }),
    every(COUNTS_FLUSH_MS, 'writing request counts', writeCounts),
    every(UNREAD_SWEEP_MS, 'dropping clients that do not read', async () => dropUnread()),
    every(PURGE_MS, 'purging what is over', purge),
  ];
  if (shared) work.push(every(CLOCK_ADJUST_MS, "reading the database's clock", () => shared.adjust()));
  if (maintenance && backups.cron !== undefined) {
    const { cron, keep } = backups;
    const backup = { name: 'the scheduled backup', run: () => maintenance.backup({ keep }, 'schedule') };
    work.push(new CronSchedule(cron, backup, clock, troubles));
  }
  return work;
}
