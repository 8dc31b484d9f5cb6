// @ts-check

/**
 * What `npm run mutation` changes, one thing at a time, to see whether a unit test notices: the rules that everything
 * else stands on.
 */
export default {
  mutate: [
    'src/otp/{chain,check,code,code-secrets,destination,end-all,ending,guess-budget,limit-administration,list,message-text}.ts',
    'src/otp/{open-verifications,refusals,send-request,spread-limits,state-machine,upkeep}.ts',
    'src/limits/{phone-limits,request-counters,shared-counters}.ts',
    'src/messages/{retry-schedule,state-machine}.ts',
    'src/addresses/{phone,phone-reader,phone-reading,numbering-plan}.ts',
    'src/lib/typed-text.ts',
    'src/channels/whatsapp/link/backoff.ts',
    'src/channels/whatsapp/send/{choice,pacing,sender-health}.ts',
    'src/channels/route.ts',
    'src/scheduler/firing-rules.ts',
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
