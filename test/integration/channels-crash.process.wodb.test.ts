import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { runChannelsCrash } from '../../bench/channels-crash-rounds.js';

test('every code accepted while the server is killed reaches its recipient, once where its channel can tell', async () => {
  const lines: string[] = [];
  await runChannelsCrash({
    kills: 4,
    seed: randomInt(2 ** 31),
    waitForLeases: false,
    say: (line) => lines.push(line),
  });
  expect(lines).toHaveLength(7);
}, 240_000);
