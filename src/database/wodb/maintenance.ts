import { basename } from 'node:path';
import { ConflictError } from '../../errors/errors.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Actor } from '../acts.ts';
import type { Keyring } from '../keyring.ts';
import { type Backup, type BackupProgress, makeBackup, prepareBackupFolder } from './backup.ts';
import type { FileKey } from './connection.ts';
import { ownBackups } from './manifest.ts';
import type { WodbDatabase } from './open.ts';
import {
  type Invariant,
  openSealedIn,
  type SealedValues,
  type Verdict,
  verifyFile,
} from './run-in-worker.ts';

/** The job that runs on the database at a moment, and how far it is. */
export interface JobState {
  name: 'backup' | 'verify';
  phase: BackupProgress['phase'];
  /** Whole percent of the phase. */
  percent: number;
}

/** What the backups came to, for health. Times are Unix ms. */
export interface BackupState {
  succeeded: number;
  failed: number;
  lastAt: number | null;
  lastBytes: number | null;
  /** Why the latest one failed; undefined when it did not. */
  failure: string | undefined;
}

/** Long work on a WODB database in use: one job at a time, each in a process of its own. */
export type WodbMaintenance = ReturnType<typeof wodbMaintenance>;

export function wodbMaintenance(deps: {
  database: WodbDatabase;
  keyring: Keyring;
  invariants: readonly Invariant[];
  sealedValues: readonly SealedValues[];
  clock: Clock;
  /** Where backups lie unless a caller names another place. */
  folder: string;
  /** Keeps what came of a backup in the events; never rejects. */
  record: (
    type: 'backup.created' | 'backup.failed',
    /** `file` is its name without a folder; `removed` names the older ones that were removed for it. */
    data: { file?: string; removed?: string[]; reason?: string },
    by: Actor,
  ) => Promise<void>;
}) {
  const { database, keyring, invariants, sealedValues, clock, folder, record } = deps;
  let state: JobState | undefined;
  const ending = new AbortController();
  const { signal } = ending;
  let running: Promise<unknown> = Promise.resolve();
  const [newest] = ownBackups(folder);
  const backups: BackupState = {
    succeeded: 0,
    failed: 0,
    lastAt: newest ? Date.parse(newest.createdAt) : null,
    lastBytes: newest?.bytes ?? null,
    failure: undefined,
  };

  function alone<T>(name: JobState['name'], phase: JobState['phase'], work: () => Promise<T>): Promise<T> {
    if (state) throw new ConflictError(`A ${state.name} of the database is running. Wait until it is done.`);
    state = { name, phase, percent: 0 };
    const job = work().finally(() => {
      state = undefined;
    });
    running = job.catch(() => {});
    return job;
  }

  async function backup(request: { to?: string; keep?: number; backupKey?: FileKey }): Promise<Backup> {
    if (request.to === undefined) prepareBackupFolder(folder);
    return makeBackup({
      ...request,
      to: request.to ?? folder,
      path: database.path,
      fileKey: database.fileKey,
      now: clock.now(),
      signal,
      onProgress: ({ phase, done }) => {
        state = { name: 'backup', phase, percent: Math.floor(done * 100) };
      },
    });
  }

  return {
    /**
     * Makes a backup, as `makeBackup` does; `to` is the folder of the backups when absent.
     * @throws ConflictError while another job runs, and what `makeBackup` throws
     */
    async backup(request: { to?: string; keep?: number; backupKey?: FileKey }, by: Actor): Promise<Backup> {
      return alone('backup', 'copying', async () => {
        try {
          const made = await backup(request);
          Object.assign(backups, { lastAt: clock.now(), lastBytes: made.bytes, failure: undefined });
          backups.succeeded += 1;
          const { removed } = made;
          const data = { file: basename(made.file), ...(removed.length > 0 && { removed }) };
          await record('backup.created', data, by);
          return made;
        } catch (error) {
          backups.failed += 1;
          backups.failure = error instanceof Error ? error.message : String(error);
          await record('backup.failed', { reason: backups.failure }, by);
          throw error;
        }
      });
    },

    /**
     * Checks the whole database as it is now.
     * @throws ConflictError while another job runs
     */
    async verify(): Promise<Verdict> {
      const { path, fileKey } = database;
      return alone('verify', 'checking', async () => {
        const verdict = await verifyFile({ path, fileKey, invariants, now: clock.now(), signal });
        // What pages are damaged cannot be gone through.
        if (verdict.keyVersions.length === 0) return verdict;
        const { keys, unopened } = keyring;
        const sealed = await openSealedIn({ path, fileKey, values: sealedValues, keys, signal });
        // One that was met while work went on has failed what it belonged to, and is gone with that.
        if (sealed.length === 0 && unopened.size > 0) {
          sealed.push(
            `Sealed values did not open since the server was started: ${unopened.size}. See its log.`,
          );
        }
        return { ...verdict, findings: [...verdict.findings, ...sealed] };
      });
    },

    /** What runs now; undefined when nothing does. */
    job: (): JobState | undefined => state,

    backups: (): Readonly<BackupState> => backups,

    /** Resolves when no job runs. */
    async idle(): Promise<void> {
      await running;
    },

    /** Gives up what runs; resolves when it has ended. Nothing can be begun afterwards. */
    async stop(): Promise<void> {
      ending.abort();
      await running;
    },
  };
}
