import type { UserFacingSocketConfig } from 'baileys';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { testClock } from '../test-clock.ts';
import { type BareBaileys, bareBaileys } from './bare-baileys.ts';
import type { LinkedDevice } from './linked-device.ts';
import type { Phone, PhoneOptions } from './phone.ts';
import { quietLibsignal } from './quiet-libsignal.ts';
import { type FakeWhatsApp, type FakeWhatsAppOptions, startFakeWhatsApp } from './server.ts';

quietLibsignal();

const OWN = '+4915100000001';
const ADA = '+4915100000002';
const BOB = '+4915100000003';

type BaileysOptions = Partial<UserFacingSocketConfig>;

async function start(options?: FakeWhatsAppOptions): Promise<FakeWhatsApp> {
  const whatsapp = await startFakeWhatsApp(options);
  onTestFinished(() => whatsapp.stop());
  return whatsapp;
}

function client(whatsapp: FakeWhatsApp, options?: BaileysOptions): BareBaileys {
  const bot = bareBaileys(whatsapp.url, options);
  onTestFinished(() => bot.end());
  return bot;
}

/** A server with a paired bot that is online, the bot's own phone, and Ada's. */
interface World {
  whatsapp: FakeWhatsApp;
  bot: BareBaileys;
  own: Phone;
  device: LinkedDevice;
  ada: Phone;
}

/** A world of its own for one test. */
async function newWorld(options: FakeWhatsAppOptions & { baileys?: BaileysOptions } = {}): Promise<World> {
  const whatsapp = await start(options);
  const bot = client(whatsapp, options.baileys);
  return settle(whatsapp, bot);
}

async function settle(whatsapp: FakeWhatsApp, bot: BareBaileys): Promise<World> {
  const own = whatsapp.phone(OWN);
  await bot.pair(own);
  const device = whatsapp.linked(OWN);
  await whatsapp.until(() => device.online);
  return { whatsapp, bot, own, device, ada: whatsapp.phone(ADA) };
}

/** The world that tests share; each has an Ada of its own, and finds the bot online and everybody well-behaved. */
let shared: World;
beforeAll(async () => {
  const whatsapp = await startFakeWhatsApp();
  shared = await settle(whatsapp, bareBaileys(whatsapp.url));
});
afterAll(async () => {
  shared.bot.end();
  await shared.whatsapp.stop();
});

let phones = 0;
async function sharedWorld(ada: PhoneOptions = {}): Promise<World> {
  const { whatsapp, bot, own, device } = shared;
  device.acks = {};
  device.answers = {};
  device.loginFailure = undefined;
  device.blackHole = false;
  own.receipts = { delivered: 0, read: 'by hand', from: 'as addressed' };
  if (!bot.open) await bot.reconnect();
  await whatsapp.until(() => device.online);
  return { whatsapp, bot, own, device, ada: newPhone(whatsapp, ada) };
}

function newPhone(whatsapp: FakeWhatsApp, options?: PhoneOptions): Phone {
  phones += 1;
  return whatsapp.phone(`+4915200${String(phones).padStart(6, '0')}`, options);
}

/** The number without the +, as addresses carry it. */
const userOf = (phone: Phone) => phone.number.slice(1);

const textsOf = (phone: Phone) => phone.messages.map(({ text }) => text);

