import { CronSchedule } from '../background/cron-schedule.ts';
import type { Core } from '../core.ts';
import type { Actor } from '../database/acts.ts';
import { DEFAULT_PROJECT } from '../database/project.ts';
import { wodbMaintenance } from '../database/wodb/maintenance.ts';
import { isWodb } from '../database/wodb/open.ts';
import type { Check, Feature, Keep } from '../feature.ts';
import { timestamp } from '../http/schemas.ts';
import { compaction } from './compaction.ts';
import { compactionRoutes } from './compaction-routes.ts';
import { databaseRoutes } from './database-routes.ts';
import { INVARIANTS } from './invariants.ts';
import { migrationRoutes } from './migration-routes.ts';
import { retention } from './retention.ts';
import { SEALED_VALUES } from './sealed-values.ts';

const PURGE_MS = 10 * 60_000;
/** Who makes a backup at a set time. */
const SCHEDULE: Actor = { name: 'schedule', address: 'local' };

/**
 * Looking after the data: retention, compaction, backups, verification, migrations.
 * @param keeps what every feature deletes when it is old
 */
export function maintenanceFeature(core: Core, { keeps }: { keeps: readonly Keep[] }) {
  const { config, database, keyring, events, clock, troubles, stopping, idempotency } = core;
  const wodb = isWodb(database)
    ? wodbMaintenance({
        database,
        keyring,
        invariants: INVARIANTS,
        sealedValues: SEALED_VALUES,
        clock,
        folder: config.backups.folder,
        record: (type, data, by) => core.audit({ type, projectId: DEFAULT_PROJECT, data, by }),
      })
    : undefined;
  // At once, as who has asked for a backup still waits for the answer.
  stopping.addEventListener('abort', () => void wodb?.stop());
  const kept = retention({ database, clock, keeps });
  const { cron, keep } = config.backups;

  function backupCheck(): Check | undefined {
    if (!wodb || cron === undefined) return undefined;
    const { lastAt, failure } = wodb.backups();
    const at = lastAt === null ? null : new Date(lastAt).toISOString();
    // The whole reason is in the log: this report is for everybody.
    if (failure === undefined) return { status: 'healthy', lastAt: at };
    return { status: 'degraded', lastAt: at, detail: 'The latest backup failed; see the log.' };
  }

  return {
    name: 'maintenance',
    /** Undefined on PostgreSQL. */
    wodb,
    routes(server) {
      databaseRoutes(server, { maintenance: wodb, runLongOnce: idempotency.runLongOnce });
      migrationRoutes(server, database);
      const compacting = compaction({ database, clock, retention: kept, signal: stopping });
      compactionRoutes(server, { compaction: compacting, database, events });
    },
    work: [
      core.every(PURGE_MS, 'deleting what is kept no longer', () => kept.purge(stopping)),
      ...(wodb && cron !== undefined
        ? [
            new CronSchedule(
              cron,
              { name: 'the scheduled backup', run: () => wodb.backup({ keep }, SCHEDULE) },
              clock,
              troubles,
            ),
          ]
        : []),
      { start() {}, stop: async () => wodb?.stop() },
    ],
    checks: [{ name: 'backup', schema: { lastAt: timestamp.nullable() }, run: backupCheck }],
    figures() {
      if (!wodb) return {};
      const { succeeded, failed, lastAt, lastBytes } = wodb.backups();
      return {
        backupsSucceeded: succeeded,
        backupsFailed: failed,
        ...(lastAt !== null && { lastBackupAt: lastAt }),
        ...(lastBytes !== null && { lastBackupBytes: lastBytes }),
      };
    },
  } satisfies Feature & { wodb: typeof wodb };
}
