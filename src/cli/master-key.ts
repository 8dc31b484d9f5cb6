import type { Command } from 'commander';
import { generateMasterKey } from '../database/master-key.ts';
import { command, print } from './command.ts';

export function masterKeyCommand(): Command {
  const masterKey = command(
    'master-key',
    'make the key that encrypts the database',
    'wotp master-key create',
  );
  masterKey.addCommand(
    command(
      'create',
      'print a new master key; nothing is stored or changed',
      'DB_MASTER_KEY=$(wotp master-key create) wotp serve',
    )
      .option('--json', 'print one line of JSON')
      .action(({ json }: { json?: boolean }) => {
        const key = generateMasterKey();
        print(json, { masterKey: key }, key);
      }),
  );
  return masterKey;
}
