import { defineConfig } from 'vitest/config';

/**
 * The whole application over HTTP. Loading it takes longer than most of these files, and no module of it keeps
 * anything of its own, so files that a worker runs share what is loaded; servers and databases they never share.
 */
const WHOLE_APPLICATION = 'test/integration/**/*.test.ts';

/** What stands on a database and is run on each engine: the services, their repositories and all routes. */
const ON_BOTH_ENGINES = ['src/{channels,http,keys,limits,messages,otp}/**/*.test.ts', WHOLE_APPLICATION];
const ON_POSTGRES_ONLY = ['src/database/postgres/*.test.ts', 'test/postgres/**/*.test.ts'];
const WITHOUT_A_DATABASE = [
  'src/channels/{selection,simulator/faults}.test.ts',
  'src/channels/whatsapp/{backoff,baileys-log,choice,close-reason,import,pacing,proxy-agent,qr-image,sender-health,wire-id}.test.ts',
  'src/http/access.test.ts',
  'src/keys/{password,permissions}.test.ts',
  'src/limits/phone-limits.test.ts',
  'src/messages/{retry-schedule,state-machine}.test.ts',
  'src/otp/{code,destination,guess-budget,message-text,state-machine}.test.ts',
];
/** About the file itself, or about what no engine changes. */
const ON_WODB_ONLY = [
  'test/integration/{backup,compaction,crash,data-commands,file-format,full-disk,kill,master-key-rotation,whatsapp-crash}.test.ts',
];

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'wodb',
          globalSetup: 'test/support/template-folder.ts',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'scripts/**/*.test.js'],
          exclude: [...ON_POSTGRES_ONLY, WHOLE_APPLICATION],
        },
      },
      {
        extends: true,
        test: {
          name: 'application',
          globalSetup: 'test/support/template-folder.ts',
          include: [WHOLE_APPLICATION],
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'postgres',
          isolate: false,
          include: [...ON_BOTH_ENGINES, ...ON_POSTGRES_ONLY],
          exclude: [...WITHOUT_A_DATABASE, ...ON_WODB_ONLY],
          env: { TEST_ENGINE: 'postgres' },
          globalSetup: 'test/support/postgres-server.ts',
        },
      },
    ],
    pool: 'forks',
    setupFiles: 'test/support/remembered-keys.ts',
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
        'src/otp/**': { lines: 100 },
      },
    },
  },
});
