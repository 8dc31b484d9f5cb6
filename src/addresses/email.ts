import { domainToASCII, domainToUnicode } from 'node:url';
import { WotpError } from '../errors/errors.ts';
import { unreadableIn } from '../lib/typed-text.ts';

/** An e-mail address to which a code may be sent. */
export interface Email {
  /** Where mail goes: the mailbox as it was typed, the domain in lower case and as A-labels (RFC 5890). */
  address: string;
  /** The same for every spelling of one address: the mailbox in lower case too. Verifications are found by it. */
  identity: string;
  /**
   * The same for addresses that usually end in one mailbox: without `+tag`, Gmail's dots, Yahoo's `-tag`. For limits of
   * sending only: two people may share one, so that nothing is ever proved by it.
   */
  limitKey: string;
}

/** Why an address is refused. The message is safe to show and never repeats the address. */
export class EmailError extends Error {
  override readonly name = 'EmailError';
}

/** RFC 5321 (4.5.3.1) with the erratum to RFC 3696: 254 in all, 64 before the @. */
const ADDRESS_LENGTH_MAX = 254;
const MAILBOX_LENGTH_MAX = 64;
const LABEL_LENGTH_MAX = 63;
const HOW_TO_WRITE = 'Write one address, such as name@example.com.';

/** White space and invisible characters around what was pasted. */
const AROUND =
  /^[\p{White_Space}\p{Format}\p{Default_Ignorable_Code_Point}]+|[\p{White_Space}\p{Format}\p{Default_Ignorable_Code_Point}]+$/gu;
/** The atoms of RFC 5322 without `!`, `%` and `|`, by which mail servers have forwarded mail and run programs. */
const MAILBOX_CHARACTER = /^[A-Za-z0-9#$&'*+/=?^_`{}~.-]$/;
const DOMAIN_CHARACTER = /^[\p{L}\p{M}\p{N}.-]$/u;
const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;

/**
 * Reads one e-mail address, more strictly than RFC 5322: no quotes, comments, display name, routes or address literals,
 * and the mailbox in ASCII, because few relays deliver others (RFC 6531). A domain may be of any script.
 *
 * @throws {EmailError} that says why; nothing else, whatever the input.
 */
export function parseEmail(input: string): Email {
  // An address of this length in characters has no fewer bytes; the rest is measured when it is ASCII.
  if (input.length > 2 * ADDRESS_LENGTH_MAX) throw tooLong();
  const typed = input.replace(AROUND, '');
  if (typed === '') throw new EmailError(`The e-mail address is empty. ${HOW_TO_WRITE}`);
  const parts = typed.split('@');
  if (parts.length !== 2) {
    const count = parts.length === 1 ? 'no @' : 'more than one @';
    throw new EmailError(`The e-mail address has ${count}. ${HOW_TO_WRITE}`);
  }
  const mailbox = readMailbox(parts[0]!);
  const domain = readDomain(parts[1]!);
  const address = `${mailbox}@${domain}`;
  if (address.length > ADDRESS_LENGTH_MAX) throw tooLong();
  const folded = mailbox.toLowerCase();
  return { address, identity: `${folded}@${domain}`, limitKey: limitKeyOf(folded, domain) };
}

/**
 * Reads an e-mail address as a caller wrote it; `path` is the field it was in.
 * @throws WotpError EMAIL_INVALID
 */
export function readEmail(input: string, path = 'email'): Email {
  try {
    return parseEmail(input);
  } catch (error) {
    if (!(error instanceof EmailError)) throw error;
    // Its sentences are about an e-mail address; another field is named as well.
    const message =
      path === 'email' ? error.message : `The value of \`${path}\` is refused. ${error.message}`;
    throw new WotpError('EMAIL_INVALID', message, { errors: [{ path, message }] });
  }
}

/** Masks an address for logs: its first character and its domain stay (`j***@example.com`). */
export function maskEmail(address: string): string {
  const at = address.lastIndexOf('@');
  return at === -1 ? '***' : `${address.slice(0, Math.min(1, at))}***${address.slice(at)}`;
}

function readMailbox(mailbox: string): string {
  if (mailbox === '') throw new EmailError(`The e-mail address has nothing before the @. ${HOW_TO_WRITE}`);
  const unreadable = unreadableIn(mailbox, MAILBOX_CHARACTER);
  if (unreadable !== undefined) {
    const isForeign = /[^\0-\x7f]/.test(mailbox);
    throw new EmailError(
      isForeign
        ? `Before the @ an e-mail address can have ASCII characters only, and not ${unreadable}.`
        : `Before the @ an e-mail address cannot contain ${unreadable}. ${HOW_TO_WRITE}`,
    );
  }
  if (mailbox.length > MAILBOX_LENGTH_MAX) {
    throw new EmailError(`Before the @ an e-mail address may have at most ${MAILBOX_LENGTH_MAX} characters.`);
  }
  if (mailbox.startsWith('.') || mailbox.endsWith('.') || mailbox.includes('..')) {
    throw new EmailError('Before the @ of an e-mail address, dots may only be between other characters.');
  }
  return mailbox;
}

/** The domain in lower case and as A-labels. */
function readDomain(typed: string): string {
  if (typed === '') throw new EmailError(`The e-mail address has nothing after the @. ${HOW_TO_WRITE}`);
  if (typed.startsWith('['))
    throw new EmailError('An e-mail address needs a domain name, not an IP address.');
  const unreadable = unreadableIn(typed, DOMAIN_CHARACTER);
  if (unreadable !== undefined) {
    throw new EmailError(`After the @ an e-mail address cannot contain ${unreadable}. ${HOW_TO_WRITE}`);
  }
  // Read as a host name, `0x7f.1` would become an IP address.
  const isAscii = /^[\0-\x7f]*$/.test(typed);
  const domain = isAscii ? typed.toLowerCase() : domainToASCII(typed);
  const labels = domain.split('.');
  if (labels.length < 2) {
    throw new EmailError(
      'The domain of the e-mail address is not complete. Write it with its ending, such as example.com.',
    );
  }
  if (labels.some((label) => label.length > LABEL_LENGTH_MAX) || domain.length > ADDRESS_LENGTH_MAX) {
    throw tooLong();
  }
  const isRegular = labels.every((label) => LABEL.test(label)) && /[a-z]/.test(labels.at(-1)!);
  const hasEncoded = labels.some((label) => label.startsWith('xn--'));
  if (!isRegular || (hasEncoded && domainToASCII(domainToUnicode(domain)) !== domain)) {
    throw new EmailError('The domain of the e-mail address cannot exist. Check what is after the @.');
  }
  return domain;
}

const tooLong = () =>
  new EmailError(
    `An e-mail address may have at most ${ADDRESS_LENGTH_MAX} characters, and each part of its domain ${LABEL_LENGTH_MAX}.`,
  );

const YAHOO = /^(?:yahoo|ymail|rocketmail)\./;

function limitKeyOf(mailbox: string, domain: string): string {
  const isGmail = domain === 'gmail.com' || domain === 'googlemail.com';
  const mark = YAHOO.test(domain) ? '-' : '+';
  // A mailbox that begins with the mark has no tag.
  const end = mailbox.indexOf(mark, 1);
  const untagged = end === -1 ? mailbox : mailbox.slice(0, end);
  return isGmail ? `${untagged.replaceAll('.', '')}@gmail.com` : `${untagged}@${domain}`;
}
