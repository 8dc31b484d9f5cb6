import type { Reporter, TestModule } from 'vitest/node';

/** Names, at the end of a run, the tests that failed first and passed when they were run again: each waits to be mended. */
export default class SecondTries implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        if (!test.diagnostic()?.flaky) continue;
        const errors = test.result().errors ?? [];
        console.log(`passed on the second try: ${module.relativeModuleId} > ${test.fullName}`);
        for (const { message } of errors) console.log(`  first: ${message.split('\n')[0]}`);
      }
    }
  }
}
