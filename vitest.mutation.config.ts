import { defineConfig } from 'vitest/config';

/** The unit tests that `npm run mutation` holds the rules against, on the embedded database but for those of PostgreSQL. */
export default defineConfig({
  test: {
    isolate: false,
    globalSetup: ['test/support/template-folder.ts', 'test/support/postgres-server.ts'],
    setupFiles: 'test/support/remembered-keys.ts',
    include: [
      'src/{otp,limits,messages}/**/*.test.ts',
      'src/addresses/*.test.ts',
      'src/lib/typed-text*.test.ts',
      'src/scheduler/*.test.ts',
      'src/channels/{route,whatsapp/{link/backoff,send/{choice,pacing,sender-health}}}*.test.ts',
    ],
    // What plays through hundreds of random steps says no single rule, and would take minutes a mutant.
    exclude: ['src/otp/service.test.ts', 'src/messages/{dispatcher,service}.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
