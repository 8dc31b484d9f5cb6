import type { Command } from 'commander';
import { masterKeyPathIn, presentMasterKey } from '../database/master-key.ts';
import { keyCheckPathIn } from '../database/wodb/key-check.ts';
import { DatabaseInUseError } from '../database/wodb/lock.ts';
import { PROGRAM } from '../program.ts';
import { command, print, settingsOfFile } from './command.ts';
import { CommandError } from './command-error.ts';
import { givenMasterKey, withKeyFile } from './key-file.ts';

interface RestoreCommandOptions {
  yes?: boolean;
  keyFile?: string;
  json?: boolean;
}

export function restoreCommand(): Command {
  const restore = command(
    'restore',
    'Replace the database with a backup; the server has to be stopped',
    'wotp restore data/backups/wotp-20270131-030000.wodb --yes',
  )
    .argument('<file>', 'the backup')
    .option('--yes', 'confirm; the replaced database is kept beside the restored one');
  return withKeyFile(restore, 'of the backup')
    .option('--json', 'print one line of JSON')
    .action(async (file: string, { yes, keyFile, json }: RestoreCommandOptions) => {
      const { database, security } = settingsOfFile('restore');
      const { dataDir, path } = database;
      if (!yes) {
        throw new CommandError(
          `This puts ${file} in the place of ${path}, and what came after the backup is no longer in use. Give --yes if you want that; nothing was changed.`,
        );
      }
      const { restoreDatabase } = await import('../database/wodb/restore.ts');
      const { endAllPending } = await import('../otp/end-all.ts');
      const now = Date.now();
      const restored = await restoreDatabase({
        file,
        path,
        keyCheckPath: keyCheckPathIn(dataDir),
        masterKeyPath: masterKeyPathIn(dataDir),
        masterKey: presentMasterKey(security.masterKey, dataDir, path),
        backupMasterKey: givenMasterKey(keyFile),
        endCodes: (draft, masterKey) => endAllPending(draft, { masterKey, now, reason: 'restored' }),
        now,
      }).catch((error: unknown) => {
        if (!(error instanceof DatabaseInUseError)) throw error;
        throw new CommandError(
          `A server or another command is using ${path}. Stop the server, then restore again; nothing was changed.`,
        );
      });
      const lines = [
        `Restored ${file} to ${path}.`,
        restored.replaced === null
          ? ''
          : `The database it replaces is kept as ${restored.replaced}; remove it when you are sure.`,
        restored.endedCodes === 0
          ? ''
          : `Codes that were pending in the backup have ended (reason: restored): ${restored.endedCodes}. Users ask for new ones.`,
        `API keys revoked since the backup are valid again: see \`${PROGRAM} token list\`.`,
        restored.keptMasterKey ? `The master key is kept in ${masterKeyPathIn(dataDir)}.` : '',
      ];
      print(json, { database: path, ...restored }, lines.filter((line) => line !== '').join('\n'));
    });
}
