import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { quietLibsignal } from '../support/fake-whatsapp/quiet-libsignal.ts';
import { expectProblem } from '../support/problem.ts';
import { startWhatsAppApp, type WhatsAppApp } from '../support/whatsapp-app.ts';
import { eventually } from '../support/whatsapp-sessions.ts';

quietLibsignal();

const OWN = '+6281234400001';
const ADMIN = '+6281234400002';

let app: WhatsAppApp;
let { server, whatsapp, api, sessions, timelineOf, newPhone } = {} as WhatsAppApp;
let sessionId: string;

beforeAll(async () => {
  app = await startWhatsAppApp({ clock: systemClock(), env: { BOT_ADMIN_NUMBERS: ADMIN } });
  ({ server, whatsapp, api, sessions, timelineOf, newPhone } = app);
});
afterAll(() => app.stop());

const codeIn = (text: string) => /\d{6}/.exec(text)![0];
const eventsOfType = (type: string) =>
  server.app.database.reader
    .selectFrom('events')
    .selectAll()
    .where('type', '=', type)
    .orderBy('seq')
    .execute();

/** The lines logged since there were `count` of them, of this level and above (30 is info, 40 a warning). */
const loggedSince = (count: number, level: number) =>
  server.logLines
    .slice(count)
    .map((line) => JSON.parse(line))
    .filter((line) => line.level >= level);

