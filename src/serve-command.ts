import type { Command } from 'commander';
import { command } from './cli/command.ts';

export function serveCommand(): Command {
  return command('serve', 'Start the server in the foreground', 'wotp serve', 'PORT=8080 wotp serve --json')
    .option('--json', 'print the addresses, and what the first run created, as one line of JSON')
    .action(async (options: { json?: boolean }) => {
      // Only now: the other commands need nothing of the server and start quicker without it.
      const { serve } = await import('./serve.ts');
      await serve(options);
    });
}
