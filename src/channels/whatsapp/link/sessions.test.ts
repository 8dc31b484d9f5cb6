import { describe, expect, test } from 'vitest';
import { actorNamed } from '../../../../test/support/actors.ts';
import {
  eventually,
  type SessionsUnderTest,
  startSessions,
} from '../../../../test/support/whatsapp-sessions.ts';
import { forgetContacts } from '../send/contacts.ts';

const OWN = '+4915100000001';
const ADA = '+4915100000002';
const SECOND = '+4915100000003';

/** One linked and open session. */
async function startLinked(options?: Parameters<typeof startSessions>[0]) {
  const bot = await startSessions(options);
  const id = await bot.link(OWN);
  const last = () => bot.changes.at(-1)!;
  return { ...bot, id, device: bot.whatsapp.linked(OWN), last };
}

/** Sends a text and waits until the phone shows it. */
async function sendTo(bot: SessionsUnderTest, id: string, number: string, text: string): Promise<void> {
  const phone = bot.whatsapp.phone(number);
  await bot.session(id).socket!.sendMessage(phone.jid, { text, linkPreview: null });
  await eventually(() => phone.messages.some((message) => message.text === text));
}

const statesOf = ({ changes }: SessionsUnderTest) => changes.map(({ to }) => to);

describe('linking', () => {
  test('by QR code survives the restart after it, and sends', async () => {
    const bot = await startSessions();
    const opened: string[] = [];
    bot.sessions.on('open', ({ id }) => opened.push(id));
    const id = await bot.linkByQr(OWN);
    expect(statesOf(bot)).toEqual(['pairing', 'connecting', 'open']);
    expect(bot.session(id)).toMatchObject({ number: OWN, state: 'open', linkedAt: expect.any(Number) });
    expect(opened).toEqual([id]);
    await sendTo(bot, id, ADA, 'hello');
    await bot.sessions.stop();
    expect(await bot.eventTypes()).toEqual([
      'bot.operated',
      'bot.state_changed',
      'bot.qr',
      'bot.state_changed',
      'bot.connected',
      'bot.disconnected',
    ]);
    const { sessions } = await bot.sessions.list(bot.projectId, { limit: 50 });
    expect(sessions[0]).toMatchObject({
      state: 'reconnecting',
      reason: 'The server was stopped.',
    });
  });

  test('by pairing code, asked for a number', async () => {
    const bot = await startSessions();
    const id = await bot.create();
    const { text } = await bot.sessions.requestPairingCode(
      bot.projectId,
      id,
      OWN.slice(1),
      actorNamed('test'),
    );
    expect(text).toMatch(/^[0-9A-Z]{8}$/);
    expect((await bot.sessions.get(bot.projectId, id)).pairingCode?.text).toBe(text);
    const phone = bot.whatsapp.phone(OWN);
    await bot.whatsapp.until(() => phone.codeRequested);
    await phone.enterCode(text);
    await bot.reaches(id, 'open');
    expect(bot.session(id).number).toBe(OWN);
    expect((await bot.sessions.get(bot.projectId, id)).pairingCode).toBeNull();
  });

  test('by pairing code begins at the start where the configuration names the number', async () => {
    const bot = await startSessions({ pairingDigits: OWN.slice(1) });
    const made = (await bot.sessions.list(bot.projectId, { limit: 50 })).sessions[0];
    const phone = bot.whatsapp.phone(OWN);
    const code = async () => (await bot.sessions.get(bot.projectId, made!.id)).pairingCode;
    await eventually(async () => (await code()) !== null);
    await bot.whatsapp.until(() => phone.codeRequested);
    await phone.enterCode((await code())!.text);
    await bot.reaches(made!.id, 'open');
  });

  test('that the phone wants to confirm with a passkey ends with plain words in place of a code that hangs', async () => {
    const bot = await startSessions();
    const id = await bot.create();
    await eventually(async () => (await bot.sessions.qr(bot.projectId, id)) !== undefined);
    bot.whatsapp.askForPasskey();
    await bot.reaches(id, 'action_required');
    expect(bot.changes.at(-1)!.reason).toContain('passkey');
    expect(await bot.sessions.qr(bot.projectId, id)).toBeUndefined();
  });

  test('goes on when the connection is lost in the middle, until its five minutes are over', async () => {
    const bot = await startSessions();
    const id = await bot.create();
    await eventually(async () => (await bot.sessions.qr(bot.projectId, id)) !== undefined);
    bot.whatsapp.door = 503;
    bot.whatsapp.dropConnections();
    await eventually(() => bot.changes.at(-1)!.nextAttemptAt !== null);
    expect(bot.session(id).state).toBe('pairing');
    bot.whatsapp.door = 'open';
    await bot.clock.advance(2_000);
    await eventually(async () => (await bot.sessions.qr(bot.projectId, id)) !== undefined);

    await bot.clock.advance(5 * 60_000);
    bot.whatsapp.dropConnections();
    await bot.reaches(id, 'new');
    expect(bot.changes.at(-1)!.reason).toContain('not scanned');
  });

  test('is refused while a phone is linked', async () => {
    const { sessions, projectId, id } = await startLinked();
    await expect(
      sessions.requestPairingCode(projectId, id, SECOND.slice(1), actorNamed('test')),
    ).rejects.toMatchObject({
      code: 'CONFLICT',
    });
  });
});

