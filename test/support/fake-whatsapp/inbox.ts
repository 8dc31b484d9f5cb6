import type { proto } from 'baileys';
import type { LinkedDeviceParts } from './linked-device.ts';
import type { Network } from './network.ts';
import type { PhoneParts } from './phone.ts';
import { keysOf } from './queries.ts';
import type { Arrival } from './router.ts';
import { jidOf, type Stanza, stanza } from './stanza.ts';

/** A message as the phone shows it, once, however often and on however many devices it arrived. */
export interface ShownMessage {
  id: string;
  /** The number that wrote it; the phone's own number for what its linked devices sent. */
  from: string;
  /** The number on the other side of the chat; a group's address in groups. */
  chat: string;
  text: string;
  /** Unix time in ms. */
  at: number;
  /** The devices of this phone that could read it, in the order they did. */
  devices: number[];
}

/** A copy that a device could not decrypt. */
export interface UnreadableMessage {
  id: string;
  from: string;
  device: number;
  reason: string;
}

type ReceiptKind = 'delivered' | 'read' | 'played';

/** A receipt for a message that the phone never got. */
export interface Pretence {
  id: string;
  /** As `retry` it asks for the message, as if it could not be read. */
  kind: ReceiptKind | 'retry';
  /** Which of the phone's addresses it comes from; the LID unless given. */
  addressing?: 'lid' | 'pn';
}

/** What a receipt tells of the message it is for. */
type Receivable = Pick<Arrival, 'id' | 'sender' | 'to'>;

/** When a phone sends receipts by itself: after this many ms, or not at all. */
export interface ReceiptHabits {
  delivered: number | 'by hand';
  read: number | 'by hand';
  /** The address receipts come from: the one the message went to, or the LID whatever it went to. */
  from: 'as addressed' | 'lid';
}

/** What a phone does with messages that arrive. */
export interface Inbox {
  readonly messages: readonly ShownMessage[];
  readonly unreadable: readonly UnreadableMessage[];
  habits: ReceiptHabits;
  /** A phone that is off keeps nothing; what arrives waits at the server until it is on again. */
  on: boolean;
  receive(device: number, arrival: Arrival): Promise<void>;
  /** Shows a message that did not come from a linked device. */
  show(message: ShownMessage): void;
  /** Sends a receipt for a message that a linked device sent, each time it is called. */
  sendReceipt(id: string, kind: ReceiptKind, device?: number): void;
  /** Sends a receipt for a message that a linked device sent to somebody else. */
  pretend(sender: LinkedDeviceParts, pretence: Pretence): void;
}

/** A phone asks this often to send a message again, then gives up. */
const RETRIES_MAX = 5;

export function makeInbox(network: Network, phone: PhoneParts): Inbox {
  const messages: ShownMessage[] = [];
  const byId = new Map<string, ShownMessage>();
  const arrivals = new Map<string, Arrival>();
  const retries = new Map<string, number>();
  const unreadable: UnreadableMessage[] = [];
  let on = true;
  let held: { device: number; arrival: Arrival }[] = [];

  /** Where a receipt for this message comes from: own devices name the chat beside it. */
  const senderOf = (device: number, { sender, to }: Receivable): Record<string, string | undefined> => {
    const byLid = to.endsWith('@lid') || inbox.habits.from === 'lid';
    const from = byLid ? jidOf(phone.lidUser, 'lid', device) : jidOf(phone.user, 's.whatsapp.net', device);
    return { from, recipient: sender.phone === phone ? to : undefined };
  };

  const receipt = (arrival: Receivable, device: number, type: string | undefined, content?: Stanza[]) =>
    arrival.sender.deliver(
      stanza(
        'receipt',
        { ...senderOf(device, arrival), id: arrival.id, type, t: network.agenda.timestamp() },
        content,
      ),
    );

  const askAgain = (device: number, arrival: Receivable) => {
    const key = `${arrival.id} ${device}`;
    const count = (retries.get(key) ?? 0) + 1;
    if (count > RETRIES_MAX) return;
    retries.set(key, count);
    const [registration, ...keys] = keysOf(phone.devices[device]!.bundle());
    const attributes = { count: String(count), id: arrival.id, t: network.agenda.timestamp(), v: '1' };
    const content = [stanza('retry', attributes), registration!];
    if (count > 1) content.push(stanza('keys', {}, keys));
    receipt(arrival, device, 'retry', content);
  };

  const confirm = (device: number, arrival: Arrival) => {
    const own = arrival.sender.phone === phone;
    const { delivered, read } = inbox.habits;
    if (delivered !== 'by hand') {
      network.agenda.later(delivered, () => receipt(arrival, device, own ? 'sender' : undefined));
    }
    if (read !== 'by hand' && !own && device === 0) {
      network.agenda.later(read, () => receipt(arrival, device, 'read'));
    }
  };

  const decrypt = async (device: number, arrival: Arrival) => {
    const { id, sender, encrypted } = arrival;
    let message: proto.IMessage;
    try {
      message = await phone.devices[device]!.decrypt(signalAddress(sender), encrypted);
    } catch (error) {
      if (byId.get(id)?.devices.includes(device)) {
        confirm(device, arrival);
      } else {
        const reason = error instanceof Error ? error.message : String(error);
        unreadable.push({ id, from: sender.phone.number, device, reason });
        askAgain(device, arrival);
      }
      network.changed();
      return;
    }
    const text = textOf(message.deviceSentMessage?.message ?? message);
    if (text === undefined) return;
    const own = sender.phone === phone;
    const chat = own ? (network.phoneOf(arrival.to)?.number ?? arrival.to) : sender.phone.number;
    arrivals.set(id, arrival);
    inbox.show({ id, from: sender.phone.number, chat, text, at: network.agenda.now(), devices: [device] });
    confirm(device, arrival);
    network.changed();
  };

  const inbox: Inbox = {
    messages,
    unreadable,
    habits: { delivered: 0, read: 'by hand', from: 'as addressed' },
    get on() {
      return on;
    },
    set on(value) {
      on = value;
      const waiting = held;
      held = [];
      for (const { device, arrival } of waiting)
        network.agenda.later(0, () => inbox.receive(device, arrival));
    },
    async receive(device, arrival) {
      if (on) await decrypt(device, arrival);
      else held.push({ device, arrival });
    },
    show(message) {
      const shown = byId.get(message.id);
      if (!shown) {
        byId.set(message.id, message);
        messages.push(message);
      } else {
        for (const device of message.devices) if (!shown.devices.includes(device)) shown.devices.push(device);
      }
      network.changed();
    },
    sendReceipt(id, kind, device = 0) {
      const arrival = arrivals.get(id);
      if (!arrival) throw new Error(`${phone.number} has no message ${id} from a linked device.`);
      receipt(arrival, device, kind === 'delivered' ? undefined : kind);
    },
    pretend(sender, { id, kind, addressing = 'lid' }) {
      const arrival = { id, sender, to: addressing === 'lid' ? phone.lid : phone.jid };
      if (kind === 'retry') askAgain(0, arrival);
      else receipt(arrival, 0, kind === 'delivered' ? undefined : kind);
    },
  };
  return inbox;
}

/** The name under which a phone keeps its session with a linked device. */
export function signalAddress({ phone, id }: LinkedDeviceParts): string {
  return `${phone.lidUser}.${id}`;
}

function textOf(message: proto.IMessage): string | undefined {
  return message.conversation || message.extendedTextMessage?.text || undefined;
}
