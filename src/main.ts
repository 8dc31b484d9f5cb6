import { failure } from './cli/failure.ts';
import { outliveTerminal } from './lib/closed-terminal.ts';
import { writeLine } from './lib/terminal.ts';
import { serve } from './serve.ts';

outliveTerminal();
serve().catch((error: unknown) => {
  writeLine(failure(error), 'stderr');
  process.exit(1);
});
