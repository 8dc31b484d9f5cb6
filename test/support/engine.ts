import { test } from 'vitest';

/** The engine that this run of the tests uses; `vitest.config.ts` runs the same files once with each. */
export const ENGINE = process.env.TEST_ENGINE === 'postgres' ? 'postgres' : 'wodb';

/** A test of what only the embedded file has. */
export const testOnWodb = test.runIf(ENGINE === 'wodb');
