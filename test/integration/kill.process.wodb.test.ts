import { expect, test } from 'vitest';
import { runKillRounds } from '../../bench/kill-rounds.js';

test.each(['migrate', 'compact', 'rotate-given', 'rotate-kept'] as const)(
  '%s that is killed leaves a folder that opens with one known key and has lost nothing',
  async (work) => {
    const lines: string[] = [];
    await runKillRounds({ work, rounds: 2, verifications: 300, say: (line) => lines.push(line) });
    expect(lines).toHaveLength(2);
  },
  120_000,
);
