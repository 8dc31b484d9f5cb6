import { type BinaryNode, getBinaryNodeChild } from 'baileys';

const LINKING_NOTIFICATIONS = ['passkey_prologue_request', 'link_code_companion_reg'];

/** Whether a stanza belongs to the linking of a phone, and has no meaning for who is linked. */
export function isOfLinking(stanza: BinaryNode): boolean {
  const { tag, attrs } = stanza;
  if (tag === 'notification') return LINKING_NOTIFICATIONS.includes(attrs.type ?? '');
  const isLinking = (child: string) => getBinaryNodeChild(stanza, child) !== undefined;
  return tag === 'iq' && (isLinking('pair-device') || isLinking('pair-success'));
}

/** Whether a stanza asks the client to fetch all its groups, which can be larger than anything else and is never needed. */
export function isOfGroups(stanza: BinaryNode): boolean {
  const type = stanza.tag === 'ib' ? getBinaryNodeChild(stanza, 'dirty')?.attrs.type : undefined;
  return type === 'groups' || type === 'communities';
}

/** What a message to one device is made of; each of its seals is opened. */
const PARTS_OF_MESSAGE_MAX = 32;
const CHILDREN_MAX = 256;
const ATTRIBUTES_MAX = 64;
/** Bytes of a sealed message, of which WOTP reads short texts; made of nothing but fields, so many take 40 ms to read. */
const SEALED_MAX_BYTES = 128 * 1024;
/** How WhatsApp says that a message is not for this device, which is then acknowledged and forgotten. */
const NOT_FOR_US = { tag: 'unavailable', attrs: { type: 'view_once_unavailable_fanout' } };
/** The settings of WhatsApp's client, which are thousands, and cost no more than reading them. */
const SETTINGS = 'props';

/**
 * Takes from a stanza what goes beyond all that is sent to a number that sends codes: the library, and WOTP, do something
 * for each child, such as to open a seal, ask the database or write to it, and compare each attribute with what is waited
 * for. The rest is acknowledged as the whole would be.
 */
export function shorten(stanza: BinaryNode): void {
  const attributes = Object.entries(stanza.attrs);
  if (attributes.length > ATTRIBUTES_MAX)
    stanza.attrs = Object.fromEntries(attributes.slice(0, ATTRIBUTES_MAX));
  const { tag, content } = stanza;
  if (!Array.isArray(content)) return;
  if (tag === 'message' && !isOfOwnPhone(stanza) && content.some(isTooLarge)) stanza.content = [NOT_FOR_US];
  if (tag !== SETTINGS)
    content.length = Math.min(content.length, tag === 'message' ? PARTS_OF_MESSAGE_MAX : CHILDREN_MAX);
  content.forEach(shorten);
}

/** Whether the linked phone tells this device something, such as keys. */
function isOfOwnPhone({ attrs }: BinaryNode): boolean {
  return attrs.category === 'peer';
}

/** Anybody can send a message, and what it is made of is known only once it was opened and read whole. */
function isTooLarge({ content }: BinaryNode): boolean {
  return content instanceof Uint8Array && content.length > SEALED_MAX_BYTES;
}
