import type { Command } from 'commander';
import { command } from './command.ts';

export function serveCommand(): Command {
  return command('serve', 'Start the server in the foreground', 'PORT=3000 wotp serve')
    .option('--json', 'print the addresses, and what the first run made, as one line of JSON')
    .action(async (options: { json?: boolean }) => {
      // Only now: the other commands need nothing of the server and start quicker without it.
      const { serve } = await import('../serve.ts');
      await serve(options);
    });
}
