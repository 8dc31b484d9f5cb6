import { isLoopback } from '../lib/loopback.ts';
import { secret } from './secret.ts';
import { type Declaration, list, type Variable } from './variable.ts';

/** WhatsApp by Meta's Cloud API. */
export const cloudApiVariables = {
  token: secret({
    name: 'CLOUD_API_TOKEN',
    minLength: 8,
    // It travels in a header.
    allowed: 'an access token of 8 characters or more, without spaces',
    accepts: (given) => /^[\x21-\x7e]+$/.test(given),
    help: 'The access token of a system user with `whatsapp_business_messaging`; the channel `cloud_api` is off when unset.',
  }),
  phoneNumberIds: list({
    name: 'CLOUD_API_PHONE_NUMBER_ID',
    allowed: 'phone number ids (digits, as the App Dashboard shows them), separated by commas',
    help: 'The phone number ids to send from, not the numbers themselves; a later one where those before cannot send.',
    parseEntry: (entry) => (isMetaId(entry) ? entry : undefined),
  }),
  accountId: pattern({
    name: 'CLOUD_API_ACCOUNT_ID',
    allowed: 'the id of the WhatsApp Business Account: digits only',
    accepts: isMetaId,
    help: "The WhatsApp Business Account, to read the template's state from; without it the state is learnt from webhooks only.",
  }),
  template: pattern({
    name: 'CLOUD_API_TEMPLATE',
    allowed: 'the name of a template: lower case letters, digits and _, 512 characters at most',
    accepts: (given) => /^[a-z0-9_]{1,512}$/.test(given),
    help: 'The approved authentication template with a button that copies the code.',
  }),
  languages: list({
    name: 'CLOUD_API_LANGUAGES',
    allowed: "codes of Meta's languages, separated by commas, such as en_US,id,pt_BR",
    help: 'The languages in which the template is approved; the first one is used where neither the locale nor the country of the phone has one.',
    parseEntry: (entry) => languageCode(entry),
  }),
  version: {
    ...pattern({
      name: 'CLOUD_API_VERSION',
      allowed: 'a version of the Graph API such as v25.0',
      accepts: (given) => /^v[1-9]\d{0,2}\.\d{1,2}$/.test(given),
      help: 'The version of the Graph API.',
      defaultText: 'v25.0',
    }),
    fallback: 'v25.0',
  },
  baseUrl: graphAddress({
    name: 'CLOUD_API_BASE_URL',
    help: 'The address of the Graph API, for tests and gateways.',
  }),
  appSecret: secret({
    name: 'CLOUD_API_APP_SECRET',
    minLength: 8,
    allowed: 'the app secret, 8 characters or more, not only spaces',
    help: 'The secret of the Meta app, which signs the statuses of messages.',
  }),
  verifyToken: secret({
    name: 'CLOUD_API_VERIFY_TOKEN',
    minLength: 8,
    help: 'A text of your choice that you also give to Meta as the verify token of the webhook.',
  }),
};

function isMetaId(given: string): boolean {
  return /^\d{1,32}$/.test(given);
}

/** A language as Meta writes it (`pt_BR`, `zh_CN`, `id`), also when it is given as `pt-br`; undefined for anything else. */
function languageCode(given: string): string | undefined {
  const [, language, region] = /^([a-z]{2,3})(?:[_-]([a-z]{2}|\d{3}))?$/i.exec(given) ?? [];
  if (language === undefined) return undefined;
  return region === undefined ? language.toLowerCase() : `${language.toLowerCase()}_${region.toUpperCase()}`;
}

function pattern(
  declaration: Declaration & { allowed: string; accepts: (given: string) => boolean },
): Variable<string | undefined> {
  const { accepts, ...declared } = declaration;
  return {
    defaultText: '',
    ...declared,
    fallback: undefined,
    secret: false,
    parse: (given) => (accepts(given.trim()) ? given.trim() : undefined),
  };
}

/** An https address, and on this machine also an http one; kept without a slash at its end. */
function graphAddress(declaration: Declaration): Variable<string> {
  const fallback = 'https://graph.facebook.com';
  return {
    ...declaration,
    allowed: 'an https address such as https://graph.facebook.com, without user, query or fragment',
    fallback,
    defaultText: fallback,
    secret: false,
    parse(given) {
      const text = given.trim();
      if (!URL.canParse(text) || /[?#@\s]/.test(text)) return undefined;
      const { protocol, hostname, href } = new URL(text);
      const isProtected = protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
      return isProtected ? href.replace(/\/+$/, '') : undefined;
    },
  };
}
