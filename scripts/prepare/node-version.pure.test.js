// @ts-check
import { expect, it } from 'vitest';
import { nodeVersionProblem } from './node-version.js';

it('Node 20.19 and everything newer may run', () => {
  for (const version of ['20.19.0', '20.20.2', '22.0.0', '24.1.0']) {
    expect(nodeVersionProblem(version), version).toBeUndefined();
  }
});

it('an older Node is told what it is, what is needed and where to get it', () => {
  for (const version of ['20.18.9', '18.20.0', '9.0.0']) {
    expect(nodeVersionProblem(version)).toMatch(`needs Node.js 20.19 or newer and this is ${version}`);
  }
});
