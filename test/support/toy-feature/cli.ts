import type { Command } from 'commander';
import { command, print, withApi } from '../../../src/cli/command.ts';

/** `toy add <name>`. */
export function toyCommand(): Command {
  const toy = command('toy', 'Create toys', 'wotp toy add train', 'wotp toy add ball');
  toy.addCommand(
    command('add', 'Create a toy', 'wotp toy add train', 'wotp toy add train --json')
      .argument('<name>', 'its name')
      .option('--json', 'print one line of JSON')
      .action((name: string, { json }: { json?: boolean }) =>
        withApi(async (api) => {
          const { data } = await api.call<{ data: { name: string } }>('POST', '/api/v1/toys', { name });
          print(json, data, `Created the toy ${data.name}.`);
        }),
      ),
  );
  return toy;
}
