import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { PhoneOptions } from '../../../test/support/fake-whatsapp/phone.ts';
import { quietLibsignal } from '../../../test/support/fake-whatsapp/quiet-libsignal.ts';
import { type FakeWhatsApp, startFakeWhatsApp } from '../../../test/support/fake-whatsapp/server.ts';
import { type LinkedSessions, linkedSessions } from '../../../test/support/linked-sessions.ts';
import { silentLog } from '../../../test/support/silent-log.ts';
import { settle, testClock } from '../../../test/support/test-clock.ts';
import { openTestDatabase } from '../../../test/support/test-database.ts';
import { eventually } from '../../../test/support/whatsapp-sessions.ts';
import type { Database } from '../../database/database.ts';
import { newId } from '../../lib/id.ts';
import { SendError } from '../channel.ts';
import { WhatsAppChannel } from './channel.ts';
import { numberDirectory } from './number-directory.ts';
import type { PacingRules } from './pacing.ts';
import { suppression } from './suppression.ts';
import { codeWireIdOf, wireIdOf } from './wire-id.ts';

quietLibsignal();

const OWN = '+4915100000001';
const OTHER = '+4915100000002';
const MINUTE_MS = 60_000;
const UNPACED: PacingRules = { ratePerSecond: 10_000, burst: 10_000, dailyCap: 10_000_000, warmUp: false };

let database: Database;
let whatsapp: FakeWhatsApp;
let linked: LinkedSessions;
let closeDatabase: () => Promise<void>;
beforeAll(async () => {
  ({ database, close: closeDatabase } = await openTestDatabase());
  whatsapp = await startFakeWhatsApp();
  linked = linkedSessions(whatsapp);
  for (const number of [OWN, OTHER]) await linked.link(number);
});
afterAll(async () => {
  linked.end();
  await whatsapp.stop();
  await closeDatabase();
});

let phonesMade = 0;
const newPhone = (options?: PhoneOptions) => {
  phonesMade += 1;
  return whatsapp.phone(`+4915200${String(phonesMade).padStart(6, '0')}`, options);
};

/** The channel over the first, or the first two, of the linked numbers. */
async function setUp({
  numbers = 1,
  pacing = {},
  codeOf,
}: {
  numbers?: 1 | 2;
  pacing?: Partial<PacingRules>;
  codeOf?: (messageId: string) => Promise<string | undefined>;
} = {}) {
  const clock = testClock();
  const sessions = linked.all().slice(0, numbers);
  const directory = numberDirectory(database, clock);
  const optOuts = suppression(database);
  const receipts: string[] = [];
  const makeChannel = async (before: { isReady: false } | undefined = undefined) => {
    const channel = new WhatsAppChannel({
      sessions: { ...linked, all: () => (before ? [] : sessions), ...before },
      suppression: optOuts,
      directory,
      checkNumbers: true,
      pacing: { ...UNPACED, ...pacing },
      codeOf,
      database,
      clock,
      log: silentLog,
    });
    await channel.start({ onReceipt: (id, status) => void receipts.push(`${id} ${status}`) });
    await settle();
    return channel;
  };
  const channel = await makeChannel();
  onTestFinished(async () => {
    await channel.stop();
    for (const { number } of linked.all()) {
      whatsapp.linked(number!).acks = {};
      whatsapp.linked(number!).answers = {};
      whatsapp.phone(number!).restrict({});
    }
    await database.transaction(async (trx) => {
      for (const table of ['whatsapp_senders', 'whatsapp_chats', 'suppressed_numbers'] as const) {
        await trx.deleteFrom(table).execute();
      }
    });
  });

  const message = (to: string, text = `code for ${to}`) => ({
    id: newId('msg', clock.now()),
    projectId: 'prj_test',
    to,
    text,
  });
  const signal = () => new AbortController().signal;
  return {
    clock,
    sessions,
    channel,
    makeChannel,
    receipts,
    directory,
    optOuts,
    message,
    device: whatsapp.linked(OWN),
    other: whatsapp.linked(OTHER),
    /** Sends and resolves to the message, once WhatsApp has acknowledged it. */
    async send(to: string, text?: string) {
      const sent = message(to, text);
      await channel.send(sent, signal());
      return sent;
    },
    /** Sends and resolves to how it failed. */
    async failure(to: string): Promise<SendError> {
      const outcome = await channel.send(message(to), signal()).catch((error: unknown) => error);
      expect(outcome).toBeInstanceOf(SendError);
      return outcome as SendError;
    },
  };
}

