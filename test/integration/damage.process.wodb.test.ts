import { expect, test } from 'vitest';
import { runFlips } from '../../bench/flip-rounds.js';
import { runRestoreRounds } from '../../bench/restore-rounds.js';

test('one bit flipped anywhere in a database file is found by verify, or what is read is not touched by it', async () => {
  const lines: string[] = [];
  const found = await runFlips({ rounds: 12, say: (line) => lines.push(line) });
  expect(found).toBeGreaterThan(0);
  expect(lines).toHaveLength(13);
}, 120_000);

test('a restore that is killed at any moment leaves the old database whole or the new one', async () => {
  const outcomes = await runRestoreRounds({ rounds: 3, say: () => {} });
  expect(outcomes.old + outcomes.new).toBe(3);
}, 120_000);
