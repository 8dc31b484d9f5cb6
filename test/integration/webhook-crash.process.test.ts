import { expect, test } from 'vitest';
import { runWebhookCrashRounds } from '../../bench/webhook-crash-rounds.js';
import { ENGINE } from '../support/engine.ts';

test('every event reaches the endpoints that live, signed and in order, though a server is killed and an endpoint is dead', async () => {
  const lines: string[] = [];
  const { repeated } = await runWebhookCrashRounds({
    engine: ENGINE,
    sends: 40,
    kills: 2,
    waitForLeases: false,
    say: (line) => lines.push(line),
  });
  expect(lines).toHaveLength(1);
  // Two kills, each with up to 20 attempts to an endpoint under way.
  expect(repeated).toBeLessThan(0.15);
}, 240_000);
