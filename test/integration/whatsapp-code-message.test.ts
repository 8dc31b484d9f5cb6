import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { quietLibsignal } from '../support/fake-whatsapp/quiet-libsignal.ts';
import { type FakeWhatsApp, startFakeWhatsApp } from '../support/fake-whatsapp/server.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';
import { eventually } from '../support/whatsapp-sessions.ts';

quietLibsignal();

const OWN = '+6281234400001';
const CODE = '481516';

let whatsapp: FakeWhatsApp;
let server: TestApp;
let api: ReturnType<typeof verificationsOf>;

beforeAll(async () => {
  whatsapp = await startFakeWhatsApp();
  server = await startTestApp({
    clock: systemClock(),
    env: {
      ...QUICK_ADMIN,
      BOT_MOCK_MODE: 'false',
      BOT_SOCKET_URL: whatsapp.url,
      BOT_CODE_MESSAGE: 'true',
      BOT_SEND_RATE: '10000',
      BOT_SEND_BURST: '10000',
      BOT_WARMUP: 'false',
      OTP_RESEND_SECONDS: '0',
    },
  });
  api = verificationsOf(server);
  const admin = (method: string, path: string) => server.call(method, path, { asAdmin: true });
  const { body } = await server.call('POST', 'bot/sessions', { asAdmin: true, body: {} });
  const path = `bot/sessions/${body.data.id}`;
  await eventually(async () => (await admin('GET', `${path}/qr`)).status === 200);
  await whatsapp.phone(OWN).scanQr((await admin('GET', `${path}/qr`)).body.data.qr);
  await eventually(async () => (await admin('GET', path)).body.data.state === 'open');
  await whatsapp.until(() => whatsapp.linked(OWN).online);
});
afterAll(async () => {
  await server.stop();
  await whatsapp.stop();
});

let phonesMade = 0;
const newPhone = () => {
  phonesMade += 1;
  return whatsapp.phone(`+62812${String(34_600_000 + phonesMade)}`);
};
const statusesOf = async (id: string): Promise<string[]> =>
  (await api.read(id)).body.data.timeline.map(({ status }: { status: string }) => status);

describe('with BOT_CODE_MESSAGE a person gets', () => {
  test('the text and then the bare code, of which the timeline shows one message', async () => {
    const phone = newPhone();
    const { id } = await api.sent({ phone: phone.number, code: CODE });
    await whatsapp.until(() => phone.messages.length === 2);
    expect(phone.messages.map(({ text }) => text)).toEqual([
      expect.stringContaining(`Your verification code is *${CODE}*. `),
      CODE,
    ]);
    await eventually(async () => (await statusesOf(id)).includes('delivered'));
    const statuses = (await statusesOf(id)).filter((status) => status !== 'sent');
    expect(statuses).toEqual(['queued', 'sending', 'delivered']);
    expect((await api.check({ id, code: CODE })).body.data).toMatchObject({ valid: true });
  });

  test('both again when the phone could not read them, as long as the code lives', async () => {
    const phone = newPhone();
    await api.sent({ phone: phone.number, purpose: 'first' });
    await whatsapp.until(() => phone.messages.length === 2);
    phone.forgetSessions();
    phone.on = false;
    const copies = new Set<string>();
    whatsapp.linked(OWN).acks = ({ id }) => {
      copies.add(id);
      return undefined;
    };
    await api.sent({ phone: phone.number, purpose: 'second', code: CODE });
    await whatsapp.until(() => copies.size === 2);
    whatsapp.linked(OWN).drop();
    await whatsapp.until(() => !whatsapp.linked(OWN).online);
    await whatsapp.until(() => whatsapp.linked(OWN).online);
    phone.on = true;
    await whatsapp.until(() => phone.messages.length === 4);
    expect(phone.messages.slice(2).map(({ text }) => text)).toEqual([expect.stringContaining(CODE), CODE]);
    expect(phone.unreadable).toHaveLength(2);
  });

  test('no bare code any more once the code has ended', async () => {
    const phone = newPhone();
    phone.on = false;
    // The own phone would tell by its copy that WhatsApp has the text.
    const own = whatsapp.phone(OWN);
    own.receipts = { ...own.receipts, delivered: 'by hand' };
    const device = whatsapp.linked(OWN);
    const copies = new Set<string>();
    device.acks = ({ id, to }) => {
      if (to !== phone.number) return undefined;
      copies.add(id);
      return { lost: true };
    };
    const { id } = await api.sent({ phone: phone.number, code: CODE });
    await whatsapp.until(() => copies.size === 1);
    await server.call('POST', `otp/${id}/cancel`);
    // Its receipt tells that WhatsApp has the text, so it would be the turn of the code now.
    phone.on = true;
    await eventually(async () => (await statusesOf(id)).includes('delivered'));
    device.acks = {};
    const other = newPhone();
    await api.sent({ phone: other.number });
    await whatsapp.until(() => other.messages.length === 2);
    expect(copies.size).toBe(1);
  });
});