describe('over WhatsApp', () => {
  test('nothing can be sent before a number is linked', async () => {
    const refused = await api.send({ phone: newPhone().number });
    expect([refused.status, refused.body.code]).toEqual([503, 'WHATSAPP_OFFLINE']);
    sessionId = await app.link(whatsapp.phone(OWN));
  });

  test('a code arrives on the phone, verifies, and its timeline tells every step', async () => {
    const phone = newPhone();
    phone.receipts = { ...phone.receipts, delivered: 'by hand', read: 'by hand' };
    const { id, channel } = await api.sent({ phone: phone.number });
    expect(channel).toBe('whatsapp');
    const reaches = (status: string) =>
      eventually(async () => (await timelineOf(id)).at(-1)!.status === status);
    await reaches('sent');
    const { id: wireId, text } = phone.messages[0]!;
    phone.deliver(wireId);
    await reaches('delivered');
    phone.read(wireId);
    await reaches('read');
    const statuses = (await timelineOf(id)).map(({ status }) => status);
    expect(statuses).toEqual(['queued', 'sending', 'sent', 'delivered', 'read']);
    expect(text).toContain(`Kode verifikasi Anda *${codeIn(text)}*. `);
    const answer = await api.check({ id, code: codeIn(text) });
    expect(answer.body.data).toMatchObject({ valid: true });
  });

  test("the caller's text arrives exactly as it was given, and nothing is fetched for a link in it", async () => {
    const phone = newPhone();
    const message = ' Kode {{code}}: https://example.com/?a=*b*_c_\n`x` ';
    await api.sent({ phone: phone.number, code: '481516', message });
    await whatsapp.until(() => phone.messages.length === 1);
    expect(phone.messages[0]!.text).toBe(message.replace('{{code}}', '481516'));
  });

  test('a phone that cannot read a code asks again, and gets it though the connection it came over is gone', async () => {
    const phone = newPhone();
    await api.sent({ phone: phone.number, purpose: 'first' });
    await whatsapp.until(() => phone.messages.length === 1);
    phone.forgetSessions();
    phone.on = false;
    const { id } = await api.sent({ phone: phone.number, purpose: 'second' });
    await eventually(async () => (await timelineOf(id)).at(-1)!.status === 'sent');
    whatsapp.linked(OWN).drop();
    await whatsapp.until(() => !whatsapp.linked(OWN).online);
    await whatsapp.until(() => whatsapp.linked(OWN).online);
    phone.on = true;
    await whatsapp.until(() => phone.messages.length === 2);
    expect(phone.unreadable).toHaveLength(1);
    const answer = await api.check({ id, code: codeIn(phone.messages[1]!.text) });
    expect(answer.body.data).toMatchObject({ valid: true });
  });

  test.each(['lid', 'pn'] as const)(
    'a stranger who asks for the code of another gets nothing, addressed by %s',
    async (addressing) => {
      const [phone, stranger] = [newPhone(), newPhone()];
      for (const { number } of [phone, stranger]) await api.sent({ phone: number });
      await whatsapp.until(() => phone.messages.length + stranger.messages.length === 2);
      stranger.pretend(OWN, { id: phone.messages[0]!.id, kind: 'retry', addressing });
      await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0);
      await api.sent({ phone: stranger.number, purpose: 'next', message: 'the next one {{code}}' });
      await whatsapp.until(() => stranger.messages.some(({ text }) => text.startsWith('the next one')));
      expect(stranger.messages).toHaveLength(2);
    },
  );

  test("the number's own phone gets the copy that it could not read, though the connection it came over is gone", async () => {
    const [own, phone] = [whatsapp.phone(OWN), newPhone()];
    own.forgetSessions();
    own.on = false;
    await api.sent({ phone: phone.number, code: '481516' });
    await whatsapp.until(() => phone.messages.length === 1);
    whatsapp.linked(OWN).drop();
    await whatsapp.until(() => !whatsapp.linked(OWN).online);
    await whatsapp.until(() => whatsapp.linked(OWN).online);
    own.on = true;
    const { id } = phone.messages[0]!;
    await whatsapp.until(() => own.messages.some((message) => message.id === id));
    expect(own.unreadable.map((message) => message.id)).toEqual([id]);
  });

  test('what a stranger tells of a code is not believed', async () => {
    const [phone, stranger] = [newPhone(), newPhone()];
    phone.receipts = { ...phone.receipts, delivered: 'by hand' };
    await api.sent({ phone: stranger.number });
    const { id } = await api.sent({ phone: phone.number });
    await eventually(async () => (await timelineOf(id)).at(-1)!.status === 'sent');
    const { id: wireId } = phone.messages[0]!;
    stranger.pretend(OWN, { id: wireId, kind: 'read' });
    await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0);
    phone.deliver(wireId);
    await eventually(async () => (await timelineOf(id)).at(-1)!.status !== 'sent');
    const statuses = (await timelineOf(id)).map(({ status }) => status);
    expect(statuses).toEqual(['queued', 'sending', 'sent', 'delivered']);
  });

  test('a number that is not on WhatsApp fails with that reason, and is then refused at once', async () => {
    const before = server.logLines.length;
    const { id } = await api.sent({ phone: '+6281234599999' });
    await eventually(async () => (await api.read(id)).body.data.status === 'failed');
    expect((await timelineOf(id)).at(-1)).toMatchObject({
      status: 'failed',
      reason: 'PHONE_NOT_ON_WHATSAPP: this number is not registered on WhatsApp.',
    });
    const again = await api.send({ phone: '+6281234599999', channel: 'whatsapp' });
    expect(again.body.code).not.toBe('INTERNAL_ERROR');
    expect(again.status).toBe(422);
    expect(again.body.code).toBe('PHONE_NOT_ON_WHATSAPP');
    expect(app.server.logLines.filter((line) => line.includes('"PHONE_NOT_ON_WHATSAPP"'))).toEqual([]);
    // Nobody has to act: no more than info, and no stack.
    expect(loggedSince(before, 40)).toEqual([]);
    const [failed] = loggedSince(before, 30).filter(({ msg }) => msg === 'send failed');
    expect(failed).toMatchObject({
      level: 30,
      err: expect.not.objectContaining({ stack: expect.anything() }),
    });
  });

  test('an error of WhatsApp stands in the timeline with its code and a sentence', async () => {
    const device = whatsapp.linked(OWN);
    device.acks = { error: 400 };
    const { id } = await api.sent({ phone: newPhone().number });
    await eventually(async () => (await api.read(id)).body.data.status === 'failed');
    device.acks = {};
    expect((await timelineOf(id)).at(-1)).toMatchObject({
      status: 'failed',
      reason: 'WHATSAPP_BAD_REQUEST (400): WhatsApp does not understand the message.',
    });
  });

  test('codes wait while the number is paused, say why once, and go out when it is back', async () => {
    const phone = newPhone();
    await sessions('POST', `/${sessionId}/pause`);
    const { id } = await api.sent({ phone: phone.number });
    const REASON = 'WHATSAPP_NOT_CONNECTED: the linked number is paused.';
    await eventually(async () => (await timelineOf(id)).at(-1)!.reason === REASON);
    await sessions('POST', `/${sessionId}/resume`);
    await eventually(() => phone.messages.length === 1);
    const waits = (await timelineOf(id)).filter(({ reason }) => reason === REASON);
    expect(waits).toHaveLength(1);
    await eventually(async () => ['sent', 'delivered'].includes((await timelineOf(id)).at(-1)!.status));
    await whatsapp.until(() => whatsapp.linked(OWN).online);
  });

  test('the state of a session shows its health as a sender', async () => {
    const { body } = await sessions('GET', `/${sessionId}`);
    expect(body.data.health).toMatchObject({ score: 100, reasons: [], newChats: 'open' });
  });
});

