import { expect, test } from 'vitest';
import { actorNamed } from '../../../../test/support/actors.ts';
import { startSessions } from '../../../../test/support/whatsapp-sessions.ts';

const OWN = '+4915100000001';
const ADA = '+4915100000002';

test('sessions that were never linked, or are paused, are no problem of the links to WhatsApp', async () => {
  const bot = await startSessions();
  expect(bot.sessions.status.problem).toBe('No WhatsApp number is linked.');
  const unlinked = await bot.create();
  expect(bot.sessions.status.problem).toBe('No WhatsApp number is linked.');
  const id = await bot.link(OWN);
  expect(bot.session(unlinked).state).toBe('pairing');
  expect(bot.sessions.status.problem).toBeUndefined();

  const other = await bot.link(ADA);
  const run = (session: string, name: 'pause' | 'resume' | 'logout') =>
    bot.sessions.command(bot.projectId, session, name, actorNamed('test'));
  await run(other, 'pause');
  expect(bot.sessions.status.problem).toBeUndefined();
  await run(id, 'pause');
  expect(bot.sessions.status.problem).toBe('Every linked WhatsApp number is paused.');
  await run(other, 'resume');
  await bot.reaches(other, 'open');
  await run(id, 'logout');
  expect(bot.sessions.status.problem).toBe('1 of 2 WhatsApp numbers is connected; 1 is logged out.');
  await run(other, 'logout');
  expect(bot.sessions.status.problem).toBe('No WhatsApp number is linked; 2 are logged out.');
});

test('what a process that died has stored of its connection is not said of the present', async () => {
  const first = await startSessions({ isShared: true });
  const id = await first.link(OWN);
  const other = await first.anotherNode();
  const state = async () => (await other.sessions.get(other.projectId, id)).state;
  expect(await state()).toBe('open');
  // Nothing is written any more, and the lease runs out.
  first.isCutOff = true;
  first.clock.set(first.clock.now() + 60_000);
  expect(await state()).toBe('reconnecting');
});
