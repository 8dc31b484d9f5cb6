import { expect, test } from 'vitest';
import { runPostgresCrashRounds } from '../../bench/postgres-crash-rounds.js';

test('every send that was answered survives the death of its node and a restart of PostgreSQL under load, and reaches its phone once', async () => {
  const lines: string[] = [];
  await runPostgresCrashRounds({
    nodeRounds: 1,
    databaseRounds: 1,
    say: (line) => lines.push(line),
    waitForLeases: false,
  });
  expect(lines).toHaveLength(3);
  expect(lines[1]).toMatch(/ [1-9]\d* answered with 503, /);
}, 120_000);