describe('what people write to the number', () => {
  test('is told as an event, without what looks like a code', async () => {
    const phone = newPhone();
    await phone.send(OWN, 'My code is 481516, 481 516, or A7KQ2M?');
    await eventually(async () => (await eventsOfType('message.received')).length === 1);
    const [event] = await eventsOfType('message.received');
    expect(JSON.parse(event!.data!)).toEqual({
      sessionId,
      from: phone.number,
      text: 'My code is ••••, ••••, or ••••?',
    });
    expect(phone.messages).toEqual([]);
  });

  test('in groups and as status is none of our business', async () => {
    const phone = newPhone();
    const before = (await eventsOfType('message.received')).length;
    await phone.send(OWN, 'STOP', { group: '120363000000000001@g.us' });
    await phone.send(OWN, 'STOP', { group: 'status@broadcast' });
    await phone.send(OWN, 'to you');
    await eventually(async () => (await eventsOfType('message.received')).length > before);
    const [newest, ...others] = (await eventsOfType('message.received')).slice(before);
    expect(JSON.parse(newest!.data!)).toMatchObject({ text: 'to you' });
    expect(others).toEqual([]);
    expect(await eventsOfType('number.opted_out')).toEqual([]);
  });

  test('a message of hundreds of kB, from whoever, is acknowledged and not read', async () => {
    const phone = newPhone();
    const before = (await eventsOfType('message.received')).length;
    await phone.send(OWN, 'x'.repeat(200_000));
    await phone.send(OWN, 'short');
    await eventually(async () => (await eventsOfType('message.received')).length > before);
    const texts = (await eventsOfType('message.received'))
      .slice(before)
      .map(({ data }) => JSON.parse(data!).text);
    expect(texts).toEqual(['short']);
    await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0);
  });

  test.each(['lid', 'pn'] as const)(
    'STOP, addressed by %s, keeps messages away until START takes it back',
    async (addressing) => {
      const phone = newPhone();
      const outs = (await eventsOfType('number.opted_out')).length;
      const ins = (await eventsOfType('number.opted_in')).length;
      await phone.send(OWN, 'Stop!', { addressing });
      await eventually(async () => (await eventsOfType('number.opted_out')).length === outs + 1);
      expectProblem(await api.send({ phone: phone.number }), 'PHONE_OPTED_OUT');
      await whatsapp.until(() => phone.messages.length === 1);
      await phone.send(OWN, 'start', { addressing });
      await eventually(async () => (await eventsOfType('number.opted_in')).length === ins + 1);
      // The refusal has not counted, so nothing has to be waited for.
      expect((await api.send({ phone: phone.number })).status).toBe(201);
    },
  );

  test('who opts out is told once, in their language, that messages stop and how to start them again', async () => {
    const logged = server.logLines.length;
    const phone = newPhone();
    const received = async () => (await eventsOfType('message.received')).length;
    const before = await received();
    for (const text of ['Cancel', 'Berhenti']) await phone.send(OWN, text);
    await whatsapp.until(() => phone.messages.length > 0);
    for (const text of ['STOP', 'berhenti']) await phone.send(OWN, text);
    await eventually(async () => (await received()) === before + 4);
    await phone.send(OWN, 'MULAI');
    await eventually(async () => (await received()) === before + 5);
    await api.sent({ phone: phone.number, message: 'the code {{code}}' });
    await whatsapp.until(() => phone.messages.at(-1)!.text.startsWith('the code'));
    expect(phone.messages.slice(0, -1).map(({ text }) => text)).toEqual([
      'Anda tidak akan menerima pesan lagi dari nomor ini. Untuk menerimanya lagi, balas MULAI.',
    ]);
    expect(loggedSince(logged, 40)).toEqual([]);
  });

  test('those who opted out are listed, and can be taken off the list', async () => {
    const phone = newPhone();
    await phone.send(OWN, 'stop');
    const listed = async () =>
      (await server.call('GET', 'bot/opt-outs', { asAdmin: true })).body.data as { phone: string }[];
    await eventually(async () => (await listed()).some((entry) => entry.phone === phone.number));
    const takeOff = (number: string) =>
      server.call('DELETE', `bot/opt-outs/${encodeURIComponent(number)}`, { asAdmin: true });
    expect((await takeOff(phone.number)).body).toEqual({ success: true, data: { id: phone.number } });
    expect((await takeOff(phone.number)).status).toBe(404);
    expect((await takeOff('12')).status).toBe(400);
    expect((await server.call('GET', 'bot/opt-outs')).status).toBe(403);
    expect(await listed()).toEqual([]);
    await api.sent({ phone: phone.number });
    await whatsapp.until(() => phone.messages.length === 2);
  });

  test('a stranger’s command gets no answer and does nothing', async () => {
    const stranger = newPhone();
    const before = (await eventsOfType('message.received')).length;
    await stranger.send(OWN, `|sendotp ${newPhone().number}`);
    await stranger.send(OWN, '|ping');
    await stranger.send(OWN, 'the last one');
    await eventually(async () => (await eventsOfType('message.received')).length === before + 3);
    expect(stranger.messages).toEqual([]);
    expect(await eventsOfType('bot.command')).toEqual([]);
  });

  test('commands of an administrator are carried out and answered, never with a code', async () => {
    const boss = whatsapp.phone(ADMIN);
    const phone = newPhone();
    const command = async (text: string): Promise<string> => {
      const before = boss.messages.length;
      await boss.send(OWN, text);
      await eventually(() => boss.messages.length === before + 1);
      return boss.messages.at(-1)!.text;
    };
    expect(await command('|ping')).toBe('pong');
    expect(await command('|help')).toContain('|verifyotp PHONE CODE [PURPOSE]');
    expect(await command('|status')).toMatch(
      /^…0001: open, health \d+.*, \d+ messages left today\nOn their way: \d+$/,
    );
    expect(await command('|nonsense 481516')).toBe('Unknown command. Write |help for the list.');

    expect(await command(`|sendotp ${phone.number}`)).toMatch(/^Accepted: a code for \+\*+\d{4} \(default\)/);
    await whatsapp.until(() => phone.messages.length === 1);
    const code = codeIn(phone.messages[0]!.text);
    const last4 = phone.number.slice(-4);
    expect(await command(`|otpstatus ${phone.number}`)).toContain(`${last4} (default): pending`);
    expect(await command(`|resendotp ${phone.number}`)).toBe('Accepted: the code is sent again.');
    const wrong = code === '000000' ? '000001' : '000000';
    expect(await command(`|verifyotp ${phone.number} ${wrong}`)).toContain('code');
    expect(await command(`|verifyotp ${phone.number} ${code}`)).toBe(
      'The code is right; the number is verified.',
    );
    expect(await command(`|searchotp ${phone.number}`)).toContain(': verified');
    expect(await command('|listotps')).toContain(`${last4} (default): verified`);
    expect(await command('|otpstats')).toContain('verified: ');
    expect(await command(`|deleteotp ${phone.number}`)).toContain('no pending verification');
    const other = await api.sent({ phone: newPhone().number });
    expect(await command('|clearotps')).toMatch(/^Canceled: [1-9]\d*\.$/);
    expect((await api.read(other.id)).body.data.status).toBe('canceled');
    expect(await command('|searchotp 12')).toContain('number');

    for (const { text } of boss.messages) expect(text).not.toContain(code);
    const commands = await eventsOfType('bot.command');
    expect(commands.length).toBeGreaterThan(10);
    expect(commands.map(({ data }) => data).join()).not.toContain(code);
    expect(server.logLines.join()).not.toContain(code);
  });
});

