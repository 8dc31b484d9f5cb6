import { afterEach, beforeEach, expect, test } from 'vitest';
import { quietLibsignal } from '../support/fake-whatsapp/quiet-libsignal.ts';
import { type MailServer, partOf, startMailServer } from '../support/mail-server.ts';
import { expectProblem } from '../support/problem.ts';
import { newPhone } from '../support/verifications.ts';
import { startWhatsAppApp, type WhatsAppApp } from '../support/whatsapp-app.ts';

quietLibsignal();

const NUMBER = '+6281234400003';
const EMAIL = 'ayu@example.com';
const WAIT_MS = 25_000;

let app: WhatsAppApp;
let mail: MailServer;
let { server, whatsapp, api, sessions, timelineOf } = {} as WhatsAppApp;

beforeEach(async () => {
  mail = await startMailServer();
  app = await startWhatsAppApp({
    env: { SMTP_URL: `smtp://127.0.0.1:${mail.port}`, SMTP_FROM: 'no-reply@example.com' },
  });
  ({ server, whatsapp, api, sessions, timelineOf } = app);
});
afterEach(async () => {
  await app.stop();
  await mail.stop();
});

/** Whether a message is on its way to the mail server. */
async function isMailUnderWay(): Promise<boolean> {
  const { reader } = server.app.database;
  const query = reader.selectFrom('messages').select('id').where('channel', '=', 'email');
  return (await query.where('status', '=', 'sending').execute()).length > 0;
}

/**
 * Lets time pass in small steps, with a moment in each for answers on sockets, until it holds; resolves to how much has
 * passed, in ms. While a mail is under way time stands still.
 */
async function passUntil(holds: () => boolean | Promise<boolean>, mostMs: number): Promise<number> {
  let passed = 0;
  while (!(await holds())) {
    if (!(await isMailUnderWay())) {
      if (passed > mostMs) throw new Error(`It did not come to this within ${mostMs} ms: ${holds}`);
      await server.clock.advance(100);
      passed += 100;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return passed;
}

async function link(): Promise<string> {
  const { id } = (await sessions('POST', '', { link: false })).body.data;
  await sessions('POST', `/${id}/import`, { files: whatsapp.phone(NUMBER).pairedEarlier().files });
  await passUntil(async () => (await sessions('GET', `/${id}`)).body.data.state === 'open', 60_000);
  await whatsapp.until(() => whatsapp.linked(NUMBER).online);
  return id;
}

/** The channels of a send that names none. */
async function usualRoute(): Promise<string[]> {
  const { data } = (await server.call('GET', 'channels')).body;
  return data
    .filter(({ route }: { route: number | null }) => route !== null)
    .map(({ name }: { name: string }) => name);
}

const codeOf = () => /\d{6}/.exec(partOf(mail.mails[0]!.raw, 'text/plain'))![0];
const reasons = async (id: string) =>
  (await timelineOf(id)).map(({ reason }) => reason).filter((reason) => reason !== null);

test('with WhatsApp offline the mail is in the mail server within a second', async () => {
  await sessions('POST', '', {});
  expect(await usualRoute()).toEqual(['whatsapp', 'email']);
  expectProblem(await api.send({ phone: newPhone() }), 'WHATSAPP_OFFLINE');
  const { id, route } = await api.sent({ phone: newPhone(), email: EMAIL });
  expect(route).toEqual(['email']);
  expect(await passUntil(() => mail.mails.length === 1, 1_000)).toBeLessThanOrEqual(1_000);
  expect((await api.check({ id, code: codeOf() })).body.data).toMatchObject({ channels: ['email'] });
});

test('without any session e-mail is the only channel, so a phone alone is 400 and says which field is missing', async () => {
  const refused = await api.send({ phone: newPhone() });
  expect(expectProblem(refused, 'VALIDATION_ERROR').errors).toEqual([
    { path: 'email', message: 'The field `email` is required, because messages go by email.' },
  ]);
  expectProblem(await api.send({ phone: newPhone(), channel: 'whatsapp' }), 'WHATSAPP_OFFLINE');
  expect(await usualRoute()).toEqual(['email']);
});

test('with WhatsApp silent the mail follows within a second of the end of the waiting time, and nothing after a check', async () => {
  await link();
  const person = whatsapp.phone(newPhone());
  person.on = false;
  const { id } = await api.sent({ phone: person.number, email: EMAIL });
  await passUntil(() => mail.mails.length === 1, 2 * WAIT_MS);
  const { timeline } = (await api.read(id)).body.data;
  const moved = timeline.find(
    ({ reason }: { reason: string | null }) => reason === 'no receipt for 25 s: sent by e-mail',
  );
  // Time goes on while the mail is on its way; when it was handed on is written down.
  const waitedMs = Date.parse(moved.at) - Date.parse(timeline[0].at);
  expect(waitedMs).toBeGreaterThanOrEqual(WAIT_MS);
  expect(waitedMs).toBeLessThanOrEqual(WAIT_MS + 1_100);
  expect((await api.check({ id, code: codeOf() })).status).toBe(200);
  await server.clock.advance(2 * WAIT_MS);
  expect(mail.mails).toHaveLength(1);
});

test('with a number that is not on WhatsApp the mail follows at once', async () => {
  await link();
  const { id } = await api.sent({ phone: '+6281299999999', email: EMAIL });
  expect(await passUntil(() => mail.mails.length === 1, WAIT_MS)).toBeLessThanOrEqual(WAIT_MS / 2);
  expect(await reasons(id)).toContainEqual(
    expect.stringMatching(/^WhatsApp refused it \(PHONE_NOT_ON_WHATSAPP.*\): sent by e-mail$/),
  );
});

test('a number that is logged out while a message waits hands it to e-mail without the waiting time', async () => {
  await link();
  const device = whatsapp.linked(NUMBER);
  device.acks = () => ({ error: 503, lost: true });
  const person = whatsapp.phone(newPhone());
  const { id } = await api.sent({ phone: person.number, email: EMAIL });
  await server.clock.advance(500);
  device.disconnect(401);
  expect(await passUntil(() => mail.mails.length === 1, WAIT_MS)).toBeLessThanOrEqual(WAIT_MS / 2);
  expect(await reasons(id)).toContain('WhatsApp is offline: sent by e-mail');
});