describe('pairing', () => {
  test('by QR code: the client is told to restart, and then logs in as a device of the phone', async () => {
    const { bot, own, device } = await newWorld();
    const states = bot.updates.map(({ qr, isNewLogin, connection, lastDisconnect }) => {
      const error = lastDisconnect?.error as { output: { statusCode: number } } | undefined;
      return qr ? 'qr' : isNewLogin ? 'new login' : (error?.output.statusCode ?? connection);
    });
    expect(states.filter((state) => state !== undefined)).toEqual([
      'connecting',
      'qr',
      'new login',
      515,
      'connecting',
      'open',
    ]);
    expect(bot.qr).toBeUndefined();
    expect(bot.socket.user).toMatchObject({ id: device.jid, lid: device.lid });
    expect(own.linked).toEqual([device]);
    expect(device).toMatchObject({ logins: 1, preKeys: 811, presence: undefined });
  });

  test('by code: a wrong one is noticed by the phone, and the right one still pairs', async () => {
    const whatsapp = await start();
    const own = whatsapp.phone(OWN);
    const bot = client(whatsapp);
    bot.connect();
    await bot.until(() => bot.qr !== undefined);
    await expect(own.enterCode('ABCD2345')).rejects.toThrow('no device has asked');
    const code = await bot.socket.requestPairingCode('4915100000001');
    expect(code).toMatch(/^[0-9A-Z]{8}$/);
    await whatsapp.until(() => own.codeRequested);

    await expect(own.enterCode('ABCD2345')).rejects.toThrow('the code is wrong');
    await own.enterCode(`${code.slice(0, 4)}-${code.slice(4).toLowerCase()}`);
    await bot.until(() => bot.closeCode === 515);
    await bot.reconnect();
    expect(bot.socket.user?.id).toBe(whatsapp.linked(OWN).jid);
  });

  test('needs the QR code of a client that is connected', async () => {
    const whatsapp = await start();
    const bot = client(whatsapp);
    bot.connect();
    await bot.until(() => bot.qr !== undefined);
    const [place, parts] = bot.qr!.split('#') as [string, string];
    const foreign = parts.split(',');
    foreign[1] = Buffer.alloc(32).toString('base64');
    await expect(whatsapp.phone(OWN).scanQr(`${place}#${foreign}`)).rejects.toThrow(
      'not those of the client',
    );
    bot.end();
    await whatsapp.until(() => whatsapp.unpaired === 0);
    await expect(whatsapp.phone(OWN).scanQr(bot.qr!)).rejects.toThrow('not valid');
  });

  test('runs out of QR codes with 408', async () => {
    const whatsapp = await start();
    const bot = client(whatsapp, { qrTimeout: 10 });
    bot.connect();
    await bot.until(() => bot.closeCode !== undefined);
    expect(bot.closeCode).toBe(408);
    expect(bot.updates.filter(({ qr }) => qr)).toHaveLength(6);
  });

  test('is refused with the code the test sets', async () => {
    const whatsapp = await start();
    whatsapp.registrationFailure = 405;
    const bot = client(whatsapp);
    bot.connect();
    await bot.until(() => bot.closeCode === 405);
  });

  test('ends with logout: the phone has no such device any more', async () => {
    const { whatsapp, bot, own } = await newWorld();
    await bot.socket.logout();
    await whatsapp.until(() => own.linked.length === 0);
    bot.connect();
    await bot.until(() => bot.closeCode === 401);
  });

  test('goes through the first synchronisation with a client that wants the history', async () => {
    const { bot, device } = await newWorld({
      baileys: { shouldSyncHistoryMessage: () => true },
    });
    await bot.until(() => bot.socket.authState.creds.accountSyncCounter === 1);
    expect(device.queries.filter(({ known }) => !known)).toEqual([]);
  });
});

