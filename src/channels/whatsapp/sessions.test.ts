import { expect, test } from 'vitest';
import { eventually, startSessions } from '../../../test/support/whatsapp-sessions.ts';

const OWN = '+4915100000001';
const ADA = '+4915100000002';

test('a number is linked by QR code, survives the restart after it, and sends', async () => {
  const { sessions, whatsapp, changes, session, link, eventTypes } = await startSessions();
  const opened: string[] = [];
  sessions.on('open', ({ id }) => opened.push(id));
  const id = await link(OWN);
  expect(changes.map(({ to }) => to)).toEqual(['pairing', 'connecting', 'open']);
  expect(session(id)).toMatchObject({ number: OWN, state: 'open', linkedAt: expect.any(Number) });
  expect(opened).toEqual([id]);
  const ada = whatsapp.phone(ADA);
  await session(id).socket!.sendMessage(ada.jid, { text: 'hello', linkPreview: null });
  await eventually(() => ada.messages.length === 1);
  await sessions.stop();
  expect(await eventTypes()).toEqual([
    'bot.operated',
    'bot.state_changed',
    'bot.qr',
    'bot.state_changed',
    'bot.connected',
  ]);
});
