import { EmailError, parseEmail } from '../addresses/email.ts';
import { isDisplayName } from './display-name.ts';
import { secret } from './secret.ts';
import { smtpServer } from './smtp-server.ts';
import { type Declaration, path, type Variable } from './variable.ts';

/** A mailbox with the name that readers of mail show in its place. */
export interface Mailbox {
  readonly address: string;
  readonly name: string | undefined;
}

/** The e-mail channel. */
export const emailVariables = {
  server: smtpServer({
    name: 'SMTP_URL',
    help: 'The mail server that takes the mail; the e-mail channel is off when unset.',
  }),
  from: mailbox({
    name: 'SMTP_FROM',
    help: 'The sender of the mail; without a name `BRAND_NAME` is shown.',
  }),
  dkimDomain: domain({
    name: 'SMTP_DKIM_DOMAIN',
    help: 'The domain to sign as (DKIM), that of `SMTP_FROM`; unset where the mail server signs.',
  }),
  dkimSelector: selector({
    name: 'SMTP_DKIM_SELECTOR',
    help: 'The DKIM selector: the public key is published in DNS at `selector._domainkey.domain`.',
  }),
  dkimKeyFile: path({
    name: 'SMTP_DKIM_KEY_FILE',
    help: 'The PEM file with the RSA private key to sign with, 2048 bits recommended, 1024 at least.',
  }),
  bounceToken: secret({
    name: 'SMTP_BOUNCE_TOKEN',
    minLength: 24,
    // It travels in the query of an address.
    allowed: 'a text of 24 characters or more, of letters, digits and -._~ only',
    accepts: (given) => /^[\w.~-]+$/.test(given),
    help: 'The token with which bounces may be reported to `POST /api/v1/channels/email/bounce`; without it only the administrator may.',
  }),
};

function mailbox(declaration: Declaration): Variable<Mailbox | undefined> {
  return {
    defaultText: '',
    ...declaration,
    allowed: 'an e-mail address such as no-reply@example.com, or with a name: Example <no-reply@example.com>',
    fallback: undefined,
    secret: false,
    parse(given) {
      const [, quoted, named = '', inBrackets] =
        /^(?:"([^"\\<>]*)"|([^"<>]*?))\s*<([^<>]*)>$/.exec(given.trim()) ?? [];
      const name = (quoted ?? named).trim();
      if (name !== '' && !isDisplayName(name)) return undefined;
      try {
        const { address } = parseEmail(inBrackets ?? given);
        return { address, name: name === '' ? undefined : name };
      } catch (error) {
        if (error instanceof EmailError) return undefined;
        throw error;
      }
    },
  };
}

function domain(declaration: Declaration): Variable<string | undefined> {
  return {
    defaultText: '',
    ...declaration,
    allowed: 'a domain such as example.com',
    fallback: undefined,
    secret: false,
    parse(given) {
      try {
        return parseEmail(`x@${given.trim()}`).address.slice(2);
      } catch (error) {
        if (error instanceof EmailError) return undefined;
        throw error;
      }
    },
  };
}

function selector(declaration: Declaration): Variable<string | undefined> {
  return {
    defaultText: '',
    ...declaration,
    allowed: 'letters, digits, hyphens and dots, such as wotp-2026',
    fallback: undefined,
    secret: false,
    parse: (given) => (/^[a-z0-9]+(?:[.-][a-z0-9]+)*$/i.test(given.trim()) ? given.trim() : undefined),
  };
}
