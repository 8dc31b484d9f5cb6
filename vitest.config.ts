import { defineConfig } from 'vitest/config';

/**
 * Every test runs on both engines, unless its name says otherwise: `*.wodb.test.ts` and `*.postgres.test.ts` are about
 * one engine, `*.pure.test.ts` needs no database and runs once.
 */
const EVERY_TEST = ['{src,test,scripts}/**/*.test.{ts,js}'];
/** Left out by `npm run test:quick`: what starts processes of its own or a browser. */
const WITH_PROCESSES = ['test/e2e/**', '**/*.process.*'];
const isQuick = process.env.TEST_QUICK === '1';

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'wodb',
          globalSetup: 'test/support/template-folder.ts',
          include: EVERY_TEST,
          exclude: ['**/*.postgres.test.*', ...(isQuick ? WITH_PROCESSES : [])],
        },
      },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: EVERY_TEST,
          exclude: ['**/*.{wodb,pure}.test.*'],
          env: { TEST_ENGINE: 'postgres' },
          globalSetup: 'test/support/postgres-server.ts',
        },
      },
    ],
    pool: 'forks',
    // Loading the application takes longer than most files, and none of its modules keeps anything of its own: files
    // that one worker runs share what is loaded, and nothing else. A file that replaces something puts it back.
    isolate: false,
    setupFiles: ['test/support/remembered-keys.ts', 'test/support/bounded-frames.ts'],
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 30_000,
    reporters: ['default'],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/**/*.test.ts'],
      reporter: [['text', { skipFull: true }]],
      thresholds: {
        lines: 90,
        // Its commands run as processes of their own, which the e2e tests start.
        'src/otp/!(cli).ts': { lines: 100 },
      },
    },
  },
});
