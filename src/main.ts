import { failure } from './cli/failure.ts';
import { writeLine } from './lib/terminal.ts';
import { serve } from './serve.ts';

serve().catch((error: unknown) => {
  writeLine(failure(error), 'stderr');
  process.exit(1);
});
