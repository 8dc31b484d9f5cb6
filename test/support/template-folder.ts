import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type { TestProject } from 'vitest/node';
import { buildApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config/config.ts';
import { masterKeyPathIn, writeMasterKey } from '../../src/database/master-key.ts';
import { testClock } from './test-clock.ts';
import { MASTER_KEY } from './wodb.ts';

/** Makes the data folder that others are copied from, once for all tests. */
export default async function makeTemplate(project: TestProject): Promise<() => void> {
  const dir = mkdtempSync(join(tmpdir(), 'wotp-template-'));
  writeMasterKey(masterKeyPathIn(dir), MASTER_KEY);
  const config = loadConfig({ NODE_ENV: 'test', DATA_DIR: dir }, { cwd: dir });
  const log = pino({ level: 'silent' });
  const onFatal = (error: Error) => {
    throw error;
  };
  const app = await buildApp({ config, log, clock: testClock(), onFatal });
  await app.stop();
  project.provide('templateFolder', dir);
  return () => rmSync(dir, { recursive: true, force: true });
}
