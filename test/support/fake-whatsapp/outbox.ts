import { randomBytes } from 'node:crypto';
import { deflateSync } from 'node:zlib';
import { proto } from 'baileys';
import { signalAddress } from './inbox.ts';
import type { LinkedDeviceParts } from './linked-device.ts';
import type { Network } from './network.ts';
import type { PhoneParts } from './phone.ts';
import type { Encrypted, KeyBundle } from './signal-device.ts';
import { bytesOf, find, type Stanza, stanza } from './stanza.ts';

/** How a phone sends a message; nothing set: to the chat of the two, addressed by LID as phones do today. */
export interface SendOptions {
  /** The address the message comes from. */
  addressing?: 'lid' | 'pn';
  /** Sent in this group (`…@g.us`), or as a status update (`status@broadcast`). */
  group?: string;
  /** The message id; a new one unless given. */
  id?: string;
  /** Spoils the ciphertext, so that the recipient cannot read it and has to ask again. */
  unreadable?: boolean;
}

/** A message a phone has sent. */
export interface SentMessage {
  id: string;
  to: string;
  text: string;
  /** What the recipient's linked devices answered, oldest first: `delivered`, `inactive`, `read`, `retry` … */
  receipts: string[];
}

/** What a phone sends to linked devices, those of other phones and its own. */
export interface Outbox {
  readonly sent: readonly SentMessage[];
  /** Sends a text to everything that belongs to another phone; resolves with its id once it is with the server. */
  send(to: PhoneParts, text: string, options?: SendOptions): Promise<string>;
  /** What every phone sends to a device it has just been paired with: keys of the app state, and the history. */
  greet(device: LinkedDeviceParts): Promise<void>;
  /** A linked device's `<receipt>` for one of the messages. */
  receipt(device: LinkedDeviceParts, node: Stanza): void;
}

export function makeOutbox(network: Network, phone: PhoneParts): Outbox {
  const sent: SentMessage[] = [];
  const byId = new Map<string, { shown: SentMessage; message: proto.IMessage; options: SendOptions }>();
  const signal = phone.devices[0]!;

  const encrypt = (device: LinkedDeviceParts, message: proto.IMessage, bundle?: KeyBundle) =>
    signal.encrypt(signalAddress(device), message, () => bundle ?? device.takeBundle());

  const sendTo = async (
    device: LinkedDeviceParts,
    id: string,
    message: proto.IMessage,
    options: SendOptions,
  ) => {
    const encrypted = options.group
      ? await encryptInGroup(device, options.group, message)
      : [await encrypt(device, message)];
    if (options.unreadable) spoil(encrypted.at(-1)!);
    device.deliver(
      stanza(
        'message',
        attributesOf(id, options),
        encrypted.map((one) => encOf(one)),
      ),
    );
  };

  /** What the phone's own linked devices get of a message to another phone. */
  const copyTo = async (device: LinkedDeviceParts, id: string, to: PhoneParts, message: proto.IMessage) => {
    const deviceSentMessage = { destinationJid: to.lid, message };
    const attributes = {
      id,
      from: phone.lid,
      recipient: to.lid,
      recipient_pn: to.jid,
      addressing_mode: 'lid',
      type: 'text',
      t: network.agenda.timestamp(),
    };
    device.deliver(stanza('message', attributes, [encOf(await encrypt(device, { deviceSentMessage }))]));
  };

  const encryptInGroup = async (device: LinkedDeviceParts, group: string, message: proto.IMessage) => {
    const { distribution, encrypted } = await signal.encryptForGroup(group, message);
    const senderKey = { groupId: group, axolotlSenderKeyDistributionMessage: distribution };
    return [await encrypt(device, { senderKeyDistributionMessage: senderKey }), encrypted];
  };

  const attributesOf = (id: string, { group, addressing = 'lid' }: SendOptions) => {
    const [own, other] = addressing === 'lid' ? [phone.lid, phone.jid] : [phone.jid, phone.lid];
    const alias = `${group ? 'participant' : 'sender'}_${addressing === 'lid' ? 'pn' : 'lid'}`;
    return {
      id,
      from: group ?? own,
      participant: group && own,
      [alias]: other,
      addressing_mode: addressing,
      notify: phone.name ?? phone.number,
      type: 'text',
      t: network.agenda.timestamp(),
    };
  };

  /** Sends again what the device could not read, in a new session. */
  const sendAgain = async (device: LinkedDeviceParts, node: Stanza) => {
    const known = byId.get(node.attrs.id!);
    if (!known) return;
    signal.forgetSessions(signalAddress(device));
    const keys = find(node, 'keys');
    const encrypted = await encrypt(device, known.message, keys && bundleIn(node, keys));
    const count = find(node, 'retry')?.attrs.count;
    device.deliver(stanza('message', attributesOf(known.shown.id, known.options), [encOf(encrypted, count)]));
  };

  return {
    sent,
    async send(to, text, options = {}) {
      const id = options.id ?? network.newId();
      const message: proto.IMessage = { conversation: text };
      const shown: SentMessage = { id, to: to.number, text, receipts: [] };
      sent.push(shown);
      byId.set(id, { shown, message, options });
      const chat = options.group ?? phone.number;
      to.inbox.show({ id, from: phone.number, chat, text, at: network.agenda.now(), devices: [0] });
      for (const device of to.linked) await sendTo(device, id, message, options);
      for (const device of phone.linked) await copyTo(device, id, to, message);
      return id;
    },
    async greet(device) {
      for (const protocolMessage of [appStateKeys(network.agenda.now()), emptyHistory()]) {
        const attributes = {
          id: network.newId(),
          from: phone.jid,
          category: 'peer',
          push_priority: 'high_force',
          type: 'text',
          t: network.agenda.timestamp(),
        };
        device.deliver(stanza('message', attributes, [encOf(await encrypt(device, { protocolMessage }))]));
      }
    },
    receipt(device, node) {
      byId.get(node.attrs.id!)?.shown.receipts.push(node.attrs.type ?? 'delivered');
      if (node.attrs.type === 'retry') network.agenda.later(0, () => sendAgain(device, node));
    },
  };
}