describe('sending', () => {
  test('to new numbers and again to the same: the phones show the texts, the own phone a copy', async () => {
    const { whatsapp, bot, own, device, ada } = await sharedWorld();
    const phones = [ada, newPhone(whatsapp), newPhone(whatsapp)];
    for (const phone of phones) await bot.send(phone, `first to ${phone.number}`);
    const queries = () => device.queries.filter(({ xmlns }) => ['usync', 'encrypt'].includes(xmlns)).length;
    const queriesBefore = queries();
    for (const phone of phones) await bot.send(phone, `second to ${phone.number}`);

    await whatsapp.until(() => phones.every(({ messages }) => messages.length === 2));
    for (const phone of phones) {
      expect(textsOf(phone)).toEqual([`first to ${phone.number}`, `second to ${phone.number}`]);
      expect(phone.messages[0]).toMatchObject({ from: OWN, chat: OWN, devices: [0] });
    }
    const numbers = phones.map(({ number }) => number);
    const copies = () => own.messages.filter(({ chat }) => numbers.includes(chat));
    await whatsapp.until(() => copies().length === 6);
    expect(copies().map(({ chat }) => chat)).toEqual([...numbers, ...numbers]);
    expect(queries()).toBe(queriesBefore);
    await bot.until(() => copies().every(({ id }) => bot.acks.has(id)));
    expect(copies().map(({ id }) => bot.acks.get(id))).toEqual(Array(6).fill(undefined));
  });

  test('to an LID reaches the same phone', async () => {
    const { whatsapp, bot, ada } = await sharedWorld();
    const id = await bot.send(ada.lid, 'by LID');
    await whatsapp.until(() => textsOf(ada).includes('by LID'));
    await bot.until(() => bot.statuses(id).includes(3));
  });

  test('to a person with several devices: each of them reads and confirms it', async () => {
    const { whatsapp, bot, ada } = await sharedWorld({ devices: 3 });
    const receipts: string[] = [];
    bot.socket.ws.on('CB:receipt', ({ attrs }: { attrs: { from: string } }) => receipts.push(attrs.from));
    await bot.send(ada, 'everywhere');
    await whatsapp.until(() => ada.messages[0]?.devices.length === 3);
    expect(textsOf(ada)).toEqual(['everywhere']);
    const user = userOf(ada);
    await bot.until(() => receipts.filter((from) => from.startsWith(user)).length === 3);
    expect(receipts.filter((from) => from.startsWith(user)).sort()).toEqual([
      `${user}:1@s.whatsapp.net`,
      `${user}:2@s.whatsapp.net`,
      ada.jid,
    ]);
  });

  test('to a number that is not on WhatsApp reaches only the own phone', async () => {
    const { whatsapp, bot, own, ada } = await sharedWorld();
    const found = await bot.socket.onWhatsApp(ada.number, BOB);
    expect(found).toEqual([{ jid: ada.jid, exists: true }]);
    const id = await bot.send(`${BOB.slice(1)}@s.whatsapp.net`, 'to nobody');
    await whatsapp.until(() => textsOf(own).includes('to nobody'));
    expect(bot.statuses(id)).not.toContain(3);
  });

  test.each([
    ['Brazil', '+551187654321', '+5511987654321'],
    ['Mexico', '+5215512345678', '+525512345678'],
    ['Argentina', '+5491123456789', '+541123456789'],
  ])('finds a number of %s under the spelling WhatsApp has for it', async (_country, number, dialled) => {
    const { whatsapp, bot } = await sharedWorld();
    const phone = whatsapp.phone(number, { spellings: [dialled] });
    expect(await bot.socket.onWhatsApp(dialled)).toEqual([{ jid: phone.jid, exists: true }]);
    await bot.send(phone.jid, 'found');
    await whatsapp.until(() => textsOf(phone).includes('found'));
    expect(whatsapp.phone(dialled)).toBe(phone);
  });

  test('from two accounts, also to each other', async () => {
    const { whatsapp, bot, own, ada } = await newWorld();
    const second = client(whatsapp);
    const secondOwn = whatsapp.phone(BOB, { name: 'Bob' });
    await second.pair(secondOwn);
    await whatsapp.until(() => whatsapp.linked(BOB).presence === 'unavailable');
    expect(second.socket.user?.name).toBe('Bob');
    await Promise.all([bot.send(ada, 'from the first'), second.send(ada, 'from the second')]);
    await whatsapp.until(() => ada.messages.length === 2);
    expect(ada.messages.map(({ from, text }) => `${from} ${text}`).sort()).toEqual([
      `${OWN} from the first`,
      `${BOB} from the second`,
    ]);

    await bot.send(secondOwn, 'from bot to bot');
    const heard = () => second.received.find(({ message }) => message?.extendedTextMessage?.text);
    await second.until(() => heard() !== undefined);
    expect(heard()).toMatchObject({ key: { remoteJid: own.jid, fromMe: false } });
    await second.send(own, 'and back');
    await bot.until(() =>
      bot.received.some(({ message }) => message?.extendedTextMessage?.text === 'and back'),
    );
  });

  test('takes a one-time key of the client for each new session, and asks for more when few are left', async () => {
    const { whatsapp, bot, device } = await sharedWorld();
    const taken = device.preKeys;
    const user = { tag: 'user', attrs: { jid: device.jid } };
    await bot.socket.query({
      tag: 'iq',
      attrs: { xmlns: 'encrypt', type: 'get', to: '@s.whatsapp.net' },
      content: [{ tag: 'key', attrs: {}, content: Array.from({ length: taken - 4 }, () => user) }],
    });
    await whatsapp.until(() => device.preKeys === 4 + 5);
  });
});

