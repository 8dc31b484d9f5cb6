import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { FakeWhatsApp } from '../../../../test/support/fake-whatsapp/server.ts';
import { settle } from '../../../../test/support/test-clock.ts';
import { linkedChannels, OWN } from '../../../../test/support/whatsapp-channel.ts';
import { eventually } from '../../../../test/support/whatsapp-sessions.ts';
import { MINUTE_MS } from '../../../lib/duration.ts';
import { newId } from '../../../lib/id.ts';
import { codeWireIdOf, wireIdOf } from './wire-id.ts';

const channels = linkedChannels();
const { newPhone, queriesOf, setUp } = channels;
let whatsapp: FakeWhatsApp;
beforeAll(() => {
  ({ whatsapp } = channels);
});

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
      reason: 'PHONE_NOT_ON_WHATSAPP: this number is not registered on WhatsApp.',
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
    await eventually(() => receipts.length > 0);
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
    const rest = { projectId: 1, to: phone.number, text: 'the code is over', expiresAt: 0 };
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
    await eventually(() => receipts.includes(`${id} delivered`));
  });

  test('may be told by the copy on the own phone', async () => {
    const { send, device, receipts } = await setUp();
    const phone = newPhone();
    phone.receipts = { ...phone.receipts, delivered: 'by hand' };
    device.acks = { lost: true };
    await send(phone.number);
    expect(receipts).toEqual([]);
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
      reason: 'WHATSAPP_TOO_MANY: WhatsApp asked the linked number to slow down; it pauses for a minute.',
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

  test('come from the LID of a number or from the number itself, and from each of its devices', async () => {
    const { send, receipts } = await setUp();
    const phone = newPhone({ devices: 2 });
    phone.receipts = { ...phone.receipts, delivered: 'by hand' };
    const { id } = await send(phone.number);
    await whatsapp.until(() => phone.messages[0]?.devices.length === 2);
    phone.deliver(wireIdOf(id), 1);
    for (const addressing of ['lid', 'pn'] as const) {
      phone.pretend(OWN, { id: wireIdOf(id), kind: 'read', addressing });
    }
    await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0);
    expect(receipts.toSorted()).toEqual([`${id} delivered`, `${id} read`, `${id} read`]);
  });

  test.each([
    ['as people in Brazil spell it', '+551187654322', '+5511987654322'],
    ['in a way that only WhatsApp knows', '+4915200777777', '+491520777777'],
  ])('count for a number that WhatsApp spells %s', async (_how, number, dialled) => {
    const { send, receipts } = await setUp();
    const phone = whatsapp.phone(number, { spellings: [dialled] });
    const { id } = await send(dialled);
    await eventually(() => receipts.includes(`${id} delivered`));
    phone.read(wireIdOf(id));
    await eventually(() => receipts.includes(`${id} read`));
  });

  test('of strangers are not taken for those of the recipient', async () => {
    const { send, receipts } = await setUp();
    const [phone, stranger] = [newPhone(), newPhone()];
    for (const { receipts: habits } of [phone, stranger]) habits.delivered = 'by hand';
    await send(stranger.number);
    const { id } = await send(phone.number);
    await whatsapp.until(() => phone.messages.length === 1);
    for (const kind of ['delivered', 'read', 'played'] as const) {
      for (const addressing of ['lid', 'pn'] as const) {
        stranger.pretend(OWN, { id: wireIdOf(id), kind, addressing });
      }
    }
    await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0);
    phone.read(wireIdOf(id));
    await eventually(() => receipts.length > 0);
    expect(receipts).toEqual([`${id} read`]);
  });

  test.each(['text', 'bare code'])('of strangers do not acknowledge a %s', async (what) => {
    const { channel, message, device, sessions } = await setUp({ codeOf: async () => '481516' });
    const [phone, stranger] = [newPhone(), newPhone()];
    for (const { receipts } of [phone, whatsapp.phone(OWN)]) receipts.delivered = 'by hand';
    const sent = message(phone.number);
    const wireId = what === 'text' ? wireIdOf(sent.id) : codeWireIdOf(sent.id);
    device.acks = ({ id }) => (id === wireId ? { lost: true } : undefined);
    const sending = channel.send(sent, new AbortController().signal);
    await whatsapp.until(() => phone.messages.some(({ id }) => id === wireId));
    const inHand = () => channel.sender(sessions[0]!.id)!.inHand;
    stranger.pretend(OWN, { id: wireId, kind: 'delivered', addressing: 'pn' });
    await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0);
    await settle();
    expect(inHand()).toBe(1);
    phone.deliver(wireId);
    await sending;
    await eventually(() => inHand() === 0);
  });

  test('are known by their sender also after a restart', async () => {
    const { send, channel, makeChannel, receipts } = await setUp();
    const [phone, stranger] = [newPhone(), newPhone()];
    phone.receipts = { ...phone.receipts, delivered: 'by hand' };
    const { id } = await send(phone.number);
    await whatsapp.until(() => phone.messages.length === 1);
    await channel.stop();
    const next = await makeChannel();
    onTestFinished(() => next.stop());
    stranger.pretend(OWN, { id: wireIdOf(id), kind: 'read', addressing: 'pn' });
    await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0);
    phone.deliver(wireIdOf(id));
    await eventually(() => receipts.length > 0);
    expect(receipts).toEqual([`${id} delivered`]);
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
