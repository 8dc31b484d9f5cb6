import { type BinaryNode, getBinaryNodeChild } from 'baileys';

export type Stanza = BinaryNode;

/** The address of the server itself. */
export const SERVER = '@s.whatsapp.net';

/** Builds a stanza; attributes that are undefined are left out. */
export function stanza(
  tag: string,
  attributes: Record<string, string | undefined> = {},
  content?: Stanza[] | Uint8Array,
): Stanza {
  const attrs: Record<string, string> = {};
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) attrs[name] = value;
  return content === undefined ? { tag, attrs } : { tag, attrs, content };
}

/** The children of a stanza; none when it holds bytes or nothing. */
export function childrenOf(parent: Stanza | undefined): Stanza[] {
  return Array.isArray(parent?.content) ? parent.content : [];
}

/** The descendant at this path of tags, if there is one. */
export function find(parent: Stanza | undefined, ...path: string[]): Stanza | undefined {
  return path.reduce<Stanza | undefined>((at, tag) => getBinaryNodeChild(at, tag), parent);
}

/** The bytes a stanza (or its descendant at this path) holds; throws when there are none. */
export function bytesOf(parent: Stanza | undefined, ...path: string[]): Buffer {
  const content = find(parent, ...path)?.content;
  if (typeof content === 'string') return Buffer.from(content);
  if (content instanceof Uint8Array) return Buffer.from(content);
  throw new Error(`The client's stanza has no bytes at ${[parent?.tag, ...path].join('/')}.`);
}

/** A big-endian number, as ids of keys are written. */
export function bigEndian(value: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  bytes.writeUIntBE(value, 0, length);
  return bytes;
}

/** The part of an address before the @, without the number of the device. */
export function userOf(jid: string): string {
  return jid.split('@')[0]!.split(':')[0]!;
}

/** The device an address names; 0, the phone itself, when it names none. */
export function deviceOf(jid: string): number {
  return Number(jid.split('@')[0]!.split(':')[1] ?? 0);
}

/** The address of a user, or of one of the user's devices. */
export function jidOf(user: string, server: 's.whatsapp.net' | 'lid', device = 0): string {
  return `${user}${device ? `:${device}` : ''}@${server}`;
}
