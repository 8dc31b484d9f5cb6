// @ts-check

/**
 * What `npm run mutation` changes, one thing at a time, to see whether a unit test notices: the rules that everything
 * else stands on.
 */
export default {
  mutate: [
    'src/otp/{check,code,code-secrets,destination,ending,guess-budget,message-text,phone-reader,refusals,state-machine}.ts',
    'src/limits/{phone-limits,request-counters}.ts',
    'src/messages/{retry-schedule,state-machine}.ts',
    'src/lib/{phone,phone-reading,numbering-plan,typed-text}.ts',
    'src/channels/whatsapp/{backoff,choice,pacing,sender-health}.ts',
    'src/channels/selection.ts',
  ],
  plugins: ['@stryker-mutator/vitest-runner'],
  testRunner: 'vitest',
  vitest: { configFile: 'vitest.mutation.config.ts', related: false },
  // The TypeScript here has no programming interface; without this file Stryker does not look for one.
  tsconfigFile: 'none.json',
  coverageAnalysis: 'perTest',
  ignoreStatic: true,
  concurrency: 1,
  timeoutMS: 20_000,
  reporters: ['clear-text', 'json', 'progress-append-only'],
  clearTextReporter: { allowColor: false, reportTests: false, reportMutants: true },
  jsonReporter: { fileName: 'reports/mutation.json' },
  tempDirName: '.stryker-tmp',
};
