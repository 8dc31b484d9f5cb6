import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { openApi } from '../../cli/api-client.ts';
import { command, print, settingsOfFile } from '../../cli/command.ts';
import { givenMasterKey, withKeyFile } from '../../cli/key-file.ts';
import { withProgress } from '../../cli/progress.ts';
import type { Backup } from '../../database/wodb/backup.ts';
import { createFileKey } from '../../database/wodb/file-key.ts';

interface BackupCommandOptions {
  out?: string;
  keep?: number;
  keyFile?: string;
  json?: boolean;
}

/** As for `BACKUP_KEEP`. */
const KEPT_MAX = 10_000;

export function backupCommand(): Command {
  const backup = command(
    'backup',
    'Create a checked copy of the database, also while the server runs',
    'wotp backup',
    'wotp backup --out /var/backups/wotp --keep 14',
  )
    .option(
      '--out <place>',
      'a folder, or without --keep a file that does not exist (default: backups in DATA_DIR)',
    )
    .option(
      '--keep <number>',
      'keep this many backups in the folder and remove older ones; only files that WOTP created',
      count,
    );
  return withKeyFile(backup, 'for the copy')
    .option('--json', 'print one line of JSON')
    .action(async ({ out, keep, keyFile, json }: BackupCommandOptions) => {
      const masterKey = givenMasterKey(keyFile);
      const key = masterKey === undefined ? undefined : createFileKey(masterKey);
      const body = {
        // The server has a working folder of its own.
        to: out === undefined ? undefined : resolve(out),
        keep,
        backupKey: key && { key: key.key.toString('hex'), salt: key.salt.toString('hex') },
      };
      const config = settingsOfFile('backup');
      const api = await openApi(config);
      try {
        const { data } = await withProgress(api, json, () =>
          api.call<{ data: Backup }>('POST', '/api/v1/database/backups', body),
        );
        const removed = data.removed.length > 0 ? `\nRemoved older ones: ${data.removed.join(', ')}` : '';
        print(json, data, `${data.file}\n${data.bytes} bytes, SHA-256 ${data.sha256}${removed}`);
      } finally {
        await api.close();
      }
    });
}

function count(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || number < 1 || number > KEPT_MAX)
    throw new InvalidArgumentError(`Allowed: a whole number from 1 to ${KEPT_MAX}.`);
  return number;
}
