import { expect, test } from 'vitest';
import { runBulkRounds } from '../../bench/bulk-rounds.js';

test('each recipient of bulk jobs gets exactly one message, though the server is killed twice in the middle', async () => {
  const lines: string[] = [];
  await runBulkRounds({
    engine: 'wodb',
    jobs: 2,
    recipients: 1_000,
    kills: 2,
    cancel: 500,
    say: (line) => lines.push(line),
  });
  expect(lines).toEqual([expect.stringContaining('each recipient exactly once')]);
}, 180_000);
