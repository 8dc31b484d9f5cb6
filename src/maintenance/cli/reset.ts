import type { Command } from 'commander';
import { command, print, settingsOfFile } from '../../cli/command.ts';
import { CommandError } from '../../cli/command-error.ts';
import { DatabaseInUseError } from '../../database/wodb/lock.ts';
import { removeDatabase } from '../../database/wodb/remove.ts';
import { removeControlSocket } from '../../http/control-socket.ts';

export function resetCommand(): Command {
  return command(
    'reset',
    'Delete all data, including replaced databases kept by restore',
    'wotp reset --yes',
    'wotp reset --yes --json',
  )
    .option(
      '--yes',
      'confirm; without it nothing is deleted. Backups and the master key stay; the next start is a first run',
    )
    .option('--json', 'print one line of JSON')
    .action(({ yes, json }: { yes?: boolean; json?: boolean }) => {
      const { dataDir, path } = settingsOfFile('reset').database;
      if (!yes) {
        throw new CommandError(
          `This deletes the database ${path} with everything in it (keys, verifications, events), and the replaced databases kept by restore. Backups and the master key stay. Create a backup if in doubt; to continue, add --yes.`,
        );
      }
      const removed = remove(dataDir, path);
      print(
        json,
        { removed },
        removed.length === 0
          ? `There was nothing to delete in ${dataDir}.`
          : ['Deleted:', ...removed.map((file) => `  ${file}`), 'The next start is a first run.'].join('\n'),
      );
    });
}

function remove(dataDir: string, path: string): string[] {
  try {
    const removed = removeDatabase({ dataDir, path });
    const socket = removeControlSocket(dataDir);
    return socket === undefined ? removed : [...removed, socket];
  } catch (error) {
    if (!(error instanceof DatabaseInUseError)) throw error;
    throw new CommandError(
      'A server or another command is using the database. Stop it first; nothing was deleted.',
    );
  }
}