/** How many queries a device has made, by what they ask. */
function queriesOf(number = OWN): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { xmlns, child } of whatsapp.linked(number).queries) {
    const name = xmlns === 'encrypt' ? `encrypt ${child}` : xmlns;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

describe('a message', () => {
  test('is sent when WhatsApp has acknowledged it, under the id that was stored, and the phone shows it', async () => {
    const { send, device } = await setUp();
    const phone = newPhone();
    const acknowledged: string[] = [];
    device.acks = ({ id }) => {
      acknowledged.push(id);
      return undefined;
    };
    const { id } = await send(phone.number, 'Your code is 481516.');
    expect(acknowledged).toEqual([wireIdOf(id)]);
    await whatsapp.until(() => phone.messages.length === 1);
    expect(phone.messages[0]).toMatchObject({ id: wireIdOf(id), from: OWN, text: 'Your code is 481516.' });
  });

  test('goes to the LID of its number', async () => {
    const { send, sessions } = await setUp();
    const phone = newPhone();
    const to: string[] = [];
    sessions[0]!.socket!.ws.on('CB:ack,class:message', ({ attrs }: { attrs: { from: string } }) =>
      to.push(attrs.from),
    );
    await send(phone.number);
    expect(to).toEqual([phone.lid]);
    await whatsapp.until(() => phone.messages.length === 1);
  });

  test('to many new numbers asks for all of them together; to known ones for nothing', async () => {
    const { send } = await setUp();
    const phones = Array.from({ length: 20 }, () => newPhone());
    const before = queriesOf();
    await Promise.all(phones.map(({ number }) => send(number)));
    const after = queriesOf();
    // They come in two or three portions, as the database answers; the client alone would ask 60 and 20 times.
    expect(after.usync! - (before.usync ?? 0)).toBeLessThanOrEqual(9);
    expect(after['encrypt key']! - (before['encrypt key'] ?? 0)).toBeLessThanOrEqual(4);

    await Promise.all(phones.map(({ number }) => send(number, 'again')));
    expect(queriesOf()).toMatchObject({ usync: after.usync, 'encrypt key': after['encrypt key'] });
    await whatsapp.until(() => phones.every(({ messages }) => messages.length === 2));
    expect(phones.flatMap(({ unreadable }) => unreadable)).toEqual([]);
  });

  test('gives the recipient the token to write back with once, and not with every message', async () => {
    const { send, clock } = await setUp();
    // The client looks at the machine's clock for this.
    clock.set(Date.now());
    const phone = newPhone();
    const before = queriesOf().privacy ?? 0;
    for (const text of ['first', 'second', 'third']) {
      await send(phone.number, text);
      await whatsapp.until(() => phone.messages.some((message) => message.text === text));
      await settle();
    }
    expect(queriesOf().privacy! - before).toBe(1);
  });

  test('to a person with several devices can be read on each', async () => {
    const { send } = await setUp();
    const phone = newPhone({ devices: 3 });
    await send(phone.number);
    await whatsapp.until(() => phone.messages[0]?.devices.length === 3);
  });

  test.each([
    ['Brazil', '+551187654321', '+5511987654321'],
    ['Mexico', '+5215512345678', '+525512345678'],
    ['Argentina', '+5491123456789', '+541123456789'],
  ])('to %s finds the spelling that WhatsApp has', async (_country, number, dialled) => {
    const { send } = await setUp();
    const phone = whatsapp.phone(number, { spellings: [dialled] });
    await send(dialled);
    await whatsapp.until(() => phone.messages.length === 1);
  });

  test('to a number that is not on WhatsApp fails for good, and later ones without asking', async () => {
    const { failure, directory } = await setUp();
    const number = '+4915200999999';
    expect(directory.isAbsent(number)).toBe(false);
    expect(await failure(number)).toMatchObject({
      failure: 'permanent',
      reason: 'PHONE_NOT_ON_WHATSAPP: nobody uses WhatsApp with this number.',
    });
    const asked = queriesOf().usync;
    expect(await failure(number)).toMatchObject({ failure: 'permanent' });
    expect(queriesOf().usync).toBe(asked);
    expect(directory.isAbsent(number)).toBe(true);
  });

  test('goes out unchecked when WhatsApp does not say who is on it', async () => {
    const { send, device } = await setUp();
    const phone = newPhone();
    let refusals = 0;
    device.answers = ({ xmlns }) => {
      if (xmlns !== 'usync' || refusals > 0) return undefined;
      refusals += 1;
      return { error: 429 };
    };
    await send(phone.number);
    expect(refusals).toBe(1);
    await whatsapp.until(() => phone.messages.length === 1);
  });

  test('to a number that opted out is not sent', async () => {
    const { failure, optOuts } = await setUp();
    const phone = newPhone();
    await database.transaction((trx) => optOuts.add(trx, 'prj_test', phone.number, 1));
    expect(await failure(phone.number)).toMatchObject({
      failure: 'permanent',
      reason: expect.stringContaining('PHONE_OPTED_OUT'),
    });
    expect(phone.messages).toEqual([]);
  });
});

describe('the bare code', () => {
  const codeOf = async () => '481516';

  test('follows its message, each once under an id of its own, also when the try is repeated', async () => {
    const { channel, message } = await setUp({ codeOf });
    const phone = newPhone();
    const sent = message(phone.number, 'Your code is *481516*.');
    for (let tries = 0; tries < 2; tries++) await channel.send(sent, new AbortController().signal);
    await whatsapp.until(() => phone.messages.length === 2);
    await settle();
    expect(phone.messages.map(({ id, text }) => [id, text])).toEqual([
      [wireIdOf(sent.id), 'Your code is *481516*.'],
      [codeWireIdOf(sent.id), '481516'],
    ]);
  });

  test('has receipts that are not taken for those of its message', async () => {
    const { send, receipts } = await setUp({ codeOf });
    const phone = newPhone();
    phone.receipts = { ...phone.receipts, delivered: 'by hand' };
    const { id } = await send(phone.number);
    await whatsapp.until(() => phone.messages.length === 2);
    phone.deliver(codeWireIdOf(id));
    phone.read(codeWireIdOf(id));
    phone.deliver(wireIdOf(id));
    await whatsapp.until(() => receipts.length > 0);
    await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0);
    expect(receipts).toEqual([`${id} delivered`]);
  });

  test('is left out when the code has ended by then, or WhatsApp refuses it; the message is sent all the same', async () => {
    const { send, device, channel, sessions } = await setUp({
      codeOf: async (id) => (codes.get(id) === 'over' ? undefined : '481516'),
    });
    const codes = new Map<string, string>();
    const phone = newPhone();
    const copies: string[] = [];
    device.acks = ({ id }) => {
      copies.push(id);
      return copies.length === 2 ? { error: 400 } : undefined;
    };
    const refused = await send(phone.number);
    await whatsapp.until(() => copies.length === 2);
    await eventually(() => channel.sender(sessions[0]!.id)!.inHand === 0);
    const next = newId('msg', 0);
    codes.set(next, 'over');
    const rest = { projectId: 'prj_test', to: phone.number, text: 'the code is over' };
    await channel.send({ id: next, ...rest }, new AbortController().signal);
    await eventually(() => channel.sender(sessions[0]!.id)!.inHand === 0);
    expect(copies).toEqual([wireIdOf(refused.id), codeWireIdOf(refused.id), wireIdOf(next)]);
    await whatsapp.until(() => phone.messages.length === 2);
  });

  test('does not follow a message that was refused', async () => {
    const { failure, device, channel, sessions } = await setUp({ codeOf });
    const phone = newPhone();
    let copies = 0;
    device.acks = () => {
      copies += 1;
      return { error: 400 };
    };
    await failure(phone.number);
    await settle();
    expect([copies, channel.sender(sessions[0]!.id)!.inHand]).toEqual([1, 0]);
  });

  test('goes out right after its message, and counts for the rate and the cap', async () => {
    const pacing = { ratePerSecond: 1, burst: 3, dailyCap: 10 };
    const { send, channel, sessions, clock } = await setUp({ codeOf, pacing });
    const phone = newPhone();
    const sending = send(phone.number);
    await clock.advance(500);
    await sending;
    await whatsapp.until(() => phone.messages.length === 2);
    await eventually(() => channel.sender(sessions[0]!.id)!.inHand === 0);
    expect(channel.sender(sessions[0]!.id)!.leftToday).toBe(8);
    // Eight turns in five seconds, of which two are used.
    expect(channel.capabilities.concurrency).toBe(6);
  });
});

