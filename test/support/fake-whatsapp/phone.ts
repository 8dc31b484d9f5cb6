import { createHash } from 'node:crypto';
import { type EarlierPairing, pairEarlier } from './earlier-pairing.ts';
import {
  type Inbox,
  makeInbox,
  type Pretence,
  type ReceiptHabits,
  type ShownMessage,
  type UnreadableMessage,
} from './inbox.ts';
import type { LinkedDevice, LinkedDeviceParts } from './linked-device.ts';
import type { Network } from './network.ts';
import { makeOutbox, type Outbox, type SendOptions, type SentMessage } from './outbox.ts';
import { codeRequestFor, pairByCode, pairByQr } from './pairing.ts';
import { type Restrictions, restrictionNotices } from './restrictions.ts';
import { type SignalDevice, signalDevice } from './signal-device.ts';
import { jidOf, SERVER, stanza } from './stanza.ts';

/** A person's phone with WhatsApp on it, and what the person does with it. */
export interface Phone {
  /** The number as WhatsApp spells it, as `+49…`. */
  readonly number: string;
  /** Its address by number and by LID. */
  readonly jid: string;
  readonly lid: string;
  /** What the phone shows, oldest first: messages to it, and copies of what its linked devices sent. */
  readonly messages: readonly ShownMessage[];
  /** Copies that one of its devices could not decrypt, oldest first. */
  readonly unreadable: readonly UnreadableMessage[];
  /** What it has sent to others with `send`. */
  readonly sent: readonly SentMessage[];
  /** The devices it is paired with. */
  readonly linked: readonly LinkedDevice[];
  /** When it sends receipts by itself: delivered at once and read by hand, unless set. */
  receipts: ReceiptHabits;
  /** While false nothing reaches the phone; it comes when it is on again. */
  on: boolean;
  /** Confirms that a message has arrived, or been read or played; each call sends a receipt. */
  deliver(id: string, device?: number): void;
  read(id: string): void;
  play(id: string): void;
  /** Sends a receipt to the linked device of this number for a message that went to somebody else. */
  pretend(to: string, pretence: Pretence): void;
  /** Sends a text to a number; resolves with the id once the server has it. */
  send(to: string, text: string, options?: SendOptions): Promise<string>;
  /** Pairs with the client that shows this QR code; resolves when the client has been told to log in. */
  scanQr(text: string): Promise<LinkedDevice>;
  /** Was paired with a client before, which kept these files; quicker than a pairing, for tests of what follows it. */
  pairedEarlier(): EarlierPairing;
  /** Whether a client waits for its code to be typed into this phone. */
  readonly codeRequested: boolean;
  /** Pairs with the client that asked for a code for this number. */
  enterCode(code: string): Promise<LinkedDevice>;
  /** Loses all Signal sessions, like a phone set up anew. */
  forgetSessions(): void;
  /** Sets what WhatsApp holds against the account, and tells its linked devices; {} lifts all. */
  restrict(restrictions: Restrictions): void;
}

export interface PhoneOptions {
  /** How many devices the person uses, the phone included; 1 unless given. */
  devices?: number;
  /** Other spellings of the number under which contacts find it, as `+5511987654321` for `+551187654321`. */
  spellings?: string[];
  /** The name the person chose; none unless given. */
  name?: string;
}

/** The phone, with what only the server uses. */
export interface PhoneParts {
  readonly number: string;
  readonly user: string;
  readonly lidUser: string;
  readonly jid: string;
  readonly lid: string;
  readonly name: string | undefined;
  readonly spellings: readonly string[];
  /** The simulated devices: the phone itself, then its companions. */
  readonly devices: readonly SignalDevice[];
  readonly linked: LinkedDeviceParts[];
  readonly inbox: Inbox;
  readonly outbox: Outbox;
  restrictions: Restrictions;
  /** The number of the next device that is paired. */
  newDeviceId(): number;
  /** Welcomes a device that has logged in for the first time. */
  greet(device: LinkedDeviceParts): Promise<void>;
  /** The phone as tests see it. */
  readonly face: Phone;
}

/** Gives a person with this number (`+49…`) a phone. */
export function makePhone(
  network: Network,
  number: string,
  phoneByNumber: (number: string) => PhoneParts,
  { devices = 1, spellings = [], name }: PhoneOptions,
): PhoneParts {
  const user = number.replace('+', '');
  const lidUser = lidUserOf(user);
  let lastDeviceId = devices - 1;

  const parts: PhoneParts = {
    number,
    user,
    lidUser,
    jid: jidOf(user, 's.whatsapp.net'),
    lid: jidOf(lidUser, 'lid'),
    name,
    spellings,
    devices: Array.from({ length: devices }, signalDevice),
    linked: [],
    restrictions: {},
    get inbox() {
      return inbox;
    },
    get outbox() {
      return outbox;
    },
    get face() {
      return face;
    },
    newDeviceId() {
      lastDeviceId += 1;
      return lastDeviceId;
    },
    greet: (device) => outbox.greet(device),
  };
  const inbox = makeInbox(network, parts);
  const outbox = makeOutbox(network, parts);

  const face: Phone = {
    number,
    jid: parts.jid,
    lid: parts.lid,
    get messages() {
      return inbox.messages;
    },
    get unreadable() {
      return inbox.unreadable;
    },
    get sent() {
      return outbox.sent;
    },
    linked: parts.linked,
    get receipts() {
      return inbox.habits;
    },
    set receipts(habits) {
      inbox.habits = habits;
    },
    get on() {
      return inbox.on;
    },
    set on(value) {
      inbox.on = value;
    },
    deliver: (id, device) => inbox.sendReceipt(id, 'delivered', device),
    read: (id) => inbox.sendReceipt(id, 'read'),
    play: (id) => inbox.sendReceipt(id, 'played'),
    pretend: (to, pretence) => inbox.pretend(phoneByNumber(to).linked.at(-1)!, pretence),
    send: (to, text, options) => outbox.send(phoneByNumber(to), text, options),
    get codeRequested() {
      return codeRequestFor(network, parts) !== undefined;
    },
    pairedEarlier: () => pairEarlier(network, parts),
    scanQr: (text) => pairByQr(network, parts, text),
    enterCode: (code) => pairByCode(network, parts, code),
    forgetSessions() {
      for (const device of parts.devices) device.forgetSessions();
    },
    restrict(restrictions) {
      parts.restrictions = restrictions;
      for (const device of parts.linked) {
        for (const notice of restrictionNotices(restrictions)) {
          const attributes = {
            from: SERVER,
            type: 'mex',
            id: network.newId(),
            t: network.agenda.timestamp(),
          };
          device.deliver(stanza('notification', attributes, [notice]));
        }
      }
    },
  };
  return parts;
}

/** Every number has a LID, which does not show the number: 15 digits, always the same for it. */
function lidUserOf(user: string): string {
  const digest = createHash('sha256').update(user).digest();
  return `2${String(digest.readUIntBE(0, 6) % 10 ** 14).padStart(14, '0')}`;
}
