import type { WhatsAppSocket } from './link/session.ts';

/** People and their devices; business accounts may have one that is hosted for them. */
const PERSON = /^(\d+)(?::\d+)?@(s\.whatsapp\.net|lid|hosted|hosted\.lid)$/;

/** Whose address it is, whichever of their devices; undefined for groups and everything else. */
function personOf(jid: string): { user: string; isLid: boolean } | undefined {
  const [, user, server] = PERSON.exec(jid) ?? [];
  return user === undefined ? undefined : { user, isLid: server!.endsWith('lid') };
}

/** The part of an address before the device and the server. */
export function userOf(jid: string): string {
  return jid.split('@')[0]!.split(':')[0]!;
}

/**
 * The number behind the address of a person, in E.164. A LID looks like a number and is none. Undefined where the
 * number of a LID is not known, and for whatever is not a person.
 */
export async function numberOf(socket: WhatsAppSocket, jid: string): Promise<string | undefined> {
  const person = personOf(jid);
  if (!person?.isLid) return person && `+${person.user}`;
  const known = await socket.signalRepository.lidMapping.getPNForLID(`${person.user}@lid`);
  return known ? `+${userOf(known)}` : undefined;
}

/** Whether it is an address of the account that is logged in here. */
export function isOwn(socket: WhatsAppSocket, jid: string): boolean {
  const person = personOf(jid);
  const { id, lid } = socket.user ?? {};
  const own = person?.isLid ? lid : id;
  return own !== undefined && person?.user === userOf(own);
}