describe('acknowledgements and receipts', () => {
  test('become statuses: the own phone 2, delivered 3, read 4, played 5', async () => {
    const { whatsapp, bot, own, ada } = await sharedWorld();
    own.receipts = { ...own.receipts, delivered: 'by hand' };
    ada.receipts = { ...ada.receipts, delivered: 'by hand' };
    const id = await bot.send(ada, 'watch this');
    await whatsapp.until(() => [ada, own].every((phone) => textsOf(phone).includes('watch this')));
    await bot.until(() => bot.acks.has(id));
    expect(bot.statuses(id)).toEqual([]);

    ada.deliver(id);
    await bot.until(() => bot.statuses(id).length === 1);
    ada.read(id);
    await bot.until(() => bot.statuses(id).length === 2);
    ada.play(id);
    await bot.until(() => bot.statuses(id).length === 3);
    ada.deliver(id);
    await bot.until(() => bot.statuses(id).length === 4);
    expect(bot.statuses(id)).toEqual([3, 4, 5, 3]);

    own.receipts = { ...own.receipts, delivered: 0 };
    const next = await bot.send(ada, 'and this');
    await bot.until(() => bot.statuses(next).length === 1);
    expect(bot.statuses(next)).toEqual([2]);
    await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0);
  });

  test('come from the LID when the phone is set so', async () => {
    const { bot, ada } = await sharedWorld();
    ada.receipts = { ...ada.receipts, from: 'lid' };
    const keys: string[] = [];
    bot.socket.ev.on('messages.update', (all) => keys.push(...all.map(({ key }) => key.remoteJid!)));
    const id = await bot.send(ada, 'by number');
    await bot.until(() => bot.statuses(id).includes(3));
    expect(keys).toContain(ada.lid);
  });

  test('wait for the clock when they have a delay', async () => {
    const clock = testClock();
    const { whatsapp, bot, device, ada } = await newWorld({ scheduler: clock });
    device.acks = { delayMs: 2000 };
    ada.receipts = { ...ada.receipts, delivered: 5000, read: 60_000 };
    const id = await bot.send(ada, 'slowly');
    await whatsapp.until(() => ada.messages.length === 1);
    await clock.advance(1999);
    expect(bot.acks.has(id)).toBe(false);
    await clock.advance(1);
    await bot.until(() => bot.acks.has(id));
    expect(bot.statuses(id)).not.toContain(3);
    await clock.advance(3000);
    await bot.until(() => bot.statuses(id).includes(3));
    await clock.advance(60_000);
    await bot.until(() => bot.statuses(id).includes(4));
  });

  test('with an error become status 0 with its code, and nobody gets the message', async () => {
    const { whatsapp, bot, device, ada } = await sharedWorld();
    const bob = newPhone(whatsapp);
    device.acks = ({ to }) => (to === bob.number ? { error: 463 } : { error: 479 });
    const restricted = await bot.send(bob, 'refused');
    await bot.until(() => bot.statuses(restricted).includes(0));
    expect(bot.details(restricted)).toEqual(['463', 'Your account has been restricted']);
    const invalid = await bot.send(ada, 'refused too');
    await bot.until(() => bot.statuses(invalid).includes(0));
    expect(bot.details(invalid)).toEqual(['479']);
    expect(bob.messages).toEqual([]);
    expect(ada.messages).toEqual([]);
  });

  test('that are lost leave a message without a status, though it arrived; sent again it is shown once', async () => {
    const { whatsapp, bot, device, own, ada } = await sharedWorld();
    device.acks = { lost: true };
    own.receipts = { ...own.receipts, delivered: 'by hand' };
    ada.receipts = { ...ada.receipts, delivered: 'by hand' };
    const id = await bot.send(ada, 'twice');
    await whatsapp.until(() => ada.messages.length === 1);
    expect(bot.acks.has(id)).toBe(false);
    expect(bot.statuses(id)).toEqual([]);

    device.acks = {};
    ada.receipts = { ...ada.receipts, delivered: 0 };
    await bot.send(ada, 'twice', id);
    await bot.until(() => bot.acks.has(id) && bot.statuses(id).includes(3));
    expect(textsOf(ada)).toEqual(['twice']);
  });

  test('wait for a phone that is off', async () => {
    const { whatsapp, bot, ada } = await sharedWorld();
    ada.on = false;
    const id = await bot.send(ada, 'later');
    await bot.until(() => bot.acks.has(id));
    expect(ada.messages).toEqual([]);
    ada.on = true;
    await whatsapp.until(() => ada.messages.length === 1);
    await bot.until(() => bot.statuses(id).includes(3));
  });

  test('ask for a message again that the phone could not read', async () => {
    const { whatsapp, bot, ada } = await sharedWorld();
    await bot.send(ada, 'readable');
    await whatsapp.until(() => ada.messages.length === 1);
    ada.forgetSessions();
    const id = await bot.send(ada, 'unreadable at first');
    await whatsapp.until(() => ada.messages.length === 2);
    expect(ada.messages[1]).toMatchObject({ id, text: 'unreadable at first' });
    expect(ada.unreadable).toEqual([{ id, from: OWN, device: 0, reason: expect.any(String) }]);
    await bot.until(() => bot.statuses(id).includes(3));
  });

  test('ask again for a message whose key was used before, as after a crash that lost the last state', async () => {
    const { whatsapp, bot, ada } = await sharedWorld();
    await bot.send(ada, 'first');
    const { keys } = bot.socket.authState;
    const address = `${ada.lid.split('@')[0]}_1.0`;
    const before = structuredClone(await keys.get('session', [address]));
    await bot.send(ada, 'second');
    await whatsapp.until(() => ada.messages.length === 2);
    await keys.set({ session: before });
    const id = await bot.send(ada, 'third');
    await whatsapp.until(() => ada.messages.length === 3);
    expect(ada.unreadable).toEqual([
      { id, from: OWN, device: 0, reason: 'Key used already or never filled' },
    ]);
    expect(textsOf(ada)).toEqual(['first', 'second', 'third']);
  });

  test('ask after a reconnect too, where only the application has the text', async () => {
    const asked: string[] = [];
    const { whatsapp, bot, ada } = await newWorld({
      baileys: {
        getMessage: async ({ id }) => {
          asked.push(id!);
          return { extendedTextMessage: { text: 'from the database' } };
        },
      },
    });
    await bot.send(ada, 'readable');
    await whatsapp.until(() => ada.messages.length === 1);
    ada.forgetSessions();
    ada.on = false;
    const id = await bot.send(ada, 'from the database');
    await bot.until(() => bot.acks.has(id));
    bot.end();
    await bot.reconnect();
    ada.on = true;
    await whatsapp.until(() => ada.messages.length === 2);
    expect(asked).toEqual([id]);
    expect(textsOf(ada)).toEqual(['readable', 'from the database']);
  });
});

