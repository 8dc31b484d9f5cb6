import { expect, test } from 'vitest';
import { runSchedulerRound } from '../../bench/scheduler-rounds.js';

test('what is due in one second fires once each, while the server is killed twice', async () => {
  const lines: string[] = [];
  await runSchedulerRound({ count: 1_000, engine: 'wodb', say: (line) => lines.push(line) });
  expect(lines).toHaveLength(4);
}, 120_000);