describe('the acknowledgement', () => {
  test('that does not come in 8 seconds makes the message leave again under its id: it is shown once', async () => {
    const { clock, channel, message, device } = await setUp();
    const phone = newPhone();
    device.acks = { lost: true };
    const sent = message(phone.number);
    const sending = channel.send(sent, new AbortController().signal);
    await whatsapp.until(() => phone.messages.length === 1);
    await settle();
    device.acks = {};
    phone.receipts = { ...phone.receipts, delivered: 'by hand' };
    await clock.advance(8_000);
    await sending;
    expect(phone.messages).toMatchObject([{ id: wireIdOf(sent.id) }]);
  });

  test('that never comes fails the try after the second time', async () => {
    const { clock, failure, device } = await setUp();
    const phone = newPhone();
    phone.receipts = { ...phone.receipts, delivered: 'by hand' };
    whatsapp.phone(OWN).receipts = { ...phone.receipts, delivered: 'by hand' };
    let copies = 0;
    device.acks = () => {
      copies += 1;
      return { lost: true };
    };
    const failing = failure(phone.number);
    for (const copy of [1, 2]) {
      await whatsapp.until(() => copies === copy);
      await settle();
      await clock.advance(8_000);
    }
    expect(await failing).toMatchObject({
      failure: 'temporary',
      reason: expect.stringContaining('WHATSAPP_NO_ACK'),
    });
  });

  test('may be told by a receipt instead', async () => {
    const { send, device, receipts } = await setUp();
    const phone = newPhone();
    device.acks = { lost: true };
    const { id } = await send(phone.number);
    await whatsapp.until(() => receipts.includes(`${id} delivered`));
  });

  test.each([
    [479, 'temporary', 'WHATSAPP_STANZA_REFUSED (479): '],
    [400, 'permanent', 'WHATSAPP_BAD_REQUEST (400): '],
    [499, 'temporary', 'WHATSAPP_REFUSED (499): WhatsApp refused the message.'],
  ])('with error %s has a code and a sentence of its own', async (error, kind, reason) => {
    const { failure, device } = await setUp();
    const phone = newPhone();
    device.acks = { error };
    const failed = await failure(phone.number);
    expect(failed).toMatchObject({ failure: kind, reason: expect.stringContaining(reason) });
    expect(phone.messages).toEqual([]);
  });

  test('429 lets the number rest for a minute; the message waits', async () => {
    const { failure, device, channel, clock, send } = await setUp();
    const phone = newPhone();
    device.acks = { error: 429 };
    expect(await failure(phone.number)).toMatchObject({
      failure: 'unavailable',
      reason: 'WHATSAPP_TOO_MANY: WhatsApp asked the linked number to do less; it rests for a minute.',
    });
    expect(channel.capabilities.concurrency).toBe(0);
    device.acks = {};
    await clock.advance(MINUTE_MS);
    await send(phone.number);
  });

  test('479 makes the next try ask for devices and keys anew', async () => {
    const { send, failure, device } = await setUp();
    const phone = newPhone();
    await send(phone.number);
    device.acks = { error: 479 };
    expect((await failure(phone.number)).failure).toBe('temporary');
    device.acks = {};
    const before = queriesOf()['encrypt key']!;
    await send(phone.number, 'anew');
    expect(queriesOf()['encrypt key']).toBe(before + 1);
    await whatsapp.until(() => phone.messages.some(({ text }) => text === 'anew'));
    expect(phone.unreadable).toEqual([]);
  });
});

