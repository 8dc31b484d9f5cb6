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