describe('a connection that breaks again and again', () => {
  test('loses no code and shows none twice', async () => {
    const phones = Array.from({ length: 40 }, newPhone);
    const ids: string[] = [];
    for (const [index, phone] of phones.entries()) {
      ids.push((await api.sent({ phone: phone.number })).id);
      if (index % 10 === 5) whatsapp.linked(OWN).drop();
    }
    await whatsapp.until(() => phones.every(({ messages }) => messages.length > 0), 15_000);
    const arrived = async (id: string) =>
      ['sent', 'delivered', 'read'].includes((await timelineOf(id)).at(-1)!.status);
    for (const id of ids) await eventually(() => arrived(id));
    expect(phones.map(({ messages }) => messages.length)).toEqual(phones.map(() => 1));
    for (const [index, id] of ids.entries()) {
      const { status } = await api.check({ id, code: codeIn(phones[index]!.messages[0]!.text) });
      expect(status).toBe(200);
    }
    expect(phones.flatMap(({ unreadable }) => unreadable)).toEqual([]);
  });
});

describe('proof that a number is on WhatsApp', () => {
  test.each<[string, (number: string) => Promise<unknown>]>([
    ['writes to us', (number) => whatsapp.phone(number).send(OWN, 'hello')],
    [
      'is cleared by the operator',
      (number) => server.call('DELETE', `limits/${encodeURIComponent(number)}`, { asAdmin: true }),
    ],
  ])('a number that was not on WhatsApp, and %s, is sent to again at once', async (what, prove) => {
    const number = what === 'writes to us' ? '+6281234599998' : '+6281234599997';
    const { id } = await api.sent({ phone: number });
    await eventually(async () => (await api.read(id)).body.data.status === 'failed');
    expect((await api.send({ phone: number, channel: 'whatsapp' })).status).toBe(422);
    const phone = whatsapp.phone(number);
    await prove(number);
    await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0);
    await eventually(async () => (await api.send({ phone: number, channel: 'whatsapp' })).status === 201);
    await whatsapp.until(() => phone.messages.length === 1);
  });
});