describe('receipts', () => {
  test('tell delivered and read, whatever their order and however often', async () => {
    const { send, receipts } = await setUp();
    const phone = newPhone();
    phone.receipts = { ...phone.receipts, delivered: 'by hand' };
    const { id } = await send(phone.number);
    await whatsapp.until(() => phone.messages.length === 1);
    const wireId = wireIdOf(id);
    phone.play(wireId);
    phone.deliver(wireId);
    phone.deliver(wireId);
    phone.read(wireId);
    await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0);
    const ofThisOne = receipts.filter((receipt) => receipt.startsWith(id));
    expect(ofThisOne).toEqual(['read', 'delivered', 'delivered', 'read'].map((status) => `${id} ${status}`));
  });

  test('of messages that others wrote are no business of ours', async () => {
    const { sessions, receipts } = await setUp();
    const phone = newPhone();
    await sessions[0]!.bot.send(phone.jid, 'written by hand');
    await whatsapp.until(() => phone.messages.length === 1);
    await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0);
    expect(receipts).toEqual([]);
  });
});

describe('a lost connection', () => {
  const INTERRUPTED =
    'WHATSAPP_NOT_CONNECTED: the connection to WhatsApp is interrupted; it comes back by itself.';

  test('gives the message back without a try, and the next connection sends it', async () => {
    const { sessions, channel, message, device } = await setUp();
    const phone = newPhone();
    phone.on = false;
    const copies: string[] = [];
    device.acks = ({ id }) => {
      copies.push(id);
      return { lost: true };
    };
    const sent = message(phone.number);
    const failing = channel.send(sent, new AbortController().signal).catch((error: unknown) => error);
    await whatsapp.until(() => copies.length === 1);
    device.drop();
    expect(await failing).toMatchObject({ failure: 'unavailable', reason: INTERRUPTED });
    expect(channel.waitReason).toBe(INTERRUPTED);

    device.acks = {};
    phone.on = true;
    await sessions[0]!.reconnect();
    await settle();
    expect(channel.waitReason).toBeUndefined();
    await channel.send(sent, new AbortController().signal);
    await whatsapp.until(() => phone.messages.length === 1);
    expect(phone.unreadable).toEqual([]);
  });

  test('or one that is no longer trusted moves its messages to another number', async () => {
    const { sessions, channel, message, device, other } = await setUp({ numbers: 2 });
    const phone = newPhone();
    phone.on = false;
    const copies: string[] = [];
    const moved: string[] = [];
    other.acks = ({ id }) => {
      moved.push(id);
      return undefined;
    };
    device.acks = ({ id }) => {
      copies.push(id);
      return { lost: true };
    };
    const sending = channel.send(message(phone.number), new AbortController().signal);
    await whatsapp.until(() => copies.length === 1);
    sessions[0]!.enter('degraded');
    await sending;
    expect(moved).toEqual(copies);

    sessions[0]!.enter('open');
    await settle();
    device.acks = {};
    await channel.send(message(newPhone().number), new AbortController().signal);
  });

  test.each([
    ['logged_out', 'WHATSAPP_NOT_CONNECTED: the linked number was logged out; link it again.'],
    ['banned', 'WHATSAPP_NOT_CONNECTED: WhatsApp has banned the linked number; link another one.'],
    ['paused', 'WHATSAPP_NOT_CONNECTED: the linked number is paused.'],
    ['action_required', 'WHATSAPP_NOT_CONNECTED: WhatsApp asks for a step on the linked phone.'],
  ] as const)('because the number is %s says so, and what to do', async (state, reason) => {
    const { sessions, channel } = await setUp();
    onTestFinished(() => sessions[0]!.enter('open'));
    sessions[0]!.enter(state);
    expect(channel.waitReason).toBe(reason);
  });
});

