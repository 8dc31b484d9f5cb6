import type { LinkedDeviceParts } from './linked-device.ts';
import type { Network } from './network.ts';
import { ruleFor } from './rule.ts';
import type { Encrypted } from './signal-device.ts';
import { bytesOf, childrenOf, deviceOf, find, type Stanza, stanza } from './stanza.ts';

/** A message stanza of a linked device, as far as the server can read it. */
export interface StanzaMessage {
  id: string;
  /** The number it goes to, as `+49…`; for others the address as it is. */
  to: string;
}

/** A message on its way to one device. */
export interface Arrival {
  id: string;
  sender: LinkedDeviceParts;
  /** The address the sender wrote on the stanza. */
  to: string;
  encrypted: Encrypted;
}

/** Acknowledges a message as the rules of its sender say, and takes each copy in it to the device it is for. */
export function routeMessage(network: Network, sender: LinkedDeviceParts, message: Stanza): void {
  const { id, to } = message.attrs as { id: string; to: string };
  const rule = ruleFor(sender.acks, { id, to: network.phoneOf(to)?.number ?? to });
  const error = rule.error === undefined ? undefined : String(rule.error);
  if (!rule.lost) {
    network.agenda.later(rule.delayMs ?? 0, () =>
      sender.send(stanza('ack', { class: 'message', id, from: to, t: network.agenda.timestamp(), error })),
    );
  }
  if (error !== undefined) return;
  for (const { jid, enc } of copiesOf(message)) {
    const encrypted = { type: enc.attrs.type as Encrypted['type'], body: bytesOf(enc) };
    network.agenda.later(0, () => takeTo(network, jid, { id, sender, to, encrypted }, message));
  }
}

function copiesOf(message: Stanza): { jid: string; enc: Stanza }[] {
  const direct = find(message, 'enc');
  if (direct) return [{ jid: message.attrs.to!, enc: direct }];
  return childrenOf(find(message, 'participants')).map((to) => ({
    jid: to.attrs.jid!,
    enc: find(to, 'enc')!,
  }));
}

async function takeTo(network: Network, jid: string, arrival: Arrival, message: Stanza): Promise<void> {
  const phone = network.phoneOf(jid);
  const id = deviceOf(jid);
  if (phone?.devices[id]) await phone.inbox.receive(id, arrival);
  else phone?.linked.find((linked) => linked.id === id)?.deliver(forwarded(network, arrival, message));
}

/** The message as another linked device gets it, such as a second bot. */
function forwarded(network: Network, { id, sender, to, encrypted }: Arrival, message: Stanza): Stanza {
  const byLid = to.endsWith('@lid');
  const attributes = {
    id,
    from: byLid ? sender.lid : sender.jid,
    t: network.agenda.timestamp(),
    type: message.attrs.type,
    notify: sender.phone.name,
    addressing_mode: byLid ? 'lid' : 'pn',
    sender_pn: byLid ? sender.phone.jid : undefined,
    sender_lid: byLid ? undefined : sender.phone.lid,
  };
  const identity = find(message, 'device-identity');
  const enc = stanza('enc', { v: '2', type: encrypted.type }, encrypted.body);
  return stanza('message', attributes, identity ? [enc, identity] : [enc]);
}