describe('receiving', () => {
  const heardBy = async (bot: BareBaileys, id: string) => {
    await bot.until(() => bot.received.some(({ key, message }) => key.id === id && message != null));
    return bot.received.find(({ key, message }) => key.id === id && message != null)!;
  };

  test.each(['lid', 'pn'] as const)(
    'from a stranger, addressed by %s, who is then answered',
    async (addressing) => {
      const { whatsapp, bot, ada } = await sharedWorld();
      const id = await ada.send(OWN, 'who are you?', { addressing });
      const [remoteJid, remoteJidAlt] = addressing === 'lid' ? [ada.lid, ada.jid] : [ada.jid, ada.lid];
      const heard = await heardBy(bot, id);
      expect(heard).toMatchObject({
        key: { remoteJid, remoteJidAlt, fromMe: false },
        message: { conversation: 'who are you?' },
      });
      await whatsapp.until(() => ada.sent[0]!.receipts.length === 1);
      expect(ada.sent[0]!.receipts).toEqual(['inactive']);

      await bot.send(remoteJid, 'a bot');
      await whatsapp.until(() => textsOf(ada).includes('a bot'));
      await heardBy(bot, await ada.send(OWN, 'I see', { addressing }));
      expect(ada.unreadable).toEqual([]);
    },
  );

  test('in a group and as a status update', async () => {
    const { bot, ada } = await sharedWorld();
    for (const group of ['120363000000000001@g.us', 'status@broadcast']) {
      for (const text of ['to all', 'to all again']) {
        const heard = await heardBy(bot, await ada.send(OWN, text, { group }));
        expect(heard).toMatchObject({
          key: { remoteJid: group, participant: ada.lid },
          message: { conversation: text },
        });
      }
    }
  });

  test('of what the own phone writes to others', async () => {
    const { bot, own, ada } = await sharedWorld();
    const heard = await heardBy(bot, await own.send(ada.number, 'written by hand'));
    expect(heard).toMatchObject({ key: { remoteJid: ada.lid, fromMe: true } });
    expect(textsOf(ada)).toEqual(['written by hand']);
  });

  test('of an unreadable message: the client asks again and gets it', async () => {
    const { whatsapp, bot, ada } = await sharedWorld();
    await heardBy(bot, await ada.send(OWN, 'readable'));
    const id = await ada.send(OWN, 'spoilt on the way', { unreadable: true });
    expect(await heardBy(bot, id)).toMatchObject({ message: { conversation: 'spoilt on the way' } });
    await whatsapp.until(() => ada.sent[1]!.receipts.at(-1) === 'inactive');
    expect(ada.sent[1]!.receipts).toEqual(['retry', 'inactive']);
  });

  test('of what came while the client was away, when it is back', async () => {
    const { whatsapp, bot, device, ada } = await sharedWorld();
    const id = await bot.send(ada, 'are you there?');
    await bot.until(() => bot.statuses(id).includes(3));
    await whatsapp.until(() => device.unacknowledged === 0);
    bot.end();
    await whatsapp.until(() => !device.online);
    ada.read(id);
    const reply = await ada.send(OWN, 'yes');
    expect(device.unacknowledged).toBe(2);

    await bot.reconnect();
    const types: string[] = [];
    bot.socket.ev.on('messages.upsert', ({ type }) => types.push(type));
    await heardBy(bot, reply);
    await bot.until(() => bot.statuses(id).includes(4));
    expect(types).toEqual(['append']);
    await whatsapp.until(() => device.unacknowledged === 0);
  });
});