test('says nothing of the numbers before they have been read after a start', async () => {
  const { makeChannel } = await setUp();
  const starting = await makeChannel({ isReady: false });
  onTestFinished(() => starting.stop());
  expect(starting.waitReason).toBeUndefined();
  expect(starting.capabilities.concurrency).toBe(0);
});

describe('several numbers', () => {
  test('share new recipients, and each recipient keeps the number that wrote first', async () => {
    const { channel, message } = await setUp({ numbers: 2 });
    const phones = Array.from({ length: 10 }, () => newPhone());
    const toAll = () =>
      Promise.all(phones.map(({ number }) => channel.send(message(number), new AbortController().signal)));
    await toAll();
    await whatsapp.until(() => phones.every(({ messages }) => messages.length === 1));
    const senders = phones.map(({ messages }) => messages[0]!.from);
    expect(new Set(senders)).toEqual(new Set([OWN, OTHER]));
    await settle();
    await toAll();
    await whatsapp.until(() => phones.every(({ messages }) => messages.length === 2));
    expect(phones.map(({ messages }) => messages[1]!.from)).toEqual(senders);
  });

  test('stand in for one that does not answer', async () => {
    const { channel, clock, message, device, sessions } = await setUp({ numbers: 2 });
    const [first, second] = [newPhone(), newPhone()];
    let copies = 0;
    device.acks = () => {
      copies += 1;
      return { lost: true };
    };
    whatsapp.phone(OWN).on = false;
    first.on = false;
    onTestFinished(() => {
      whatsapp.phone(OWN).on = true;
    });
    const failing = channel
      .send(message(first.number), new AbortController().signal)
      .catch((error: unknown) => error);
    for (const copy of [1, 2]) {
      await whatsapp.until(() => copies === copy);
      await settle();
      await clock.advance(8_000);
    }
    expect(await failing).toMatchObject({ failure: 'temporary' });
    expect(sessions[0]!.state).toBe('open');
    await channel.send(message(second.number), new AbortController().signal);
    await whatsapp.until(() => second.messages.length === 1);
    expect(second.messages[0]!.from).toBe(OTHER);
  });
});