function encOf({ type, body }: Encrypted, count?: string): Stanza {
  return stanza('enc', { v: '2', type, count }, body);
}

/** Turns a bit that the check at the end of every kind of ciphertext covers. */
function spoil({ body }: Encrypted): void {
  body[body.length - 16]! ^= 1;
}

function bundleIn(node: Stanza, keys: Stanza): KeyBundle {
  return {
    registrationId: bytesOf(node, 'registration').readUInt32BE(),
    identity: bytesOf(keys, 'identity'),
    signedPreKey: {
      id: bytesOf(keys, 'skey', 'id').readUIntBE(0, 3),
      public: bytesOf(keys, 'skey', 'value'),
      signature: bytesOf(keys, 'skey', 'signature'),
    },
    preKey: { id: bytesOf(keys, 'key', 'id').readUIntBE(0, 3), public: bytesOf(keys, 'key', 'value') },
  };
}

function appStateKeys(now: number): proto.Message.IProtocolMessage {
  return {
    type: proto.Message.ProtocolMessage.Type.APP_STATE_SYNC_KEY_SHARE,
    appStateSyncKeyShare: {
      keys: [
        {
          keyId: { keyId: randomBytes(6) },
          keyData: {
            keyData: randomBytes(32),
            fingerprint: { rawId: 1, currentIndex: 0, deviceIndexes: [0] },
            timestamp: now,
          },
        },
      ],
    },
  };
}

/** A history with nothing in it, inside the message itself, so that nothing has to be downloaded. */
function emptyHistory(): proto.Message.IProtocolMessage {
  const syncType = proto.HistorySync.HistorySyncType.INITIAL_BOOTSTRAP;
  const history = proto.HistorySync.encode({ syncType, chunkOrder: 1, progress: 100 }).finish();
  return {
    type: proto.Message.ProtocolMessage.Type.HISTORY_SYNC_NOTIFICATION,
    historySyncNotification: {
      syncType: proto.Message.HistorySyncType.INITIAL_BOOTSTRAP,
      chunkOrder: 1,
      progress: 100,
      initialHistBootstrapInlinePayload: deflateSync(history),
    },
  };
}
