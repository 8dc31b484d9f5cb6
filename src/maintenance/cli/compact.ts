import type { Command } from 'commander';
import { openApi, runningServer } from '../../cli/api-client.ts';
import { command, print, settingsOfFile } from '../../cli/command.ts';
import { showProgress } from '../../cli/progress.ts';
import { resolveMasterKey } from '../../database/master-key.ts';
import { keyCheckPathIn } from '../../database/wodb/key-check.ts';
import { rebuildDatabase } from '../../database/wodb/rebuild.ts';
import type { CompactionStep } from '../compaction.ts';
import { add, type Purged } from '../retention.ts';

interface Compacted {
  purged: Purged;
  /** Null where the engine looks after its space. */
  bytesBefore: number | null;
  bytes: number | null;
}

export function compactCommand(): Command {
  return command(
    'compact',
    'Delete expired data and free disk space; the server stays available',
    'wotp compact',
    'wotp compact --json',
  )
    .option('--json', 'print one line of JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const compacted = await compact(json);
      print(json, compacted, inWords(compacted));
    });
}

/** Compacts through the API, and where this process is alone with the file, builds it anew as well. */
async function compact(json: boolean | undefined): Promise<Compacted> {
  const config = settingsOfFile('compact');
  const server = await runningServer(config);
  const api = server ?? (await openApi(config));
  let compacted: Compacted;
  try {
    compacted = await inSteps(() => api.call('POST', '/api/v1/database/compact'), json);
  } finally {
    await api.close();
  }
  if (server || compacted.bytes === null) return compacted;

  const { dataDir, path } = config.database;
  const progress = showProgress('rebuilding the file', json);
  try {
    const rebuilt = await rebuildDatabase({
      path,
      keyCheckPath: keyCheckPathIn(dataDir),
      masterKey: resolveMasterKey(config.security.masterKey, dataDir, path),
      onProgress: (done) => progress.reach(done * 100),
    });
    return { ...compacted, bytes: rebuilt.bytes };
  } finally {
    progress.end();
  }
}

async function inSteps(
  step: () => Promise<{ data: CompactionStep }>,
  json: boolean | undefined,
): Promise<Compacted> {
  const purged: Purged = {};
  const progress = showProgress('compacting', json);
  let most = 0;
  try {
    for (let first: CompactionStep | undefined; ; ) {
      const { data } = await step();
      first ??= data;
      add(purged, data.purged);
      most = Math.max(most, data.freeBytes ?? 0);
      if (most > 0) progress.reach(100 * (1 - (data.freeBytes ?? 0) / most));
      if (data.done) return { purged, bytesBefore: first.bytesBefore, bytes: data.bytes };
    }
  } finally {
    progress.end();
  }
}

function inWords({ purged, bytesBefore, bytes }: Compacted): string {
  const deleted = deletedInWords(purged);
  if (bytesBefore === null || bytes === null) return deleted;
  return `${deleted}\nThe database is ${megabytes(bytes)} now; it was ${megabytes(bytesBefore)}.`;
}

/** Every kind that was deleted, `idempotencyAnswers` as "idempotency answers". */
function deletedInWords(purged: Purged): string {
  const kinds = Object.entries(purged)
    .filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)}`);
  return kinds.length === 0 ? 'No expired data was found.' : `Deleted ${kinds.join(', ')} that had expired.`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
