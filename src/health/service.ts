import { statfs } from 'node:fs/promises';
import type { Database } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import type { BackupState } from '../database/wodb/maintenance.ts';
import type { Clock } from '../lib/clock.ts';
import type { Dispatcher } from '../messages/dispatcher.ts';
import { PROGRAM } from '../program.ts';

type Status = 'healthy' | 'degraded' | 'unhealthy';

/** Resident memory above which the process counts as degraded, in bytes. */
const RESIDENT_MAX_BYTES = 1024 * 1024 * 1024;
const DISK_DEGRADED_BYTES = 500 * 1024 * 1024;
const DISK_UNHEALTHY_BYTES = 20 * 1024 * 1024;
/** A check that takes longer counts as failed, in ms. */
const CHECK_MAX_MS = 4_000;

export interface HealthReport {
  status: Status;
  /** ISO 8601. */
  timestamp: string;
  version: string;
  /** Seconds since the start. */
  uptime: number;
  checks: {
    whatsapp: { status: Status; connected: boolean; mode?: 'mock'; detail?: string };
    database: { status: Status; engine: Database['engine']; detail?: string; waitingWrites: number };
    memory: { status: Status; residentBytes: number; heapUsed: number; heapTotal: number };
    disk: { status: Status; freeBytes: number };
    /** Only where backups are made by a schedule. */
    backup?: { status: Status; lastAt: string | null; detail?: string };
  };
}

/** Tells whether the server can do its work. */
export type HealthService = ReturnType<typeof healthService>;

export function healthService(deps: {
  database: Database;
  keyring: Keyring;
  dispatcher: Dispatcher;
  clock: Clock;
  dataDir: string;
  mockMode: boolean;
  /** The links to WhatsApp. */
  whatsapp: { readonly isConnected: boolean; readonly linkProblem: string | undefined };
  version: string;
  /** Undefined where the engine's own tools make them. */
  backups: (() => BackupState) | undefined;
  backupsAreScheduled: boolean;
}) {
  const { database, keyring, dispatcher, clock, dataDir, mockMode, whatsapp, version } = deps;
  const { backups, backupsAreScheduled } = deps;
  const startedAt = clock.now();
  let stopping = false;

  async function databaseCheck(): Promise<HealthReport['checks']['database']> {
    const { engine } = database;
    try {
      await withinMs(CHECK_MAX_MS, async () => {
        await database.reader.selectFrom('settings').select('key').limit(1).execute();
        await database.checkWritable();
      });
      return { ...sealedValuesCheck(), engine, waitingWrites: database.waitingWrites };
    } catch (error) {
      const detail = error instanceof Error ? error.message : 'unknown';
      return { status: 'unhealthy', engine, detail, waitingWrites: database.waitingWrites };
    }
  }

  /** What was found damaged on the way; `wotp verify` looks at everything. */
  function sealedValuesCheck(): { status: 'healthy' | 'degraded'; detail?: string } {
    const count = keyring.unopened.size;
    if (count === 0) return { status: 'healthy' };
    const values = count === 1 ? '1 sealed value' : `${count} sealed values`;
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
    return {
      status: rss > RESIDENT_MAX_BYTES ? 'degraded' : 'healthy',
      residentBytes: rss,
      heapUsed,
      heapTotal,
    };
  }

  function whatsappCheck(): HealthReport['checks']['whatsapp'] {
    if (mockMode) return { status: 'healthy', connected: false, mode: 'mock' };
    const detail = whatsapp.linkProblem;
    return {
      status: detail === undefined ? 'healthy' : 'degraded',
      connected: whatsapp.isConnected,
      ...(detail === undefined ? {} : { detail }),
    };
  }

  function backupCheck(): Pick<HealthReport['checks'], 'backup'> {
    if (!backups || !backupsAreScheduled) return {};
    const { lastAt, failure } = backups();
    const at = isoOrNull(lastAt);
    // The whole reason is in the log: this report is for everybody.
    if (failure === undefined) return { backup: { status: 'healthy', lastAt: at } };
    return { backup: { status: 'degraded', lastAt: at, detail: 'The latest backup failed; see the log.' } };
  }

  return {
    /** From now on the server is not ready for new work. */
    beginStop(): void {
      stopping = true;
    },

    isStopping: () => stopping,

    /** The whole report; `unhealthy` only when the server cannot accept work. */
    async report(): Promise<HealthReport> {
      const [databaseState, disk] = await Promise.all([databaseCheck(), diskCheck()]);
      const checks = {
        whatsapp: whatsappCheck(),
        database: databaseState,
        memory: memoryCheck(),
        disk,
        ...backupCheck(),
      };
      const states = Object.values(checks).map((check) => check.status);
      const cannotWork = stopping || databaseState.status === 'unhealthy';
      return {
        status: cannotWork
          ? 'unhealthy'
          : states.some((state) => state !== 'healthy')
            ? 'degraded'
            : 'healthy',
        timestamp: new Date(clock.now()).toISOString(),
        version,
        uptime: Math.floor((clock.now() - startedAt) / 1000),
        checks,
      };
    },

    /** Whether the server takes work at this moment. */
    async ready(): Promise<boolean> {
      return !stopping && (await databaseCheck()).status !== 'unhealthy';
    },

    /** Figures of the process and its queues. */
    metrics() {
      const made = backups?.();
      return {
        timestamp: new Date(clock.now()).toISOString(),
        uptime: Math.floor((clock.now() - startedAt) / 1000),
        memory: process.memoryUsage(),
        cpu: process.cpuUsage(),
        process: { platform: process.platform, arch: process.arch },
        queues: { waitingWrites: database.waitingWrites, messagesInFlight: dispatcher.inFlight },
        ...(made && {
          backups: {
            succeeded: made.succeeded,
            failed: made.failed,
            lastAt: isoOrNull(made.lastAt),
            lastBytes: made.lastBytes,
          },
        }),
      };
    },

    /** v3's view of the WhatsApp link. */
    link() {
      return {
        connected: !mockMode && whatsapp.isConnected,
        uptime: Math.floor((clock.now() - startedAt) / 1000),
        ...(mockMode ? { mode: 'mock' as const } : {}),
      };
    },
  };
}

function isoOrNull(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}

function withinMs(limitMs: number, work: () => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
    work()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer));
  });
}