describe('restrictions', () => {
  test('are told when asked for, and announced', async () => {
    const { bot, own } = await sharedWorld();
    const { socket } = bot;
    expect(await socket.fetchAccountReachoutTimelock()).toEqual({
      isActive: false,
      enforcementType: 'DEFAULT',
    });
    expect(await socket.fetchNewChatMessageCap()).toMatchObject({ capping_status: 'NONE' });

    const caps: unknown[] = [];
    socket.ev.on('message-capping.update', (cap) => caps.push(cap));
    own.restrict({
      reachoutTimelock: { endsAt: 1_800_000_000, type: 'WEB_COMPANION_ONLY' },
      newChats: { quota: 250, used: 250, status: 'CAPPED' },
    });
    const lock = {
      isActive: true,
      timeEnforcementEnds: new Date(1_800_000_000_000),
      enforcementType: 'WEB_COMPANION_ONLY',
    };
    await bot.until(() => bot.updates.at(-1)?.reachoutTimeLock?.isActive === true && caps.length > 0);
    expect(bot.updates.at(-1)!.reachoutTimeLock).toEqual(lock);
    expect(caps).toMatchObject([{ total_quota: 250, used_quota: 250, capping_status: 'CAPPED' }]);
    expect(await socket.fetchAccountReachoutTimelock()).toEqual(lock);
    expect(await socket.fetchNewChatMessageCap()).toMatchObject({ capping_status: 'CAPPED' });
  });
});

