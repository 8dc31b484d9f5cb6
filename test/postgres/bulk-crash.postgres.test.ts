import { expect, test } from 'vitest';
import { runBulkRounds } from '../../bench/bulk-rounds.js';

test('each recipient of bulk jobs gets exactly one message, though one of two nodes is killed in the middle', async () => {
  const lines: string[] = [];
  await runBulkRounds({
    engine: 'postgres',
    jobs: 2,
    recipients: 500,
    kills: 1,
    say: (line) => lines.push(line),
  });
  expect(lines).toEqual([expect.stringContaining('each recipient exactly once')]);
}, 180_000);
