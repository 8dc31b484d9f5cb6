import type { LinkedDeviceParts } from './linked-device.ts';
import type { Network } from './network.ts';
import type { PhoneParts } from './phone.ts';
import { restrictionAnswer } from './restrictions.ts';
import type { KeyBundle } from './signal-device.ts';
import {
  bigEndian,
  bytesOf,
  childrenOf,
  deviceOf,
  find,
  jidOf,
  type Stanza,
  stanza,
  userOf,
} from './stanza.ts';

/** A query (`<iq>`) of a client. */
export interface Query {
  xmlns: string;
  type: string;
  /** The tag of its first child; '' when it has none. */
  child: string;
  /** False: the fake does not know it, and answers with nothing in it. */
  known: boolean;
}

/** The content of the answer; null for an answer without content, undefined when the fake does not know the query. */
type Content = Stanza[] | null | undefined;

/** What the server answers to a query of a linked device. */
export function answerQuery(network: Network, device: LinkedDeviceParts, iq: Stanza): Content {
  const child = childrenOf(iq)[0];
  switch (`${iq.attrs.xmlns} ${iq.attrs.type} ${child?.tag ?? ''}`.trim()) {
    case 'encrypt get count':
      return [stanza('count', { value: String(device.keys.preKeys.size) })];
    case 'encrypt set registration':
      return storeKeys(device, iq);
    case 'encrypt set rotate':
      device.keys.signedPreKey = signedPreKeyOf(child);
      return null;
    case 'encrypt get digest':
      return digestOf(device);
    case 'encrypt get key':
      return [
        stanza(
          'list',
          {},
          childrenOf(child).map(({ attrs }) => bundleOf(network, attrs.jid!)),
        ),
      ];
    case 'usync get usync':
      return [stanza('usync', {}, [stanza('list', {}, usersOf(network, child!))])];
    case 'abt get props':
      return [stanza('props', { protocol: '1', ab_key: 'fake', hash: 'fake', refresh: '86400' })];
    case 'blocklist get':
      return [stanza('list')];
    case 'privacy get privacy':
      return [
        stanza(
          'privacy',
          {},
          PRIVACY.map((name) => stanza('category', { name, value: 'all' })),
        ),
      ];
    case 'w:sync:app:state set sync':
      return [stanza('sync', {}, childrenOf(child).map(emptyCollection))];
    case 'w:mex get query':
      return restrictionAnswer(device.phone.restrictions, child!);
    case 'w:p get ping':
    case 'passive set active':
    case 'passive set passive':
    case 'privacy set tokens':
    case 'urn:xmpp:whatsapp:dirty set clean':
    case 'md set remove-companion-device':
      return null;
    default:
      return undefined;
  }
}

const PRIVACY = ['readreceipts', 'last', 'online', 'profile', 'status', 'groupadd'];

function storeKeys(device: LinkedDeviceParts, iq: Stanza): null {
  device.keys.registrationId = bytesOf(iq, 'registration').readUInt32BE();
  device.keys.signedPreKey = signedPreKeyOf(find(iq, 'skey'));
  for (const key of childrenOf(find(iq, 'list'))) {
    device.keys.preKeys.set(bytesOf(key, 'id').readUIntBE(0, 3), bytesOf(key, 'value'));
  }
  return null;
}

function signedPreKeyOf(skey: Stanza | undefined) {
  return {
    id: bytesOf(skey, 'id').readUIntBE(0, 3),
    public: bytesOf(skey, 'value'),
    signature: bytesOf(skey, 'signature'),
  };
}

function digestOf({ keys, identity }: LinkedDeviceParts): Stanza[] | null {
  if (keys.preKeys.size === 0) return null;
  const ids = [...keys.preKeys.keys()].map((id) => stanza('id', {}, bigEndian(id, 3)));
  const digest = [
    stanza('registration', {}, bigEndian(keys.registrationId, 4)),
    stanza('type', {}, KEY_TYPE),
    stanza('identity', {}, identity),
    stanza('skey', {}, [stanza('id', {}, bigEndian(keys.signedPreKey.id, 3))]),
    stanza('list', {}, ids),
  ];
  return [stanza('digest', {}, digest)];
}

const KEY_TYPE = Buffer.from([5]);

function bundleOf(network: Network, jid: string): Stanza {
  const phone = network.phoneOf(jid);
  const id = deviceOf(jid);
  const bundle =
    phone?.devices[id]?.bundle() ?? phone?.linked.find((linked) => linked.id === id)?.takeBundle();
  if (!bundle) return stanza('user', { jid }, [stanza('error', { code: '404', text: 'item-not-found' })]);
  return stanza('user', { jid, t: network.agenda.timestamp() }, keysOf(bundle));
}

/** A bundle as children of `<user>` or `<keys>`. */
export function keysOf({ registrationId, identity, signedPreKey, preKey }: KeyBundle): Stanza[] {
  const keys = [
    stanza('registration', {}, bigEndian(registrationId, 4)),
    stanza('type', {}, KEY_TYPE),
    stanza('identity', {}, identity),
    stanza('skey', {}, [
      stanza('id', {}, bigEndian(signedPreKey.id, 3)),
      stanza('value', {}, signedPreKey.public),
      stanza('signature', {}, signedPreKey.signature),
    ]),
  ];
  if (preKey) {
    keys.push(
      stanza('key', {}, [stanza('id', {}, bigEndian(preKey.id, 3)), stanza('value', {}, preKey.public)]),
    );
  }
  return keys;
}

function usersOf(network: Network, usync: Stanza): Stanza[] {
  const protocols = childrenOf(find(usync, 'query')).map(({ tag }) => tag);
  return childrenOf(find(usync, 'list')).flatMap((user) => {
    const asked = find(user, 'contact')?.content ? bytesOf(user, 'contact').toString() : undefined;
    if (asked !== undefined) return [contactOf(network.dialled(asked), asked)];
    const phone = network.phoneOf(user.attrs.jid!);
    const answers = phone ? protocols.flatMap((protocol) => answerFor(protocol, phone, user.attrs.jid!)) : [];
    return [stanza('user', { jid: user.attrs.jid }, answers)];
  });
}

/** Says who has the number that was dialled, under the spelling WhatsApp uses for it. */
function contactOf(phone: PhoneParts | undefined, asked: string): Stanza {
  const jid = phone?.jid ?? jidOf(asked.replace('+', ''), 's.whatsapp.net');
  return stanza('user', { jid }, [stanza('contact', { type: phone ? 'in' : 'out' }, Buffer.from(asked))]);
}

function answerFor(protocol: string, phone: PhoneParts, asked: string): Stanza[] {
  if (protocol === 'lid') {
    return userOf(asked) === phone.lidUser ? [] : [stanza('lid', { val: phone.lid })];
  }
  if (protocol !== 'devices') return [];
  const ids = [...phone.devices.keys(), ...phone.linked.map(({ id }) => id)];
  const list = ids.map((id) =>
    stanza('device', { id: String(id), 'key-index': id === 0 ? undefined : String(id) }),
  );
  return [stanza('devices', {}, [stanza('device-list', {}, list)])];
}

function emptyCollection({ attrs }: Stanza): Stanza {
  return stanza('collection', { name: attrs.name, version: attrs.version }, [stanza('patches')]);
}