describe('a connection that ends', () => {
  test('is made again with growing waits, each told with its reason and its next attempt', async () => {
    const bot = await startLinked();
    const { id, clock, whatsapp, last } = bot;
    await whatsapp.goAway();
    for (const waitMs of [1_000, 2_000, 4_000, 8_000]) {
      await bot.reaches(id, 'reconnecting');
      expect(last()).toMatchObject({ reason: expect.any(String), nextAttemptAt: clock.now() + waitMs });
      expect(bot.session(id).socket).toBeUndefined();
      await clock.advance(waitMs - 1);
      expect(bot.session(id).state).toBe('reconnecting');
      if (waitMs === 8_000) await whatsapp.comeBack();
      await clock.advance(1);
    }
    await bot.reaches(id, 'open');
    await sendTo(bot, id, ADA, 'back again');
  });

  test('is made again at once when WhatsApp asks for a restart', async () => {
    const bot = await startLinked();
    bot.device.disconnect(515);
    await eventually(() => bot.device.logins === 2);
    await bot.reaches(bot.id, 'open');
    expect(statesOf(bot).slice(3)).toEqual(['connecting', 'open']);
  });

  test('by a logout forgets the keys, leaves the other sessions alone, and the number can be linked again', async () => {
    const bot = await startLinked();
    const second = await bot.link(SECOND);
    bot.device.disconnect(401);
    await bot.reaches(bot.id, 'logged_out');
    expect(bot.last()).toMatchObject({ reason: expect.stringContaining('Link the number again') });
    expect(bot.session(bot.id)).toMatchObject({ number: undefined, socket: undefined });
    const kept = await bot.database.reader
      .selectFrom('whatsapp_auth')
      .select('session_id')
      .distinct()
      .execute();
    expect(kept).toEqual([{ session_id: second }]);
    await sendTo(bot, second, ADA, 'still here');
    expect(bot.sessions.status.isLinked(bot.projectId)).toBe(true);

    await bot.sessions.command(bot.projectId, bot.id, 'restart', actorNamed('test'));
    await eventually(async () => (await bot.sessions.qr(bot.projectId, bot.id)) !== undefined);
    await bot.whatsapp.phone(OWN).scanQr((await bot.sessions.qr(bot.projectId, bot.id))!.text);
    await bot.reaches(bot.id, 'open');
  });

  test.for([
    [403, 'banned'],
    [440, 'action_required'],
    [411, 'action_required'],
  ] as const)('with %i is not fought: %s, until the operator restarts it', async ([code, state]) => {
    const bot = await startLinked();
    bot.device.disconnect(code);
    await bot.reaches(bot.id, state);
    const logins = bot.device.logins;
    await bot.clock.advance(60 * 60_000);
    expect(bot.device.logins).toBe(logins);
    expect(bot.last().nextAttemptAt).toBeNull();
    await bot.sessions.command(bot.projectId, bot.id, 'restart', actorNamed('test'));
    await bot.reaches(bot.id, 'open');
  });

  test('as a bad session three times within ten minutes stops, and keeps its credentials', async () => {
    const bot = await startLinked();
    for (let time = 1; time <= 3; time++) {
      await eventually(() => bot.device.online);
      bot.device.disconnect(500);
      await bot.reaches(bot.id, time === 3 ? 'action_required' : 'reconnecting');
      await bot.clock.advance(time === 3 ? 3_600_000 : 2_000);
      if (time < 3) await bot.reaches(bot.id, 'open');
    }
    expect(bot.session(bot.id)).toMatchObject({ state: 'action_required', number: OWN });
  });

  test('because the version is outdated says so, and is tried again half an hour later', async () => {
    const bot = await startLinked();
    bot.device.disconnect(405);
    await bot.reaches(bot.id, 'reconnecting');
    expect(bot.last()).toMatchObject({
      reason: expect.stringContaining('BOT_WEB_VERSION'),
      nextAttemptAt: bot.clock.now() + 30 * 60_000,
    });
  });

  test('because the version is outdated is made again with the present one, where that may be asked for', async () => {
    const NEWER = 4_000_000_000;
    let asked = 0;
    const latestVersion = async (): Promise<[number, number, number]> => {
      asked += 1;
      return [2, 3000, NEWER];
    };
    const bot = await startLinked({ latestVersion });
    const second = await bot.link(SECOND);
    expect(asked).toBe(0);
    bot.whatsapp.oldestVersion = NEWER;
    for (const number of [OWN, SECOND]) bot.whatsapp.linked(number).disconnect(405);
    for (const id of [bot.id, second]) await bot.reaches(id, 'reconnecting');
    expect(bot.last().reason).toContain('the current one of WhatsApp Web is tried next');
    await bot.clock.advance(1_000);
    for (const id of [bot.id, second]) await bot.reaches(id, 'open');
    const third = await bot.link(ADA);
    expect(asked).toBe(1);

    bot.whatsapp.oldestVersion = NEWER + 1;
    bot.whatsapp.linked(ADA).disconnect(405);
    await bot.reaches(third, 'reconnecting');
    expect([asked, bot.last().nextAttemptAt]).toEqual([2, bot.clock.now() + 30 * 60_000]);
  });

  test('because the version is outdated while a phone is being linked shows a QR code with the present one', async () => {
    const bot = await startSessions({ latestVersion: async () => [2, 3000, 4_000_000_000] });
    bot.whatsapp.oldestVersion = 4_000_000_000;
    const id = await bot.create();
    await eventually(() => bot.changes.at(-1)?.nextAttemptAt != null);
    await bot.clock.advance(1_000);
    await eventually(async () => (await bot.sessions.qr(bot.projectId, id)) !== undefined);
  });

  test('because the version is outdated waits as ever when the current one is not available', async () => {
    const bot = await startLinked({ latestVersion: () => new Promise(() => {}) });
    bot.device.disconnect(405);
    await eventually(() => bot.session(bot.id).socket === undefined);
    await bot.clock.advance(10_000);
    await bot.reaches(bot.id, 'reconnecting');
    expect(bot.last()).toMatchObject({
      reason: expect.stringContaining('BOT_WEB_VERSION_REFRESH'),
      nextAttemptAt: bot.clock.now() + 30 * 60_000,
    });
    expect(bot.logLines.join()).toContain('not available');
  });
});

