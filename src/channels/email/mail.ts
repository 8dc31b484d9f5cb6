import type { SendMailOptions } from 'nodemailer';
import type { Mailbox } from '../../config/email.ts';
import type { OutgoingMessage } from '../../messages/channel.ts';
import { htmlBody } from './html.ts';

/** Who sends a mail. */
export interface Sender {
  from: Mailbox;
  /** The name of the product, as recipients know it. */
  brand: string | undefined;
}

/** The Message-ID of a message, the same at every try, so that receivers recognize a repetition. */
function messageIdHeader(id: string, { from }: Sender): string {
  return `<${id}@${from.address.slice(from.address.lastIndexOf('@') + 1)}>`;
}

const codeSubject = (brand: string | undefined) =>
  brand === undefined ? 'Your verification code' : `Your verification code for ${brand}`;
const plainSubject = (brand: string | undefined) =>
  brand === undefined ? 'A message for you' : `A message from ${brand}`;

/**
 * A message as a mail: text and HTML, to one address, from an envelope of its own. The code is in the two bodies and in
 * no header, because servers on the way log headers and phones show subjects on locked screens.
 *
 * @param to an address that `parseEmail` has read: the library would take several from one text
 */
export function composeMail(
  message: Omit<OutgoingMessage, 'to' | 'projectId'>,
  to: string,
  sender: Sender,
  now: number,
): SendMailOptions {
  const { from, brand } = sender;
  const { id, text, code, expiresAt } = message;
  const locale = canonicalLocale(message.locale);
  const { subject = code === undefined ? plainSubject(brand) : codeSubject(brand) } = message;
  const plain = text.replace(/\r\n?/g, '\n').trim();
  return {
    envelope: { from: from.address, to: [to] },
    from: { name: from.name ?? brand ?? '', address: from.address },
    to: { name: '', address: to },
    subject,
    text: `${plain}\n`,
    html: message.html ?? htmlBody({ subject, text: plain, code, locale, brand }),
    messageId: messageIdHeader(id, sender),
    date: new Date(now),
    headers: {
      // RFC 3834 (5), and what Exchange reads: nobody on holiday answers.
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      // RFC 2156 (5.3.4): Outlook marks the mail as expired.
      Expires: new Date(expiresAt).toUTCString().replace('GMT', '+0000'),
      ...(locale !== undefined && { 'Content-Language': locale }),
    },
    xMailer: false,
    // A boundary is in the headers: a random one could hold the digits of the code.
    baseBoundary: id,
  };
}

/** A language tag as BCP 47 writes it; undefined where it is none. */
function canonicalLocale(given: string | undefined): string | undefined {
  try {
    return given === undefined ? undefined : Intl.getCanonicalLocales(given)[0];
  } catch {
    return undefined;
  }
}
