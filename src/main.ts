import { failure } from './cli/failure.ts';
import { serve } from './serve.ts';

serve().catch((error: unknown) => {
  process.stderr.write(`${failure(error)}\n`);
  process.exit(1);
});
