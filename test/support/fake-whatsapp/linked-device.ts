import type { Connection } from './connection.ts';
import { endSession, refuseLogin } from './disconnects.ts';
import type { Network } from './network.ts';
import { offlineQueue } from './offline-queue.ts';
import type { PhoneParts } from './phone.ts';
import { answerQuery, type Query } from './queries.ts';
import { routeMessage, type StanzaMessage } from './router.ts';
import { type Rules, ruleFor } from './rule.ts';
import type { KeyBundle } from './signal-device.ts';
import { childrenOf, find, jidOf, SERVER, type Stanza, stanza } from './stanza.ts';

/** A device that a person has paired with their phone, such as the bot under test, as the server sees it. */
export interface LinkedDevice {
  /** Its number among the devices of the phone. */
  readonly id: number;
  /** Its address by number and by LID. */
  readonly jid: string;
  readonly lid: string;
  /** Connected, logged in, and up to date with what came while it was away. */
  readonly online: boolean;
  /** How often it has logged in. */
  readonly logins: number;
  /** What it last said of itself; undefined: nothing on this connection. */
  readonly presence: string | undefined;
  /** Every query so far, oldest first. */
  readonly queries: readonly Query[];
  /** Stanzas it has not acknowledged yet. */
  readonly unacknowledged: number;
  /** How many one-time keys of it the server still has. */
  readonly preKeys: number;
  /** How its messages are acknowledged; a message with an error reaches nobody. */
  acks: Rules<StanzaMessage>;
  /** How its queries are answered. */
  answers: Rules<Query>;
  /** Refuses every login with this code, until undefined. */
  loginFailure: number | undefined;
  /** Reads what the device sends and neither acts nor answers, on this connection and on later ones. */
  blackHole: boolean;
  /** The server sends it this stanza, or bytes in place of one, whatever they are. */
  attack(what: Stanza | readonly Uint8Array[], how?: 'sealed' | 'as they are'): void;
  /** The line is dead: its TCP connection stays up and carries nothing any more, until `drop`. */
  freeze(): void;
  /** Cuts the TCP connection. */
  drop(): void;
  /**
   * Ends the session so that the client sees this status code: 515 restart, 440 replaced by another client, 428 end
   * of the stream, 411 no multi-device, 403 banned and 405 client too old as `<failure>`, others as `<stream:error>`.
   * With 401 it is removed from the phone, and later logins fail.
   */
  disconnect(code: number): void;
}

/** The linked device, with what only the server uses. */
export interface LinkedDeviceParts extends LinkedDevice {
  readonly phone: PhoneParts;
  readonly identity: Buffer;
  readonly noiseKey: Buffer;
  /** Its keys on the server; the list of one-time keys is empty until it uploads some. */
  readonly keys: LinkedDeviceKeys;
  /** Its keys for one new session; takes one of the one-time keys. */
  takeBundle(): KeyBundle;
  /** Logs it in over this connection. */
  logIn(connection: Connection): void;
  /** What it sent over this connection; what is answered goes back over the same one, or nowhere. */
  received(node: Stanza, connection: Connection): void;
  disconnected(connection: Connection): void;
  /** Hands over a stanza that must be acknowledged: now, or when the device is back. */
  deliver(node: Stanza): void;
}

export interface LinkedDeviceKeys {
  registrationId: number;
  signedPreKey: { id: number; public: Buffer; signature: Buffer };
  preKeys: Map<number, Buffer>;
}

/** Below this many one-time keys the server asks for more, as Baileys expects it. */
const FEW_PRE_KEYS = 5;

