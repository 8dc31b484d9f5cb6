import type { Command } from 'commander';
import { command, print, settingsOfFile } from '../../cli/command.ts';
import { CommandError } from '../../cli/command-error.ts';
import { givenMasterKey, withKeyFile } from '../../cli/key-file.ts';
import { masterKeyPathIn, presentMasterKey } from '../../database/master-key.ts';
import { keyCheckPathIn } from '../../database/wodb/key-check.ts';
import { DatabaseInUseError } from '../../database/wodb/lock.ts';
import { PROGRAM } from '../../lib/program.ts';

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
    'wotp restore old.wodb --key-file old.key --yes',
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
          `This puts ${file} in the place of ${path}, and data from after the backup is no longer in use. To continue, add --yes; nothing was changed.`,
        );
      }
      const { restoreDatabase } = await import('../../database/wodb/restore.ts');
      const { endAllPending } = await import('../../otp/end-all.ts');
      const { endAllDue } = await import('../../scheduler/end-due.ts');
      let endedSchedules = 0;
      const now = Date.now();
      const restored = await restoreDatabase({
        file,
        path,
        keyCheckPath: keyCheckPathIn(dataDir),
        masterKeyPath: masterKeyPathIn(dataDir),
        masterKey: presentMasterKey(security.masterKey, dataDir, path),
        backupMasterKey: givenMasterKey(keyFile),
        async endCodes(draft, masterKey) {
          endedSchedules = await endAllDue(draft, { now, reason: 'restored' });
          return endAllPending(draft, { masterKey, now, reason: 'restored' });
        },
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
        endedSchedules === 0
          ? ''
          : `Schedules whose time has come since the backup are not sent (expired, reason: restored): ${endedSchedules}.`,
        `API keys revoked since the backup are valid again: see \`${PROGRAM} token list\`.`,
        restored.keptMasterKey ? `The master key is kept in ${masterKeyPathIn(dataDir)}.` : '',
      ];
      print(
        json,
        { database: path, ...restored, endedSchedules },
        lines.filter((line) => line !== '').join('\n'),
      );
    });
}
