import { createTransport, type DKIMOptions, type SendMailOptions } from 'nodemailer';
import { ExpectedError } from '../../lib/expected-error.ts';

/**
 * Signs a mail that is not sent. With a key that it cannot use, the mail library sends unsigned mail and says nothing.
 * @throws ExpectedError that says what to do, when the mail has no signature
 */
export async function assertSigns(dkim: DKIMOptions, sample: SendMailOptions): Promise<void> {
  const { message } = await createTransport({ streamTransport: true, buffer: true, dkim }).sendMail(sample);
  if (/^DKIM-Signature:/im.test(headersOf(message as Buffer))) return;
  throw new ExpectedError(
    'Mail cannot be signed with the key in SMTP_DKIM_KEY_FILE. Use an RSA private key of 2048 bits (PEM), or take the SMTP_DKIM_ settings out.',
  );
}

function headersOf(message: Buffer): string {
  const text = message.toString('latin1');
  return text.slice(0, text.search(/\r?\n\r?\n/));
}
