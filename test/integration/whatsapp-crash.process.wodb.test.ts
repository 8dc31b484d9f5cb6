import { expect, test } from 'vitest';
import { runWhatsAppCrash } from '../../bench/whatsapp-crash-rounds.js';
import { quietLibsignal } from '../support/fake-whatsapp/quiet-libsignal.ts';
import { startFakeWhatsApp } from '../support/fake-whatsapp/server.ts';

quietLibsignal();

test('every code accepted while the connection is dropped and the process killed is on its phone once, readable', async () => {
  const lines: string[] = [];
  await runWhatsAppCrash({
    startFake: startFakeWhatsApp,
    sends: 150,
    numbers: 60,
    drops: 3,
    kills: 2,
    say: (line) => lines.push(line),
  });
  expect(lines).toHaveLength(9);
}, 120_000);
