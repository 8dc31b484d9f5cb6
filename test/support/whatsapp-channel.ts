import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { WhatsAppChannel } from '../../src/channels/whatsapp/send/channel.ts';
import { numberDirectory } from '../../src/channels/whatsapp/send/number-directory.ts';
import { messageRecipients } from '../../src/channels/whatsapp/send/recipients.ts';
import type { Database } from '../../src/database/database.ts';
import { newId } from '../../src/lib/id.ts';
import { SendError } from '../../src/messages/channel.ts';
import type { PacingRules } from '../../src/settings/settings.ts';
import type { PhoneOptions } from './fake-whatsapp/phone.ts';
import { quietLibsignal } from './fake-whatsapp/quiet-libsignal.ts';
import { type FakeWhatsApp, startFakeWhatsApp } from './fake-whatsapp/server.ts';
import { type LinkedSessions, linkedSessions } from './linked-sessions.ts';
import { testSettings } from './settings.ts';
import { silentLog, silentTroubles } from './silent-log.ts';
import { settle, testClock } from './test-clock.ts';
import { openTestDatabase } from './test-database.ts';

/** The linked numbers, in the order in which they were linked. */
export const OWN = '+4915100000001';
export const OTHER = '+4915100000002';
const UNPACED: PacingRules = { ratePerSecond: 10_000, burst: 10_000, dailyCap: 10_000_000, warmUp: false };

/** A fake WhatsApp with two linked numbers for all tests of a file, and a channel over them for each. */
export function linkedChannels() {
  let database: Database;
  let whatsapp: FakeWhatsApp;
  let linked: LinkedSessions;
  let closeDatabase: () => Promise<void>;
  quietLibsignal();
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
    const receipts: string[] = [];
    /** Whom each message is for, as the database would know it. */
    const outbox = new Map<string, string>();
    const makeChannel = async (before: { isReady: false } | undefined = undefined) => {
      const channel = new WhatsAppChannel({
        sessions: { ...linked, all: () => (before ? [] : sessions), ...before },
        directory,
        recipients: messageRecipients({ phoneOf: async (id) => outbox.get(id), directory }),
        checkNumbers: true,
        settings: testSettings({ pacing: { ...UNPACED, ...pacing } }),
        codeOf,
        database,
        clock,
        log: silentLog,
        troubles: silentTroubles,
      });
      await channel.start({
        onReceipt: async ({ messageId, status }) => void receipts.push(`${messageId} ${status}`),
      });
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
        whatsapp.phone(number!).receipts.delivered = 0;
      }
      await database.transaction(async (trx) => {
        for (const table of ['whatsapp_senders', 'whatsapp_chats'] as const) {
          await trx.deleteFrom(table).execute();
        }
      });
    });

    const message = (to: string, text = `code for ${to}`) => {
      const id = newId('msg', clock.now());
      outbox.set(id, to);
      return { id, projectId: 1, to, text, expiresAt: clock.now() + 300_000 };
    };
    const signal = () => new AbortController().signal;
    return {
      clock,
      sessions,
      channel,
      makeChannel,
      receipts,
      directory,
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

  return {
    /** Both are there once the tests run. */
    get database() {
      return database;
    },
    get whatsapp() {
      return whatsapp;
    },
    newPhone,
    setUp,
    queriesOf,
  };
}
