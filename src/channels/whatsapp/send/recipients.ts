import { identityOf } from '../../../addresses/phone.ts';
import { userOf } from '../jid.ts';
import type { NumberDirectory } from './number-directory.ts';

/** Knows whom each message went to, so that nobody else can ask for it or tell what became of it. */
export interface Recipients {
  /** A message is about to be sent to this number (E.164). */
  note(messageId: string, phone: string): void;
  /** Whether a message went to the line of this number (E.164), however it is spelled. */
  isTo(messageId: string, number: string): Promise<boolean>;
}

/** Messages whose recipients are remembered; those of earlier ones are asked for. */
const REMEMBERED_MAX = 20_000;

/** @param phoneOf whom a stored message is for (E.164); undefined when there is none */
export function messageRecipients(deps: {
  phoneOf: (messageId: string) => Promise<string | undefined>;
  directory: NumberDirectory;
}): Recipients {
  const { phoneOf, directory } = deps;
  const sent = new Map<string, string>();

  /** WhatsApp may spell a number in a way that is known from its own answer only. */
  async function isListedAs(phone: string, identity: string): Promise<boolean> {
    const jid = (await directory.find([phone])).get(phone)?.jid;
    return jid?.endsWith('@s.whatsapp.net') === true && identityOf(`+${userOf(jid)}`) === identity;
  }

  return {
    note(messageId, phone) {
      sent.set(messageId, phone);
      if (sent.size > REMEMBERED_MAX) sent.delete(sent.keys().next().value!);
    },
    async isTo(messageId, number) {
      const phone = sent.get(messageId) ?? (await phoneOf(messageId));
      if (phone === undefined) return false;
      const identity = identityOf(number);
      return identityOf(phone) === identity || isListedAs(phone, identity);
    },
  };
}
