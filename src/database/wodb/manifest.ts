import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readOwnFile } from '../../lib/bounded-file.ts';
import { isThere } from '../../lib/system-error.ts';
import { syncFolder, writePrivateFile } from '../private-files.ts';

const FORMAT = 'WOTP backup 1';
const MANIFEST_MAX_BYTES = 64 * 1024;
/** The names that backups get by themselves; only such files are ever removed. */
const OWN_NAME = /^wotp-\d{8}-\d{6}(?:-(\d+))?\.wodb$/;

const manifestSchema = z.object({
  format: z.literal(FORMAT),
  /** The name of the backup that it describes, without a folder. */
  file: z.string().regex(/^(?!\.{1,2}$)[^/\0]{1,255}$/),
  /** The version of WOTP that has made it. */
  version: z.string().max(100),
  /** How many migrations the file holds. */
  schemaVersion: z.int().min(0),
  /** ISO 8601, UTC. */
  createdAt: z.iso.datetime(),
  /** Whether it is under the master key of the database that it was made of. */
  ownMasterKey: z.boolean(),
  bytes: z.int().min(0),
  /** Hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** How many rows each table holds. */
  rows: z.record(z.string().max(100), z.int().min(0)),
});

/** What lies beside a backup, as `FILE.json`, and says what it is. Nothing in it is secret. */
export type Manifest = z.infer<typeof manifestSchema>;

/** The manifest of a backup that is about to get its name. */
export function writeManifest(backup: string, about: Omit<Manifest, 'format'>): void {
  const manifest: Manifest = { format: FORMAT, ...about };
  writePrivateFile(manifestPath(backup), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Where the manifest of a backup lies. */
export function manifestPath(backup: string): string {
  return `${backup}.json`;
}

/** The manifest beside a backup; undefined when there is none, or none of ours: a link is not followed. */
export function readManifest(backup: string): Manifest | undefined {
  try {
    return manifestSchema.parse(JSON.parse(readOwnFile(manifestPath(backup), MANIFEST_MAX_BYTES)));
  } catch {
    // Not there, not JSON, or something that another program has put there: as good as none.
    return undefined;
  }
}

/** What is wrong when changes lie beside a backup, which has none; undefined when there are none. */
export function changesBeside(backup: string): string | undefined {
  const wal = `${backup}-wal`;
  if ((statSync(wal, { throwIfNoEntry: false })?.size ?? 0) === 0) return undefined;
  return `${wal} holds changes that the backup's manifest does not know: the backup was opened since, or the file was put there. Move that file away to use the backup as it was created.`;
}

/** A time (Unix ms) as it stands in names of files: `YYYYMMDD-HHMMSS`, UTC. */
export function timeStamp(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
}

/** The name of a backup made at `at` (Unix ms), in UTC; `again` counts those of one second from 1. */
export function backupName(at: number, again = 1): string {
  return `wotp-${timeStamp(at)}${again > 1 ? `-${again}` : ''}.wodb`;
}

/** The backups in a folder that WOTP has named and described itself, newest first. */
export function ownBackups(folder: string): Manifest[] {
  if (!isThere(folder)) return [];
  const found = readdirSync(folder).flatMap((name) => {
    const manifest = OWN_NAME.test(name) ? readManifest(join(folder, name)) : undefined;
    return manifest?.file === name ? [manifest] : [];
  });
  return found.sort(
    (a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt) || numberOf(b.file) - numberOf(a.file),
  );
}

/** Which of the backups of its second a name is, from 1. */
function numberOf(name: string): number {
  return Number(OWN_NAME.exec(name)?.[1] ?? 1);
}

/**
 * Keeps the backup `made` and the newest others, `keep` in all, and removes the older ones; returns the names of those.
 * What was just made stays even where the clock was set back and others are dated later.
 */
export function removeOlderBackups(folder: string, made: string, keep: number): string[] {
  const old = ownBackups(folder)
    .map(({ file }) => file)
    .filter((name) => name !== made)
    .slice(keep - 1);
  for (const name of old) {
    rmSync(join(folder, name), { force: true });
    rmSync(manifestPath(join(folder, name)), { force: true });
  }
  if (old.length > 0) syncFolder(folder);
  return old;
}