describe('a person whom nobody has written to for half a year', () => {
  test('is forgotten, and can be written to and write again, on this connection and on the next', async () => {
    const bot = await startLinked();
    await sendTo(bot, bot.id, ADA, 'long ago');
    const keysOf = (kind: string) =>
      bot.database.reader
        .selectFrom('whatsapp_auth')
        .select('key')
        .where('session_id', '=', bot.id)
        .where('kind', '=', kind)
        .execute();
    await eventually(async () => (await keysOf('session')).length > 0);
    const forgetAll = () =>
      bot.database.transaction((trx) => {
        const now = bot.clock.now() + 200 * 24 * 60 * 60_000;
        return forgetContacts(trx, { before: now - 180 * 24 * 60 * 60_000, now, limit: 1_000 });
      });
    await forgetAll();
    expect([...(await keysOf('session')), ...(await keysOf('lid-mapping'))]).toEqual([]);
    expect((await keysOf('pre-key')).length).toBeGreaterThan(0);
    await sendTo(bot, bot.id, ADA, 'on the same connection');

    await forgetAll();
    const received: string[] = [];
    bot.sessions.on('open', (_, socket) => {
      socket.ev.on('messages.upsert', ({ messages }) => {
        for (const { message } of messages) received.push(message?.conversation ?? '');
      });
    });
    await bot.sessions.command(bot.projectId, bot.id, 'restart', actorNamed('test'));
    await bot.reaches(bot.id, 'open');
    await eventually(() => bot.device.online);
    await bot.whatsapp.phone(ADA).send(OWN, 'are you there?');
    await eventually(() => received.includes('are you there?'));
    await sendTo(bot, bot.id, ADA, 'on the next');
    expect(bot.whatsapp.phone(ADA).unreadable).toEqual([]);
  });
});

