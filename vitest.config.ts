import { defineConfig } from 'vitest/config';

/** What stands on a database and is run on each engine: the services, their repositories and all routes. */
const ON_BOTH_ENGINES = [
  'src/{channels,events,http,keys,limits,messages,otp}/**/*.test.ts',
  'test/integration/**/*.test.ts',
];
const ON_POSTGRES_ONLY = ['src/database/postgres/*.test.ts', 'test/postgres/**/*.test.ts'];
const WITHOUT_A_DATABASE = [
  'src/channels/{selection,simulator/faults}.test.ts',
  'src/channels/whatsapp/{backoff,baileys-log,choice,close-reason,import,pacing,proxy-agent,qr-image,sender-health,wire-id}.test.ts',
  'src/http/{access,json-bounds,media-type,schemas,unfit-text}.test.ts',
  'src/keys/{password,permissions}.test.ts',
  'src/limits/phone-limits.test.ts',
  'src/messages/{retry-schedule,state-machine}.test.ts',
  'src/otp/{code,destination,guess-budget,message-text,state-machine}.test.ts',
];
/** About the file itself, or about what no engine changes. */
const ON_WODB_ONLY = [
  'test/integration/{backup,compaction,connections,crash,damage,data-commands,field-words,file-format,full-disk,kill,master-key-rotation,whatsapp-crash}.test.ts',
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
          exclude: ON_POSTGRES_ONLY,
        },
      },
      {
        extends: true,
        test: {
          name: 'postgres',
          include: [...ON_BOTH_ENGINES, ...ON_POSTGRES_ONLY],
          exclude: [...WITHOUT_A_DATABASE, ...ON_WODB_ONLY],
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
        'src/otp/**': { lines: 100 },
      },
    },
  },
});
