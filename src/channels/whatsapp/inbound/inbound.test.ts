import { afterAll, beforeAll, expect, test } from 'vitest';
import { quietLibsignal } from '../../../../test/support/fake-whatsapp/quiet-libsignal.ts';
import { type FakeWhatsApp, startFakeWhatsApp } from '../../../../test/support/fake-whatsapp/server.ts';
import { type LinkedSessions, linkedSessions } from '../../../../test/support/linked-sessions.ts';
import { silentTroubles } from '../../../../test/support/silent-log.ts';
import { openTestOutbox, type TestOutbox } from '../../../../test/support/test-outbox.ts';
import { eventually } from '../../../../test/support/whatsapp-sessions.ts';
import { HOUR_MS } from '../../../lib/duration.ts';
import { suppression } from '../../../opt-outs/suppression.ts';
import { numberDirectory } from '../send/number-directory.ts';
import { listenForInbound } from './inbound.ts';

const OWN = '+6281234400001';

quietLibsignal();
let outbox: TestOutbox;
let whatsapp: FakeWhatsApp;
let sessions: LinkedSessions;
beforeAll(async () => {
  outbox = await openTestOutbox();
  whatsapp = await startFakeWhatsApp();
  sessions = linkedSessions(whatsapp);
  const { database, clock } = outbox;
  listenForInbound({
    ...outbox,
    sessions,
    suppression: suppression(database),
    directory: numberDirectory(database, clock),
    runCommand: async () => undefined,
    adminNumbers: [],
    troubles: silentTroubles,
  });
  await sessions.link(OWN);
});
afterAll(async () => {
  sessions.end();
  await whatsapp.stop();
  await outbox.close();
});

async function optOutsAndIns(): Promise<string[]> {
  const events = await outbox.database.reader
    .selectFrom('events')
    .select('type')
    .where('type', 'in', ['number.opted_out', 'number.opted_in'])
    .orderBy('seq')
    .execute();
  return events.map(({ type }) => type);
}

test('who alternates STOP and START is obeyed each time, and answered once an hour', async () => {
  const phone = whatsapp.phone('+6281234500001');
  async function alternate(times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      for (const text of ['STOP', 'START']) {
        const before = (await optOutsAndIns()).length;
        await phone.send(OWN, text);
        await eventually(async () => (await optOutsAndIns()).length === before + 1);
      }
    }
  }
  const begun = outbox.clock.now();
  await alternate(4);
  outbox.clock.set(begun + HOUR_MS - 1);
  await alternate(1);
  outbox.clock.set(begun + HOUR_MS);
  await alternate(3);
  await whatsapp.until(() => phone.messages.length === 2);
  expect(await optOutsAndIns()).toEqual(Array(8).fill(['number.opted_out', 'number.opted_in']).flat());
  expect(phone.messages.map(({ text }) => text)).toEqual(
    Array(2).fill('You will get no more messages from this number. To get them again, reply START.'),
  );
});