describe('a connection that does not come about', () => {
  test('after an HTTP error at the door is tried again', async () => {
    const bot = await startLinked();
    bot.whatsapp.door = 503;
    bot.device.drop();
    await bot.reaches(bot.id, 'reconnecting');
    await bot.clock.advance(1_000);
    await eventually(() => bot.last().reason?.includes('HTTP 503') === true);
    expect(bot.session(bot.id).state).toBe('reconnecting');
  });

  test('and stays silent is given up after 45 seconds', async () => {
    const bot = await startLinked();
    bot.whatsapp.door = 'silent';
    bot.device.drop();
    await bot.reaches(bot.id, 'reconnecting');
    await bot.clock.advance(1_000);
    await bot.reaches(bot.id, 'connecting');
    await bot.clock.advance(45_000);
    await bot.reaches(bot.id, 'reconnecting');
    bot.whatsapp.door = 'open';
    await bot.clock.advance(4_000);
    await bot.reaches(bot.id, 'open');
  });

  test('for an hour is tried fewer than 60 times', async () => {
    const bot = await startLinked();
    bot.device.loginFailure = 503;
    bot.device.drop();
    await bot.reaches(bot.id, 'reconnecting');
    const before = bot.device.logins;
    const attempts = () => bot.changes.filter(({ to }) => to === 'connecting').length;
    const first = attempts();
    const end = bot.clock.now() + 60 * 60_000;
    while (bot.clock.now() < end) {
      await bot.clock.advance(bot.last().nextAttemptAt! - bot.clock.now());
      await bot.reaches(bot.id, 'reconnecting');
    }
    expect(attempts() - first).toBeGreaterThan(10);
    expect(attempts() - first).toBeLessThan(60);
    expect(bot.device.logins).toBe(before);
  });
});

describe('an open connection that answers nothing', () => {
  test('is degraded within 60 seconds, and open again with the first answer', async () => {
    const bot = await startLinked();
    bot.device.answers = ({ child }) => (child === 'ping' ? { lost: true } : undefined);
    await bot.clock.advance(35_000);
    expect(bot.session(bot.id).state).toBe('degraded');
    expect(bot.session(bot.id).socket).toBeDefined();
    bot.device.answers = {};
    await bot.clock.advance(20_000);
    await bot.reaches(bot.id, 'open');
  });

  test('is replaced when it goes on', async () => {
    const bot = await startLinked();
    bot.device.blackHole = true;
    await bot.clock.advance(35_000);
    expect(bot.session(bot.id).state).toBe('degraded');
    await bot.clock.advance(35_000);
    expect(bot.session(bot.id).state).toBe('reconnecting');
    bot.device.blackHole = false;
    await bot.clock.advance(1_000);
    await bot.reaches(bot.id, 'open');
  });
});

