import { expect, test } from 'vitest';
import { runCrashRounds } from '../../bench/crash-rounds.js';

test('every send that was answered survives kill -9 under load and reaches its phone once', async () => {
  const lines: string[] = [];
  await runCrashRounds({ rounds: 3, say: (line) => lines.push(line) });
  expect(lines).toHaveLength(4);
}, 120_000);
