import base from './vitest.config.ts';

base.test.execArgv = ['--cpu-prof', '--cpu-prof-dir=/tmp/rv/prof'];
for (const p of base.test.projects) p.test.execArgv = base.test.execArgv;
export default base;
