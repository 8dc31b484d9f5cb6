import type { NodemailerError } from 'nodemailer';
import { maskEmail } from '../../addresses/email.ts';
import { SendError, type SendFailure } from '../../messages/channel.ts';
import type { TransportError } from './transport.ts';

/** A try that failed, and whether the operator has to do something before the channel can send again. */
export interface Verdict {
  error: SendError;
  isForOperator: boolean;
}

/** Greylisting lets a mail through when it comes again after some minutes (RFC 6647), in ms. */
const GREYLIST_MS = 60_000;
const BUSY_MS = 5_000;
/** So much of an answer is shown, in characters. */
const ANSWER_MAX = 200;
/** RFC 4954 (6), and RFC 5248 for the enhanced codes. */
const SIGN_IN_CODES = [530, 534, 535, 538];
const SIGN_IN_STATUS = /^5\.7\.(?:8|9|11)$/;
/** What Node's TLS calls a certificate or a connection that it does not trust. */
const UNTRUSTED = /CERT|SELF_SIGNED|UNABLE_TO|^ERR_(?:TLS|SSL)/;
/** Set by the library where the mail or the configuration is wrong, and not the server's doing. */
const OF_OUR_OWN = ['ECONFIG', 'EENVELOPE', 'EFILEACCESS', 'EMAXRECIPIENTS', 'EOTP', 'ESTREAM', 'EURLACCESS'];

/**
 * What a failed try means, by the reply of the server (RFC 5321, RFC 3463) or, where none came, by how far the try had
 * come: a mail that the server has got whole without answering may be delivered, so it is not sent again.
 *
 * @param code what is not to be shown, should the server repeat the mail in its answer
 */
export function verdictOf({ stage, cause }: TransportError, code: string | undefined): Verdict {
  const error = cause as NodemailerError;
  const answer = answerOf(error, code);
  const fails = (failure: SendFailure, reason: string, retryAfterMs?: number): Verdict => ({
    error: new SendError(failure, answer === '' ? reason : `${reason}: ${answer}`, undefined, retryAfterMs),
    isForOperator: false,
  });
  const needsOperator = (reason: string): Verdict => ({
    ...fails('unavailable', reason),
    isForOperator: true,
  });

  const { responseCode, command = '' } = error;
  const isTransient = responseCode !== undefined && responseCode >= 400 && responseCode < 500;
  if ((error.code === 'ETLS' && !isTransient) || UNTRUSTED.test(error.originalCode ?? '')) {
    return needsOperator(`no trusted TLS connection to the mail server (${error.message})`);
  }
  if (!responseCode) {
    if (stage === 'sent') return fails('uncertain', 'the mail server got the mail and did not answer');
    if (['EAUTH', 'ENOAUTH'].includes(error.code ?? ''))
      return needsOperator('signing in to the mail server failed');
    if (OF_OUR_OWN.includes(error.code ?? '')) {
      return {
        error: new SendError('permanent', 'the mail could not be built', error),
        isForOperator: false,
      };
    }
    return stage === 'connecting'
      ? fails('unavailable', `the mail server cannot be reached (${networkReason(error)})`)
      : fails('temporary', `the connection to the mail server broke (${networkReason(error)})`);
  }

  const status = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(error.response ?? '')?.[1] ?? '';
  const isPermanent = responseCode >= 500 && responseCode !== 503;
  if (responseCode === 421) return fails('unavailable', 'the mail server is closing or busy', BUSY_MS);
  if (SIGN_IN_CODES.includes(responseCode) || SIGN_IN_STATUS.test(status)) {
    return needsOperator('the mail server refused to sign us in');
  }
  if (stage === 'connecting') {
    return isPermanent
      ? needsOperator('the mail server refused the connection')
      : fails('unavailable', 'the mail server is not ready');
  }
  if (!isPermanent) {
    const isNamed = /gr[ae]y-?list/i.test(answer);
    // A fault of the server itself is said in place of any recipient.
    const isOfServer = status === '' ? responseCode === 452 : status.startsWith('4.3.');
    const isOfRecipient = isNamed || (command === 'RCPT TO' && responseCode !== 503 && !isOfServer);
    const failure = isOfRecipient ? 'deferred' : 'temporary';
    return isNamed || status.startsWith('4.7.')
      ? fails(failure, 'the mail server asked to come back later (greylisting)', GREYLIST_MS)
      : fails(failure, 'the mail server could not take the mail now');
  }
  if (command === 'MAIL FROM') return needsOperator('the mail server refused the sender (SMTP_FROM)');
  if (command === 'RCPT TO') {
    // Of no address in particular: the server does not know that it is to send for us.
    return /\brelay/i.test(answer)
      ? needsOperator('the mail server does not relay for us')
      : fails('permanent', refusedRecipient(responseCode, status));
  }
  return fails('permanent', 'the mail server refused the mail');
}

function refusedRecipient(code: number, status: string): string {
  if (status === '5.2.2' || code === 552) return 'the mailbox is full';
  if (/^5\.(?:1\.[0-36]|2\.1)$/.test(status)) return 'there is no such mailbox';
  if (code === 521 || code === 556 || status === '5.1.10') return 'the domain takes no mail';
  return 'the mail server refused the recipient';
}

function networkReason({ originalCode, timeoutType, code, message }: NodemailerError): string {
  if (code === 'EABORT' || timeoutType !== undefined) return 'no answer in time';
  return originalCode ?? (code === 'EDNS' ? 'its name was not found' : message);
}

/** What the server said, as `shownAnswer` shows it and without the code. */
function answerOf({ response = '' }: NodemailerError, code: string | undefined): string {
  return shownAnswer(code === undefined ? response : response.replaceAll(code, '••••'));
}

/** What a mail server said, on one line of at most 200 characters, with addresses masked. */
export function shownAnswer(answer: string): string {
  const line = answer
    .replace(/[\p{C}\s]+/gu, ' ')
    .replace(/[^\s<>()"']+@[^\s<>()"']+/g, (address) => maskEmail(address))
    .trim();
  return line.length > ANSWER_MAX ? `${line.slice(0, ANSWER_MAX)}…` : line;
}
