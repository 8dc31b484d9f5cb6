import { defineConfig } from 'vitest/config';

/** The unit tests that `npm run mutation` holds the rules against, on the embedded database. */
export default defineConfig({
  test: {
    isolate: false,
    globalSetup: 'test/support/template-folder.ts',
    setupFiles: 'test/support/remembered-keys.ts',
    include: [
      'src/{otp,limits,messages}/**/*.test.ts',
      'src/lib/{phone,numbering-plan,typed-text}*.test.ts',
      'src/channels/{selection,whatsapp/{backoff,choice,pacing,sender-health}}*.test.ts',
    ],
    // What plays through hundreds of random steps says no single rule, and would take minutes a mutant.
    exclude: [
      '**/*.postgres.test.ts',
      'src/otp/service.test.ts',
      'src/messages/{dispatcher,service}.test.ts',
    ],
    testTimeout: 20_000,
    hookTimeout: 30_000,
  },
});