describe('faults', () => {
  test('a dropped connection closes with 428; the next one sends', async () => {
    const { whatsapp, bot, ada } = await sharedWorld();
    await bot.send(ada, 'before');
    await whatsapp.until(() => ada.messages.length === 1);
    whatsapp.dropConnections();
    await bot.until(() => bot.closeCode === 428);
    await bot.reconnect();
    const id = await bot.send(ada, 'after');
    await bot.until(() => bot.statuses(id).includes(3));
    expect(textsOf(ada)).toEqual(['before', 'after']);
  });

  test('a session ends with the code the test wants; the last one removes the device', async () => {
    const { whatsapp, bot, device } = await newWorld();
    for (const code of [515, 403, 408, 440, 428, 500, 503, 405, 411]) {
      device.disconnect(code);
      await bot.until(() => bot.closeCode !== undefined);
      expect(bot.closeCode).toBe(code);
      await bot.reconnect();
      await whatsapp.until(() => device.online);
    }
    device.disconnect(401);
    await bot.until(() => bot.closeCode === 401);
    bot.connect();
    await bot.until(() => bot.closeCode === 401);
  });

  test('a login is refused as long as the test wants', async () => {
    const { bot, device } = await sharedWorld();
    bot.end();
    for (const code of [403, 503]) {
      device.loginFailure = code;
      bot.connect();
      await bot.until(() => bot.closeCode === code);
    }
    device.loginFailure = undefined;
    await bot.reconnect();
  });

  test('another client with the same credentials replaces the first', async () => {
    const { bot } = await sharedWorld();
    const codes: number[] = [];
    bot.socket.ev.on('connection.update', ({ lastDisconnect }) => {
      const error = lastDisconnect?.error as { output: { statusCode: number } } | undefined;
      if (error) codes.push(error.output.statusCode);
    });
    await bot.reconnect();
    expect(codes).toEqual([440]);
  });

  test('a black hole takes a message that never arrives; sent again with its id it does', async () => {
    const { whatsapp, bot, device, ada } = await sharedWorld();
    await bot.send(ada, 'before');
    await whatsapp.until(() => ada.messages.length === 1);
    device.blackHole = true;
    const id = await bot.send(ada, 'into the hole');
    device.drop();
    await bot.until(() => bot.closeCode === 428);
    const logins = device.logins;
    bot.connect();
    await whatsapp.until(() => device.logins === logins + 1);
    expect([bot.open, device.online]).toEqual([false, false]);

    bot.end();
    device.blackHole = false;
    await bot.reconnect();
    expect(textsOf(ada)).toEqual(['before']);
    await bot.send(ada, 'into the hole', id);
    await bot.until(() => bot.statuses(id).includes(3));
    expect(textsOf(ada)).toEqual(['before', 'into the hole']);
  });

  test('a dead line carries nothing, not even the end of the connection', async () => {
    const { whatsapp, bot, device, ada } = await sharedWorld();
    await bot.send(ada, 'heard');
    await whatsapp.until(() => ada.messages.length === 1);
    device.freeze();
    await bot.send(ada, 'unheard');
    bot.end();
    expect(device.online).toBe(true);
    device.drop();
    await whatsapp.until(() => !device.online);
    await bot.until(() => !bot.open);
    expect(textsOf(ada)).toEqual(['heard']);
  });

  test('a receipt that was not acknowledged comes again on the next connection', async () => {
    const { whatsapp, bot, device, ada } = await sharedWorld();
    const id = await bot.send(ada, 'once');
    await bot.until(() => bot.statuses(id).includes(3));
    await whatsapp.until(() => device.unacknowledged === 0);
    ada.read(id);
    device.blackHole = true;
    await bot.until(() => bot.statuses(id).includes(4));
    expect(device.unacknowledged).toBe(1);
    device.drop();
    await bot.until(() => bot.closeCode === 428);

    device.blackHole = false;
    await bot.reconnect();
    await bot.until(() => bot.statuses(id).filter((status) => status === 4).length === 2);
    await whatsapp.until(() => device.unacknowledged === 0);
  });

  test('a query is refused, delayed or left without an answer', async () => {
    const { bot, device, ada } = await newWorld({ baileys: { defaultQueryTimeoutMs: 100 } });
    device.answers = ({ xmlns }) => (xmlns === 'usync' ? { error: 429 } : undefined);
    await expect(bot.send(ada, 'too many')).rejects.toMatchObject({ message: 'rate-overlimit', data: 429 });
    device.answers = ({ child }) => (child === 'ping' ? { lost: true } : undefined);
    expect(await bot.socket.waitForMessage('never')).toBeUndefined();
    device.answers = { delayMs: 1 };
    expect(await bot.socket.onWhatsApp(ada.number)).toEqual([{ jid: ada.jid, exists: true }]);
  });

  test('an unknown query is answered with nothing in it, and noted', async () => {
    const { bot, device } = await sharedWorld();
    const answer = await bot.socket.query({
      tag: 'iq',
      attrs: { xmlns: 'w:new', type: 'get', to: 'x@s.whatsapp.net' },
    });
    expect(answer).toMatchObject({ tag: 'iq', attrs: { type: 'result' } });
    expect(device.queries.filter(({ known }) => !known)).toEqual([
      { xmlns: 'w:new', type: 'get', child: '', known: false },
    ]);
  });

  test('an HTTP error or no answer at the door leaves the client connecting', async () => {
    const { whatsapp, bot, ada } = await sharedWorld();
    bot.end();
    for (const door of [503, 'silent'] as const) {
      whatsapp.door = door;
      const before = whatsapp.connectionsEver;
      bot.connect();
      await whatsapp.until(() => whatsapp.connectionsEver === before + 1);
      if (door === 503) await whatsapp.until(() => whatsapp.connections === 0);
      expect([bot.open, bot.closeCode]).toEqual([false, undefined]);
      bot.end();
    }
    whatsapp.door = 'open';
    await bot.reconnect();
    await bot.send(ada, 'open again');
    await whatsapp.until(() => ada.messages.length === 1);
  });

  test('a server that is gone refuses; it comes back on the same address', async () => {
    const { whatsapp, bot } = await sharedWorld();
    await whatsapp.goAway();
    await bot.until(() => bot.closeCode === 428);
    bot.connect();
    await bot.until(() => bot.closeCode !== undefined);
    await whatsapp.comeBack();
    await bot.reconnect();
  });

  test('stopping ends every connection and everyone who waits', async () => {
    const whatsapp = await startFakeWhatsApp();
    const bot = client(whatsapp);
    await bot.pair(whatsapp.phone(OWN));
    const waiting = expect(whatsapp.until(() => false)).rejects.toThrow('never saw');
    await whatsapp.stop();
    await waiting;
    expect(whatsapp.connections).toBe(0);
    await bot.until(() => bot.closeCode === 428);
  });
});
