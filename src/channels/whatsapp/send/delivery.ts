import type { BinaryNode } from 'baileys';

/** What a receipt tells of a message: WhatsApp has it, it is on the recipient's phone, or it was read or played. */
export type Receipt = 'sent' | 'delivered' | 'read';

const BY_TYPE = new Map<string | undefined, Receipt>([
  [undefined, 'delivered'],
  ['inactive', 'delivered'],
  // From the own phone: it has a copy, so WhatsApp has the message.
  ['sender', 'sent'],
  ['read', 'read'],
  ['played', 'read'],
]);

/**
 * Reads a receipt stanza, which may speak of several messages. The stanza itself is read, and not the client's
 * `messages.update`: the client folds updates that come close together into one and keeps the last, so that a late
 * "delivered" would hide a "read". Receipts come late, twice and in any order; each says what has at least happened.
 */
export function receiptsIn({ attrs, content }: BinaryNode): { wireId: string; receipt: Receipt }[] {
  const receipt = BY_TYPE.get(attrs.type);
  if (receipt === undefined) return [];
  const list = Array.isArray(content) ? content.find(({ tag }) => tag === 'list') : undefined;
  const items = Array.isArray(list?.content) ? list.content : [];
  const ids = [attrs.id, ...items.map((item) => item.attrs.id)];
  return ids.flatMap((wireId) => (wireId ? [{ wireId, receipt }] : []));
}
