import { statfs } from 'node:fs/promises';
import type { Database } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import type { Check, Feature, HealthStatus } from '../feature.ts';
import type { Clock } from '../lib/clock.ts';
import { counted } from '../lib/counted.ts';
import { PROGRAM } from '../lib/program.ts';

/** Resident memory above which the process counts as degraded, in bytes. */
const RESIDENT_MAX_BYTES = 1024 * 1024 * 1024;
const DISK_DEGRADED_BYTES = 500 * 1024 * 1024;
const DISK_UNHEALTHY_BYTES = 20 * 1024 * 1024;
/** A check that takes longer counts as failed, in ms. */
const CHECK_MAX_MS = 4_000;

export interface HealthReport {
  status: HealthStatus;
  /** ISO 8601. */
  timestamp: string;
  version: string;
  /** Seconds since the start. */
  uptime: number;
  /** What each part says, by its name. */
  checks: {
    database: Check & { engine: Database['engine']; waitingWrites: number };
    memory: Check & { residentBytes: number; heapUsed: number; heapTotal: number };
    disk: Check & { freeBytes: number };
    [part: string]: Check;
  };
}

/** Tells whether the server can do its work. */
export type HealthService = ReturnType<typeof healthService>;

export function healthService(deps: {
  database: Database;
  keyring: Keyring;
  clock: Clock;
  /** When the server was started (Unix ms). */
  startedAt: number;
  stopping: AbortSignal;
  dataDir: string;
  version: string;
  /** Those whose checks and figures are asked. */
  features: readonly Feature[];
}) {
  const { database, keyring, clock, startedAt, stopping, dataDir, version, features } = deps;
  const uptime = () => Math.floor((clock.now() - startedAt) / 1000);

  async function databaseCheck(): Promise<HealthReport['checks']['database']> {
    const { engine, waitingWrites } = database;
    try {
      await withinMs(CHECK_MAX_MS, async () => {
        await database.reader.selectFrom('settings').select('key').limit(1).execute();
        await database.checkWritable();
      });
      return { ...sealedValuesCheck(), engine, waitingWrites };
    } catch (error) {
      const detail = error instanceof Error ? error.message : 'unknown';
      return { status: 'unhealthy', engine, detail, waitingWrites };
    }
  }

  /** What was found damaged on the way; `wotp verify` looks at everything. */
  function sealedValuesCheck(): { status: 'healthy' | 'degraded'; detail?: string } {
    const count = keyring.unopened.size;
    if (count === 0) return { status: 'healthy' };
    const values = counted(count, 'sealed value');
    return {
      status: 'degraded',
      detail: `${values} could not be opened since the start. See the log, and what \`${PROGRAM} verify\` says.`,
    };
  }

  async function diskCheck(): Promise<HealthReport['checks']['disk']> {
    const { bavail, bsize } = await statfs(dataDir);
    const freeBytes = bavail * bsize;
    const status =
      freeBytes < DISK_UNHEALTHY_BYTES
        ? 'unhealthy'
        : freeBytes < DISK_DEGRADED_BYTES
          ? 'degraded'
          : 'healthy';
    return { status, freeBytes };
  }

  function memoryCheck(): HealthReport['checks']['memory'] {
    const { rss, heapUsed, heapTotal } = process.memoryUsage();
    const status = rss > RESIDENT_MAX_BYTES ? 'degraded' : 'healthy';
    return { status, residentBytes: rss, heapUsed, heapTotal };
  }

  async function checksOfFeatures(): Promise<Record<string, Check>> {
    const found = await Promise.all(
      features
        .flatMap(({ checks = [] }) => checks)
        .map(async (check) => [check.name, await check.run()] as const),
    );
    return Object.fromEntries(found.filter((entry): entry is [string, Check] => entry[1] !== undefined));
  }

  return {
    /** The whole report; `unhealthy` only when the server cannot accept work. */
    async report(): Promise<HealthReport> {
      const [databaseState, disk, others] = await Promise.all([
        databaseCheck(),
        diskCheck(),
        checksOfFeatures(),
      ]);
      const checks = { database: databaseState, memory: memoryCheck(), disk, ...others };
      const states = Object.values(checks).map((check) => check.status);
      const cannotWork = stopping.aborted || databaseState.status === 'unhealthy';
      return {
        status: cannotWork
          ? 'unhealthy'
          : states.some((state) => state !== 'healthy')
            ? 'degraded'
            : 'healthy',
        timestamp: new Date(clock.now()).toISOString(),
        version,
        uptime: uptime(),
        checks,
      };
    },

    /** Whether the server takes work at this moment. */
    async ready(): Promise<boolean> {
      return !stopping.aborted && (await databaseCheck()).status !== 'unhealthy';
    },

    /** Figures of the process, and those of every feature. */
    metrics() {
      return {
        timestamp: new Date(clock.now()).toISOString(),
        uptime: uptime(),
        memory: { ...process.memoryUsage() },
        cpu: process.cpuUsage(),
        process: { platform: process.platform, arch: process.arch },
        figures: Object.assign({}, ...features.map((feature) => feature.figures?.() ?? {})) as Record<
          string,
          number
        >,
      };
    },
  };
}

function withinMs(limitMs: number, work: () => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
    work()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}
