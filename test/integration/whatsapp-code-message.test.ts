import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { quietLibsignal } from '../support/fake-whatsapp/quiet-libsignal.ts';
import { startWhatsAppApp, type WhatsAppApp } from '../support/whatsapp-app.ts';
import { eventually } from '../support/whatsapp-sessions.ts';

quietLibsignal();

const OWN = '+6281234400001';
const CODE = '481516';

let app: WhatsAppApp;
let { server, whatsapp, api, newPhone } = {} as WhatsAppApp;

beforeAll(async () => {
  app = await startWhatsAppApp({ clock: systemClock(), env: { BOT_CODE_MESSAGE: 'true' } });
  ({ server, whatsapp, api, newPhone } = app);
  await app.link(whatsapp.phone(OWN));
});
afterAll(() => app.stop());

const statusesOf = async (id: string) => (await app.timelineOf(id)).map(({ status }) => status);

describe('with BOT_CODE_MESSAGE a person gets', () => {
  test('the text and then the bare code, of which the timeline shows one message', async () => {
    const phone = newPhone();
    const { id } = await api.sent({ phone: phone.number, code: CODE });
    await whatsapp.until(() => phone.messages.length === 2);
    expect(phone.messages.map(({ text }) => text)).toEqual([
      expect.stringContaining(`Kode verifikasi Anda *${CODE}*. `),
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

  test('the bare code alone: a stranger who asks for it gets nothing', async () => {
    const [phone, stranger] = [newPhone(), newPhone()];
    for (const { number } of [phone, stranger]) await api.sent({ phone: number });
    await whatsapp.until(() => phone.messages.length + stranger.messages.length === 4);
    stranger.pretend(OWN, { id: phone.messages[1]!.id, kind: 'retry' });
    await whatsapp.until(() => whatsapp.linked(OWN).unacknowledged === 0);
    await api.sent({ phone: stranger.number, purpose: 'next' });
    await whatsapp.until(() => stranger.messages.length >= 4);
    expect(stranger.messages.map(({ text }) => text)).not.toContain(phone.messages[1]!.text);
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