describe('refused new chats (463)', () => {
  test('stop within 3; known chats go on, and the others go to the next number', async () => {
    const { channel, message, send, device } = await setUp({ numbers: 2 });
    const known = newPhone();
    await send(known.number);
    await whatsapp.until(() => known.messages.length === 1);
    const sender = known.messages[0]!.from;
    const restricted = sender === OWN ? device : whatsapp.linked(OTHER);
    let refusals = 0;
    restricted.acks = ({ to }) => {
      if (to === known.number) return undefined;
      refusals += 1;
      return { error: 463 };
    };
    const strangers = Array.from({ length: 20 }, () => newPhone());
    await Promise.all(
      strangers.map(({ number }) => channel.send(message(number), new AbortController().signal)),
    );
    expect(refusals).toBeGreaterThan(0);
    expect(refusals).toBeLessThanOrEqual(3);
    await whatsapp.until(() => strangers.every(({ messages }) => messages.length === 1));
    expect(strangers.map(({ messages }) => messages[0]!.from)).not.toContain(sender);

    await send(known.number, 'still here');
    await whatsapp.until(() => known.messages.length === 2);
    expect(known.messages[1]!.from).toBe(sender);
  });

  test('are 3 at most also after 200 were taken, however late the answers; they resume when the lock ends', async () => {
    const { channel, message, send, device, clock } = await setUp();
    const strangers = Array.from({ length: 220 }, () => newPhone());
    const outcomesOf = (phones: typeof strangers) =>
      Promise.all(
        phones.map(({ number }) =>
          channel.send(message(number), new AbortController().signal).then(
            () => 'sent',
            (error: SendError) => error.reason,
          ),
        ),
      );
    const taken = strangers.splice(0, 200);
    expect(new Set(await outcomesOf(taken))).toEqual(new Set(['sent']));

    let refusals = 0;
    const endsAt = clock.now() + 10 * MINUTE_MS;
    device.acks = ({ to }) => {
      if (taken.some(({ number }) => number === to)) return undefined;
      refusals += 1;
      if (refusals === 1) {
        whatsapp.phone(OWN).restrict({ reachoutTimelock: { endsAt: endsAt / 1000, type: 'BIZ_QUALITY' } });
      }
      return { error: 463, delayMs: 100 };
    };
    const outcomes = await outcomesOf(strangers);
    expect(refusals).toBeGreaterThan(0);
    expect(refusals).toBeLessThanOrEqual(3);
    expect(outcomes.filter((outcome) => !outcome.startsWith('WHATSAPP_NEW_CHAT'))).toEqual([]);
    await send(taken[0]!.number, 'still here');

    device.acks = {};
    await clock.advance(10 * MINUTE_MS - 1);
    expect((await outcomesOf([newPhone()]))[0]).toContain('WHATSAPP_NEW_CHATS_STOPPED');
    await clock.advance(1);
    expect(await outcomesOf([newPhone()])).toEqual(['sent']);
  }, 60_000);

  test('keep their places for half a minute when nobody waits for their answers any more', async () => {
    const { channel, message, device, clock } = await setUp();
    // Its receipts for the copies it gets would be answers, too.
    whatsapp.phone(OWN).on = false;
    onTestFinished(() => {
      whatsapp.phone(OWN).on = true;
    });
    const opened = new Set<string>();
    device.acks = ({ to }) => {
      opened.add(to);
      return { lost: true };
    };
    const tryThree = () =>
      Array.from({ length: 3 }, () => {
        const phone = newPhone();
        phone.on = false;
        const abort = new AbortController();
        const outcome = channel.send(message(phone.number), abort.signal).catch((error: unknown) => error);
        return { abort, outcome };
      });
    const first = tryThree();
    await whatsapp.until(() => opened.size === 3);
    for (const { abort } of first) abort.abort(new Error('took too long'));
    const second = tryThree();
    await vi.waitFor(() => expect(clock.timersIn(15_000)).toBe(3));
    await clock.advance(29_999);
    for (const { outcome } of second) expect(await outcome).toMatchObject({ failure: 'unavailable' });
    expect(opened.size).toBe(3);

    await clock.advance(1);
    const third = tryThree();
    await whatsapp.until(() => opened.size === 6);
    for (const { abort, outcome } of third) {
      abort.abort(new Error('took too long'));
      await outcome;
    }
  });

  test('that are not answered hold up others for 15 seconds at most, which go back without a try', async () => {
    const { channel, message, device, clock } = await setUp();
    const opened = new Set<string>();
    device.acks = ({ to }) => {
      opened.add(to);
      return { lost: true };
    };
    const phones = Array.from({ length: 4 }, () => newPhone());
    for (const phone of phones) phone.on = false;
    const outcomes = phones.map(({ number }) =>
      channel.send(message(number), new AbortController().signal).catch((error: unknown) => error),
    );
    await whatsapp.until(() => opened.size === 3);
    await vi.waitFor(() => expect(clock.timersIn(15_000)).toBe(1));
    await clock.advance(15_000);
    // Which of the four had to wait is the database's choice.
    expect(await Promise.race(outcomes)).toMatchObject({
      failure: 'unavailable',
      reason: expect.stringContaining('WHATSAPP_NEW_CHATS_BUSY'),
      retryAfterMs: 2_000,
    });
    expect(opened.size).toBe(3);
  });

  test('wait with the reason when there is no other number, and go on by themselves when the lock ends', async () => {
    const { channel, message, failure, device, clock, sessions } = await setUp();
    const strangers = Array.from({ length: 10 }, () => newPhone());
    const endsAt = clock.now() + 10 * MINUTE_MS;
    let refusals = 0;
    device.acks = () => {
      refusals += 1;
      whatsapp.phone(OWN).restrict({ reachoutTimelock: { endsAt: endsAt / 1000, type: 'BIZ_QUALITY' } });
      return { error: 463 };
    };
    const messages = strangers.map(({ number }) => message(number));
    const sendAll = () =>
      Promise.all(
        messages.map((each) =>
          channel.send(each, new AbortController().signal).then(
            () => 'sent',
            (error: SendError) => `${error.failure}: ${error.reason}`,
          ),
        ),
      );
    const outcomes = await sendAll();
    expect(refusals).toBeLessThanOrEqual(3);
    expect(outcomes.every((outcome) => outcome.startsWith('unavailable: WHATSAPP_'))).toBe(true);
    await whatsapp.until(() => channel.sender(sessions[0]!.id)!.health.score === 0);
    const locked = await failure(newPhone().number);
    expect(locked).toMatchObject({
      failure: 'unavailable',
      retryAfterMs: 30_000,
      reason: `WHATSAPP_NEW_CHATS_STOPPED: WhatsApp lets this number open no new chats until ${new Date(endsAt).toISOString().replace('.000', '')} (BIZ_QUALITY).`,
    });
    expect(refusals).toBeLessThanOrEqual(3);

    device.acks = {};
    await clock.advance(10 * MINUTE_MS);
    const after = await sendAll();
    expect(after.filter((outcome) => outcome === 'sent')).toHaveLength(1);
    for (let minute = 0; minute < 4; minute++) {
      await clock.advance(MINUTE_MS);
      await channel.send(messages[minute + 4]!, new AbortController().signal);
    }
  });

  test('are not asked for after the first warning of the limit', async () => {
    const { channel, failure, sessions } = await setUp();
    whatsapp.phone(OWN).restrict({ newChats: { quota: 250, used: 200, status: 'FIRST_WARNING' } });
    await whatsapp.until(() => channel.sender(sessions[0]!.id)!.health.score < 100);
    const phone = newPhone();
    expect((await failure(phone.number)).reason).toContain('(200 of 250 used)');
    expect(phone.messages).toEqual([]);
  });
});

