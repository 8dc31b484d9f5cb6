import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LinkedDevice } from '../support/fake-whatsapp/linked-device.ts';
import { quietLibsignal } from '../support/fake-whatsapp/quiet-libsignal.ts';
import { expectProblem } from '../support/problem.ts';
import { MINUTE_MS, newPhone } from '../support/verifications.ts';
import { startWhatsAppApp, type WhatsAppApp } from '../support/whatsapp-app.ts';

quietLibsignal();

const NUMBERS = ['+6281234400001', '+6281234400002'] as const;
const STEP_MS = 500;

let app: WhatsAppApp;
let { server, whatsapp, api, sessions, timelineOf } = {} as WhatsAppApp;

beforeEach(async () => {
  app = await startWhatsAppApp();
  ({ server, whatsapp, api, sessions, timelineOf } = app);
});
afterEach(() => app.stop());

/** Lets time pass in small steps, with a moment in each for answers on sockets, until it holds; at most a minute. */
async function passUntil(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let passed = 0; !(await holds()); passed += STEP_MS) {
    if (passed >= MINUTE_MS) throw new Error(`It did not come to this within a minute: ${holds}`);
    await server.clock.advance(STEP_MS);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const sessionOf = async (id: string) => (await sessions('GET', `/${id}`)).body.data;

/** Gives a session, a new one unless named, the credentials of a pairing with this number. */
async function link(number: string, known?: string): Promise<string> {
  const id = known ?? (await sessions('POST', '', { link: false })).body.data.id;
  await sessions('POST', `/${id}/import`, { files: whatsapp.phone(number).pairedEarlier().files });
  await passUntil(async () => (await sessionOf(id)).state === 'open');
  await whatsapp.until(() => whatsapp.linked(number).online);
  return id;
}

/** Sends a code that leaves from the device and is neither acknowledged nor shown; resolves to the verification's id. */
async function sendInto(device: LinkedDevice, phone: string, purpose: string): Promise<string> {
  let copies = 0;
  device.acks = () => {
    copies += 1;
    return { error: 503, lost: true };
  };
  const { id } = await api.sent({ phone, purpose });
  await passUntil(() => copies === 1);
  return id;
}

test('a number that is logged out says how to link it again; its messages go to another one, or wait with the reason', async () => {
  const [first, second] = [await link(NUMBERS[0]), await link(NUMBERS[1])];
  const phone = whatsapp.phone(newPhone());
  await api.sent({ phone: phone.number, purpose: 'one' });
  await passUntil(() => phone.messages.length === 1);
  const sender = phone.messages[0]!.from;
  const other = NUMBERS.find((number) => number !== sender)!;

  // WhatsApp removes the number with a message in its hands.
  await sendInto(whatsapp.linked(sender), phone.number, 'two');
  whatsapp.linked(sender).disconnect(401);
  await passUntil(() => phone.messages.length === 2);
  expect(phone.messages[1]!.from).toBe(other);
  const loggedOut = sender === NUMBERS[0] ? first : second;
  expect(await sessionOf(loggedOut)).toMatchObject({
    state: 'logged_out',
    reason: expect.stringContaining('Link the number again'),
  });
  expect((await sessionOf(loggedOut === first ? second : first)).state).toBe('open');

  const waits = await sendInto(whatsapp.linked(other), phone.number, 'three');
  whatsapp.linked(other).disconnect(401);
  const REASON = 'WHATSAPP_NOT_CONNECTED: the linked number was logged out; link it again.';
  await passUntil(async () => (await timelineOf(waits)).at(-1)!.reason === REASON);
  const refused = await api.send({ phone: newPhone() });
  expect(expectProblem(refused, 'WHATSAPP_OFFLINE').detail).toBe(
    'No WhatsApp number is linked, so nothing can be sent.',
  );

  await link(sender, loggedOut);
  await passUntil(() => phone.messages.length === 3);
  expect(phone.messages[2]!.from).toBe(sender);
  expect(phone.unreadable).toEqual([]);
});

test('a connection that answers nothing is degraded within 60 seconds, and its messages move to another number', async () => {
  const ids = [await link(NUMBERS[0]), await link(NUMBERS[1])];
  const phone = whatsapp.phone(newPhone());
  await api.sent({ phone: phone.number, purpose: 'one' });
  await passUntil(() => phone.messages.length === 1);
  const sender = phone.messages[0]!.from;
  const silent = ids[NUMBERS.indexOf(sender as (typeof NUMBERS)[0])]!;

  whatsapp.linked(sender).blackHole = true;
  const since = server.clock.now();
  await api.sent({ phone: phone.number, purpose: 'two' });
  await passUntil(() => phone.messages.length === 2);
  expect(phone.messages[1]!.from).not.toBe(sender);
  await passUntil(async () => (await sessionOf(silent)).state !== 'open');
  expect(server.clock.now() - since).toBeLessThanOrEqual(MINUTE_MS);
  const states = await server.app.database.reader
    .selectFrom('events')
    .select('data')
    .where('type', '=', 'bot.state_changed')
    .execute();
  expect(states.map(({ data }) => JSON.parse(data!))).toContainEqual(
    expect.objectContaining({ sessionId: silent, state: 'degraded' }),
  );
});

test.each([
  [400, 'WHATSAPP_BAD_REQUEST (400): WhatsApp does not understand the message.'],
  [404, 'WHATSAPP_NO_SUCH_ADDRESS (404): WhatsApp does not know the recipient’s address.'],
])('error %i of WhatsApp ends the message with a code and a sentence of its own', async (error, reason) => {
  await link(NUMBERS[0]);
  whatsapp.linked(NUMBERS[0]).acks = { error };
  const phone = whatsapp.phone(newPhone());
  const { id } = await api.sent({ phone: phone.number });
  await passUntil(async () => (await api.read(id)).body.data.status === 'failed');
  expect((await timelineOf(id)).at(-1)).toMatchObject({ status: 'failed', reason });
  expect(phone.messages).toEqual([]);
});
