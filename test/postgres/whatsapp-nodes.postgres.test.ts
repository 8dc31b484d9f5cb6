import { expect, onTestFinished, test } from 'vitest';
import { runWhatsAppCrash } from '../../bench/whatsapp-crash-rounds.js';
import { quietLibsignal } from '../support/fake-whatsapp/quiet-libsignal.ts';
import { startFakeWhatsApp } from '../support/fake-whatsapp/server.ts';
import { createPostgres } from '../support/postgres.ts';

quietLibsignal();

test('when the node that drives a number is killed, the other takes it over and sends what waits, each once and readable', async () => {
  const postgres = await createPostgres({ ownKey: true });
  onTestFinished(() => postgres.drop());
  const lines: string[] = [];
  await runWhatsAppCrash({
    startFake: startFakeWhatsApp,
    sends: 80,
    numbers: 40,
    drops: 1,
    kills: 1,
    say: (line) => lines.push(line),
    postgres: { url: postgres.url, waitForLeases: false },
  });
  expect(lines).toHaveLength(6);
}, 120_000);
