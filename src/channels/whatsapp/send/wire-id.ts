import { bytesOfId, idFromBytes } from '../../../lib/id.ts';

/** What the ids of linked devices begin with. */
const PREFIX = '3EB0';
const FORM = /^3EB0[0-9A-F]{12}7[0-9A-F]{3}[89AB][0-9A-F]{15}$/;
/** Where the version of the UUID stands; the message with the bare code has another one there. */
const VERSION_AT = PREFIX.length + 12;
const TEXT_VERSION = '7';
const CODE_VERSION = '8';

/**
 * The id under which WhatsApp knows a message of the outbox: the 32 hex digits of its UUID after a prefix. So a
 * receipt finds its message without another column, and every try of a message has the same id.
 */
export function wireIdOf(messageId: string): string {
  return `${PREFIX}${bytesOfId('msg', messageId).toString('hex').toUpperCase()}`;
}

/** The message that was sent under this id; undefined when WOTP made no such id (the phone's own messages). */
export function messageIdOf(wireId: string): string | undefined {
  if (!FORM.test(wireId)) return undefined;
  return idFromBytes('msg', Buffer.from(wireId.slice(PREFIX.length), 'hex'));
}

/** The id of the second message, which holds nothing but the code of this one. */
export function codeWireIdOf(messageId: string): string {
  return withVersion(wireIdOf(messageId), CODE_VERSION);
}

/** The message whose bare code was sent under this id; undefined when it is not such an id. */
export function messageIdOfCode(wireId: string): string | undefined {
  return wireId[VERSION_AT] === CODE_VERSION ? messageIdOf(withVersion(wireId, TEXT_VERSION)) : undefined;
}

function withVersion(wireId: string, version: string): string {
  return wireId.slice(0, VERSION_AT) + version + wireId.slice(VERSION_AT + 1);
}
