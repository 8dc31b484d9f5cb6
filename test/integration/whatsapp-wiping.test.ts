import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { quietLibsignal } from '../support/fake-whatsapp/quiet-libsignal.ts';
import { MINUTE_MS } from '../support/verifications.ts';
import { startWhatsAppApp, type WhatsAppApp } from '../support/whatsapp-app.ts';

quietLibsignal();

const OWN = '+6281234400001';
const CODE = '481516';

let aheadMs = 0;
const system = systemClock();
const clock = { ...system, now: () => system.now() + aheadMs };

let app: WhatsAppApp;
let { whatsapp, api, newPhone } = {} as WhatsAppApp;

beforeAll(async () => {
  app = await startWhatsAppApp({ clock });
  ({ whatsapp, api, newPhone } = app);
  await app.link(whatsapp.phone(OWN));
});
afterAll(() => app.stop());

/** How a verification ends, by what its code is wiped. */
const ENDINGS: Record<string, (id: string, phone: string) => Promise<unknown>> = {
  canceled: (id) => api.cancel(id),
  verified: (id) => api.check({ id, code: CODE }),
  superseded: (_id, phone) => api.sent({ phone, code: '161718' }),
  expired: async () => {
    aheadMs += 6 * MINUTE_MS;
  },
};

test.each(
  Object.keys(ENDINGS).flatMap((ending) =>
    (['lid', 'pn'] as const).map((addressing) => ({ ending, addressing })),
  ),
)(
  'a phone that asks by $addressing for the message of a verification that is $ending gets no code, over the same connection',
  async ({ ending, addressing }) => {
    const phone = newPhone();
    const { id } = await api.sent({ phone: phone.number, code: CODE });
    await whatsapp.until(() => phone.messages.length === 1);
    const wireId = phone.messages[0]!.id;
    await ENDINGS[ending]!(id, phone.number);
    const leaving: string[] = [];
    const device = whatsapp.linked(OWN);
    device.acks = (message) => {
      leaving.push(message.id);
      return {};
    };
    phone.pretend(OWN, { id: wireId, kind: 'retry', addressing });
    await whatsapp.until(() => device.unacknowledged === 0);
    await api.sent({ phone: phone.number, purpose: 'next', message: 'the next one {{code}}' });
    await whatsapp.until(() => phone.messages.some(({ text }) => text.startsWith('the next one')));
    expect(leaving).not.toContain(wireId);
  },
);
