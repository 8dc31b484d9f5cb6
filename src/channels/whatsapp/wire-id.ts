import { bytesOfId, idFromBytes } from '../../lib/id.ts';

/** What the ids of linked devices begin with. */
const PREFIX = '3EB0';
const FORM = /^3EB0[0-9A-F]{12}7[0-9A-F]{3}[89AB][0-9A-F]{15}$/;

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