describe('pacing', () => {
  test('lets messages leave no faster than the rate, and takes no more from the outbox than will leave soon', async () => {
    const { channel, clock, message } = await setUp({ pacing: { ratePerSecond: 1, burst: 2 } });
    const phones = Array.from({ length: 4 }, () => newPhone());
    expect(channel.capabilities.concurrency).toBe(7);
    const sending = Promise.all(
      phones.map(({ number }) => channel.send(message(number), new AbortController().signal)),
    );
    const arrived = () => phones.filter(({ messages }) => messages.length > 0).length;
    await clock.advance(500);
    await whatsapp.until(() => arrived() === 2);
    await clock.advance(1_000);
    await whatsapp.until(() => arrived() === 3);
    await clock.advance(1_000);
    await sending;
    expect(arrived()).toBe(4);
  });

  test('ends the day at the cap, also after a restart, and begins anew with the next', async () => {
    const { channel, clock, send, failure, makeChannel } = await setUp({ pacing: { dailyCap: 3 } });
    for (let sent = 0; sent < 3; sent++) await send(newPhone().number);
    expect(channel.waitReason).toContain('WHATSAPP_DAILY_CAP');
    expect((await failure(newPhone().number)).reason).toContain('WHATSAPP_DAILY_CAP');
    await settle();
    await channel.stop();

    const restarted = await makeChannel();
    onTestFinished(() => restarted.stop());
    expect(restarted.capabilities.concurrency).toBe(0);
    clock.set(Date.UTC(2026, 0, 16));
    expect(restarted.capabilities.concurrency).toBe(3);
    expect(restarted.waitReason).toBeUndefined();
  });

  test('is slower for a number that was linked lately', async () => {
    const { channel, sessions, clock } = await setUp({ pacing: { warmUp: true } });
    onTestFinished(() => {
      sessions[0]!.linkedAt = 0;
    });
    expect(channel.sender(sessions[0]!.id)!.leftToday).toBe(10_000_000);
    sessions[0]!.linkedAt = clock.now();
    expect(channel.sender(sessions[0]!.id)!.leftToday).toBe(50);
    expect(channel.capabilities.concurrency).toBe(5);
  });
});
