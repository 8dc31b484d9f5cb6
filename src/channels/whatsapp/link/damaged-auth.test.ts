import { expect, test } from 'vitest';
import { actorNamed } from '../../../../test/support/actors.ts';
import { type SessionsUnderTest, startSessions } from '../../../../test/support/whatsapp-sessions.ts';
import { MASTER_KEY } from '../../../../test/support/wodb.ts';
import { openKeyring } from '../../../database/keyring.ts';
import { seal } from '../../../lib/seal.ts';
import { VALUE_MAX_CHARS } from './auth-values.ts';

const OWN = '+4915100000001';
const ADA = '+4915100000002';

/** Puts other credentials, as they are stored, in the place of a session's. */
async function keepInstead(bot: SessionsUnderTest, id: string, sealed: Buffer): Promise<void> {
  await bot.database.transaction((trx) =>
    trx
      .updateTable('whatsapp_auth')
      .set({ sealed })
      .where('session_id', '=', id)
      .where('kind', '=', 'creds')
      .execute(),
  );
}

/** A text sealed as the credentials of a session. */
async function sealedCreds(bot: SessionsUnderTest, id: string, text: string): Promise<Buffer> {
  const keyring = await openKeyring(bot.database, MASTER_KEY, bot.clock);
  return seal(keyring.key('whatsapp'), text, `${id}/creds/`);
}

test.each([
  ['do not open', async () => Buffer.alloc(100)],
  ['are none', (bot: SessionsUnderTest, id: string) => sealedCreds(bot, id, '{"me":{"id":"x"}}')],
  ['are larger than any', async () => Buffer.alloc(VALUE_MAX_CHARS + 1)],
])(
  'credentials that %s stop their session alone, with what to do, and linking it again heals it',
  async (_what, sealed) => {
    const first = await startSessions();
    const [broken, whole] = [await first.link(OWN), await first.link(ADA)];
    await keepInstead(first, broken, await sealed(first, broken));
    const bot = await first.crash();
    await bot.reaches(whole, 'open');
    const state = async () => {
      const { state, reason } = await bot.sessions.get(bot.projectId, broken);
      return { state, reason };
    };
    const asked = { state: 'action_required', reason: expect.stringContaining('Log it out, and link') };
    expect(await state()).toEqual(asked);
    await bot.sessions.command(bot.projectId, broken, 'restart', actorNamed('test'));
    expect(await state()).toEqual(asked);

    await bot.sessions.command(bot.projectId, broken, 'logout', actorNamed('test'));
    const { files } = bot.whatsapp.phone(OWN).pairedEarlier();
    await bot.sessions.importFiles(bot.projectId, broken, files, actorNamed('test'));
    await bot.reaches(broken, 'open');
  },
);

test('a proxy that does not open keeps its session from connecting, until it is set again', async () => {
  const first = await startSessions();
  const [broken, whole] = [await first.link(OWN), await first.link(ADA)];
  await first.database.transaction((trx) =>
    trx
      .updateTable('whatsapp_sessions')
      .set({ sealed_proxy: Buffer.alloc(50) })
      .where('id', '=', broken)
      .execute(),
  );
  const bot = await first.crash();
  await bot.reaches(whole, 'open');
  expect(await bot.sessions.get(bot.projectId, broken)).toMatchObject({
    state: 'action_required',
    reason: expect.stringContaining('Set it again'),
  });
  await bot.sessions.change(bot.projectId, broken, { proxy: null }, actorNamed('test'));
  await bot.sessions.command(bot.projectId, broken, 'restart', actorNamed('test'));
  await bot.reaches(broken, 'open');
});