export function linkDevice(
  network: Network,
  phone: PhoneParts,
  id: number,
  noiseKey: Buffer,
  identity: Buffer,
  keys: LinkedDeviceKeys,
): LinkedDeviceParts {
  let connection: Connection | undefined;
  let logins = 0;
  let presence: string | undefined;
  let blackHole = false;
  let greeted = false;
  const queries: Query[] = [];

  const queue = offlineQueue((node) => connection?.send(node));

  const logIn = (opened: Connection) => {
    opened.blackHole = blackHole;
    if (device.loginFailure !== undefined) {
      refuseLogin(opened, device.loginFailure);
      return;
    }
    device.disconnect(440);
    connection = opened;
    presence = undefined;
    logins += 1;
    opened.send(
      stanza('success', { t: network.agenda.timestamp(), lid: device.lid, props: '27', location: 'fake' }),
    );
    const routingInfo = stanza('routing_info', {}, Buffer.from([8, 8, 8, 2]));
    opened.send(stanza('ib', { from: SERVER }, [stanza('edge_routing', {}, [routingInfo])]));
    network.changed();
  };

  /** From now on what comes for the device is kept. */
  const leave = () => {
    connection = undefined;
    queue.wentAway();
    network.changed();
  };

  const answer = (iq: Stanza, asker: Connection) => {
    const query: Query = {
      xmlns: iq.attrs.xmlns ?? '',
      type: iq.attrs.type ?? '',
      child: childrenOf(iq)[0]?.tag ?? '',
      known: true,
    };
    queries.push(query);
    const rule = ruleFor(device.answers, query);
    if (rule.lost) return;
    network.agenda.later(rule.delayMs ?? 0, () => {
      if (rule.error !== undefined) {
        const error = stanza('error', { code: String(rule.error), text: ERROR_TEXTS[rule.error] ?? 'error' });
        asker.send(stanza('iq', { type: 'error', id: iq.attrs.id, from: SERVER }, [error]));
        return;
      }
      const content = answerQuery(network, device, iq);
      query.known = content !== undefined;
      asker.send(stanza('iq', { type: 'result', id: iq.attrs.id, from: SERVER }, content ?? undefined));
      if (query.xmlns === 'passive' && asker === connection) {
        queue.cameBack();
        network.changed();
        if (!greeted) network.agenda.later(0, () => phone.greet(device));
        greeted = true;
      }
      if (query.child === 'remove-companion-device') device.disconnect(401);
    });
  };

  const device: LinkedDeviceParts = {
    id,
    jid: jidOf(phone.user, 's.whatsapp.net', id),
    lid: jidOf(phone.lidUser, 'lid', id),
    phone,
    identity,
    noiseKey,
    keys,
    queries,
    acks: {},
    answers: {},
    loginFailure: undefined,
    get online() {
      return connection !== undefined && queue.flowing;
    },
    get logins() {
      return logins;
    },
    get presence() {
      return presence;
    },
    get unacknowledged() {
      return queue.length;
    },
    get preKeys() {
      return keys.preKeys.size;
    },
    get blackHole() {
      return blackHole;
    },
    set blackHole(value) {
      blackHole = value;
      if (connection) connection.blackHole = value;
    },
    attack(what, how = 'sealed') {
      if ('tag' in what) connection?.send(what);
      else connection?.sendBytes(what, how);
    },
    freeze: () => connection?.freeze(),
    drop() {
      connection?.drop();
      leave();
    },
    disconnect(code) {
      if (code === 401 && phone.linked.includes(device)) phone.linked.splice(phone.linked.indexOf(device), 1);
      if (connection) endSession(connection, code);
      leave();
    },
    takeBundle() {
      const { registrationId, signedPreKey, preKeys } = keys;
      const [first] = preKeys;
      if (first) preKeys.delete(first[0]);
      if (first && preKeys.size < FEW_PRE_KEYS) {
        const count = stanza('count', { value: String(preKeys.size) });
        device.deliver(
          stanza(
            'notification',
            { from: SERVER, type: 'encrypt', id: network.newId(), t: network.agenda.timestamp() },
            [count],
          ),
        );
      }
      const preKey = first && { id: first[0], public: first[1] };
      return { registrationId, identity, signedPreKey, ...(preKey && { preKey }) };
    },
    logIn,
    received(node, sender) {
      if (sender !== connection) return;
      if (node.tag === 'iq' && node.attrs.type !== 'result') answer(node, sender);
      else if (node.tag === 'message') routeMessage(network, device, node, (ack) => sender.send(ack));
      else if (node.tag === 'ack') queue.acknowledge(node);
      else if (node.tag === 'receipt') {
        queue.acknowledge(node);
        network.phoneOf(node.attrs.to!)?.outbox.receipt(device, node);
      } else if (node.tag === 'presence') presence = node.attrs.type ?? presence;
      else if (node.tag === 'ib' && find(node, 'offline_batch')) queue.sendWaiting();
      network.changed();
    },
    disconnected(closed) {
      if (connection === closed) leave();
    },
    deliver: (node) => queue.add(node),
  };
  return device;
}

const ERROR_TEXTS: Record<number, string> = {
  400: 'bad-request',
  401: 'not-authorized',
  403: 'forbidden',
  404: 'item-not-found',
  406: 'not-acceptable',
  429: 'rate-overlimit',
  500: 'internal-server-error',
  503: 'service-unavailable',
};
