import type { Command } from 'commander';
import { serve } from '../serve.ts';
import { command } from './command.ts';

export function serveCommand(): Command {
  return command('serve', 'start the server in the foreground', 'PORT=3000 wotp serve').action(serve);
}