describe('what the operator does', () => {
  test('a paused session disconnects and stays so, over a restart too, until it is resumed', async () => {
    let bot: SessionsUnderTest = await startLinked();
    const { id } = bot.session(bot.sessions.all()[0]!.id);
    await bot.sessions.command(bot.projectId, id, 'pause', actorNamed('test'));
    await bot.whatsapp.until(() => !bot.whatsapp.linked(OWN).online);
    expect(bot.sessions.status.isLinked(bot.projectId)).toBe(true);
    bot = await bot.crash();
    expect(bot.session(id).state).toBe('paused');
    await bot.sessions.command(bot.projectId, id, 'resume', actorNamed('test'));
    await bot.reaches(id, 'open');
    await expect(bot.sessions.command(bot.projectId, id, 'resume', actorNamed('test'))).rejects.toMatchObject(
      {
        code: 'CONFLICT',
      },
    );
  });

  test('a logout removes the device from the phone, and offline it says that it could not', async () => {
    const bot = await startLinked();
    await bot.sessions.command(bot.projectId, bot.id, 'logout', actorNamed('test'));
    await eventually(() => bot.whatsapp.phone(OWN).linked.length === 0);
    expect(bot.last()).toMatchObject({ to: 'logged_out', reason: expect.not.stringContaining('could not') });
    expect(bot.sessions.status.isLinked(bot.projectId)).toBe(false);

    const second = await bot.link(SECOND);
    await bot.sessions.command(bot.projectId, second, 'pause', actorNamed('test'));
    await bot.sessions.command(bot.projectId, second, 'logout', actorNamed('test'));
    expect(bot.last()).toMatchObject({
      to: 'logged_out',
      reason: expect.stringContaining('could not be notified'),
    });
  });

  test('a removed session is logged out and gone', async () => {
    const bot = await startLinked();
    await bot.sessions.remove(bot.projectId, bot.id, actorNamed('test'));
    await eventually(() => bot.whatsapp.phone(OWN).linked.length === 0);
    expect(bot.sessions.all()).toEqual([]);
    expect((await bot.sessions.list(bot.projectId, { limit: 50 })).sessions).toEqual([]);
    expect(await bot.database.reader.selectFrom('whatsapp_auth').selectAll().execute()).toEqual([]);
  });

  test('in mock mode nothing connects', async () => {
    const bot = await startSessions({ mockMode: true });
    await expect(
      bot.sessions.requestPairingCode(bot.projectId, 'ses_x', '4915', actorNamed('test')),
    ).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect(bot.whatsapp.connectionsEver).toBe(0);
  });
});

describe('a process that dies', () => {
  test('leaves a session that connects again without a new QR code, and whose phone reads everything', async () => {
    let bot: SessionsUnderTest = await startLinked();
    const id = bot.sessions.all()[0]!.id;
    for (let life = 1; life <= 3; life++) {
      // Cut off in the middle of sending: whatever has left must have its keys on disk.
      void Promise.allSettled(
        [ADA, SECOND, ADA].map((number, index) =>
          bot.session(id).socket!.sendMessage(bot.whatsapp.phone(number).jid, {
            text: `life ${life}, text ${index}`,
            linkPreview: null,
          }),
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 15 * life));
      bot = await bot.crash();
      await bot.reaches(id, 'open');
      for (const number of [ADA, SECOND]) await sendTo(bot, id, number, `after life ${life}`);
    }
    for (const number of [OWN, ADA, SECOND]) expect(bot.whatsapp.phone(number).unreadable).toEqual([]);
  });
});

describe('the linked phone', () => {
  const DAY_MS = 24 * 60 * 60_000;

  test('that was not seen for ten days is warned of, once a day, and no longer when it is seen', async () => {
    const bot = await startLinked();
    const warning = async () => (await bot.sessions.get(bot.projectId, bot.id)).warning;
    // Disconnected, it cannot be seen, and there is nothing to probe.
    await bot.sessions.command(bot.projectId, bot.id, 'pause', actorNamed('test'));
    bot.clock.set(bot.clock.now() + 9.9 * DAY_MS);
    expect(await warning()).toBeNull();
    bot.clock.set(bot.clock.now() + 0.2 * DAY_MS);
    expect(await warning()).toContain('10 days');
    const warned = async () => (await bot.eventTypes()).filter((type) => type === 'bot.phone_unseen').length;
    await bot.clock.advance(20 * 60 * 60_000);
    await eventually(async () => (await warned()) === 1);
    await bot.clock.advance(10 * 60 * 60_000);
    await eventually(async () => (await warned()) === 2);
  });

  test('is seen by what it sends itself', async () => {
    const bot = await startLinked();
    const seenAt = async () => (await bot.sessions.get(bot.projectId, bot.id)).phoneSeenAt!;
    const first = await seenAt();
    bot.clock.set(bot.clock.now() + 11 * DAY_MS);
    // The own phone confirms its copy of every message.
    await sendTo(bot, bot.id, ADA, 'a copy goes to the own phone');
    await eventually(async () => (await seenAt()) > first);
    expect((await bot.sessions.get(bot.projectId, bot.id)).warning).toBeNull();
  });
});

test('nothing secret is logged: no keys, no texts, no whole numbers', async () => {
  const bot = await startLinked();
  await sendTo(bot, bot.id, ADA, 'a secret text 481516');
  bot.device.disconnect(503);
  await bot.reaches(bot.id, 'reconnecting');
  const log = bot.logLines.join('');
  for (const secret of ['481516', OWN.slice(1), ADA.slice(1), 'private', 'advSecret', 'noiseKey']) {
    expect(log).not.toContain(secret);
  }
});
