import type { Clock } from '../../src/lib/clock.ts';
import type { Phone } from './fake-whatsapp/phone.ts';
import { type FakeWhatsApp, startFakeWhatsApp } from './fake-whatsapp/server.ts';
import { startTestApp, type TestApp } from './test-app.ts';
import { QUICK_ADMIN, verificationsOf } from './verifications.ts';
import { eventually } from './whatsapp-sessions.ts';

/** The server as it sends over WhatsApp without pacing, and the fake WhatsApp it is linked to. */
export interface WhatsAppApp {
  server: TestApp;
  whatsapp: FakeWhatsApp;
  api: ReturnType<typeof verificationsOf>;
  /** Calls a route below `bot/sessions` as the administrator. */
  sessions(method: string, path: string, body?: unknown): ReturnType<TestApp['call']>;
  /** Makes a session, scans its QR code with this phone, and resolves to its id when it is open. */
  link(phone: Phone): Promise<string>;
  /** What the timeline of a verification tells, oldest first. */
  timelineOf(id: string): Promise<{ status: string; reason: string | null }[]>;
  /** A person's phone with a number that no other test has. */
  newPhone(): Phone;
  stop(): Promise<void>;
}

/** Starts both. Time stands still for the server unless a clock is given. */
export async function startWhatsAppApp({
  clock,
  env = {},
}: {
  clock?: Clock;
  env?: Record<string, string>;
} = {}): Promise<WhatsAppApp> {
  const whatsapp = await startFakeWhatsApp();
  const server = await startTestApp({
    ...(clock && { clock }),
    env: {
      ...QUICK_ADMIN,
      BOT_MOCK_MODE: 'false',
      BOT_SOCKET_URL: whatsapp.url,
      BOT_SEND_RATE: '10000',
      BOT_SEND_BURST: '10000',
      BOT_WARMUP: 'false',
      OTP_RESEND_SECONDS: '0',
      ...env,
    },
  });
  const api = verificationsOf(server);
  const sessions: WhatsAppApp['sessions'] = (method, path, body) =>
    server.call(method, `bot/sessions${path}`, { asAdmin: true, ...(body === undefined ? {} : { body }) });
  let phonesMade = 0;
  return {
    server,
    whatsapp,
    api,
    sessions,
    async link(phone) {
      const { id } = (await sessions('POST', '', { name: 'Test phone' })).body.data;
      await eventually(async () => (await sessions('GET', `/${id}/qr`)).status === 200);
      await phone.scanQr((await sessions('GET', `/${id}/qr`)).body.data.qr);
      await eventually(async () => (await sessions('GET', `/${id}`)).body.data.state === 'open');
      await whatsapp.until(() => whatsapp.linked(phone.number).online);
      return id;
    },
    timelineOf: async (id) => (await api.read(id)).body.data.timeline,
    newPhone() {
      phonesMade += 1;
      return whatsapp.phone(`+62812${34_500_000 + phonesMade}`);
    },
    async stop() {
      await server.stop();
      await whatsapp.stop();
    },
  };
}
