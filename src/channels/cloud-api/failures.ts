/** What Meta said of a message that it did not take, or could not deliver. */
export interface MetaError {
  /** Undefined where the answer was not one of the Graph API. */
  code: number | undefined;
  subcode?: number | undefined;
  /** The HTTP status; undefined in a webhook. */
  status?: number | undefined;
}

/** What a failure means for this message, for those that follow, and for the operator. */
export type Failure = {
  /** A sentence for the timeline. */
  says: string;
  /** Whether the operator is told though the channel goes on. */
  isForOperator?: boolean;
} & (
  | {
      /** No try can succeed: the next channel. */
      kind: 'refused';
      /** Whether others like it are refused too, for a while. */
      holdsFor?: 'recipient' | 'country';
    }
  /** Another try may succeed, as often as `tries` says. */
  | { kind: 'again'; tries: number }
  /** Too much to this recipient from this number. */
  | { kind: 'pair' }
  /** Too much at the moment: nothing is sent for `pauseMs`, doubled each time up to `mostMs`. */
  | { kind: 'paused'; of: 'account' | 'number'; pauseMs: number; mostMs: number }
  /** Nothing can be sent until the operator has done something. */
  | { kind: 'stopped'; of: 'account' | 'number' }
  /** The template cannot be used in this language. */
  | { kind: 'language' }
  /** Whether Meta has taken the message is not known. */
  | { kind: 'uncertain' }
);

const SECOND = 1_000;
const MINUTE = 60_000;

const refused = (says: string, more: { isForOperator?: boolean; holdsFor?: 'recipient' | 'country' } = {}) =>
  ({ kind: 'refused', says, ...more }) as const;
/** Something of ours is wrong, in this message at least. */
const mistaken = (says: string) => refused(says, { isForOperator: true });
const again = (tries: number, says: string) => ({ kind: 'again', says, tries }) as const;
const stopped = (of: 'account' | 'number', says: string) => ({ kind: 'stopped', of, says }) as const;
const paused = (of: 'account' | 'number', pauseMs: number, mostMs: number, says: string) =>
  ({ kind: 'paused', of, pauseMs, mostMs, says }) as const;
const language = (says: string) => ({ kind: 'language', says }) as const;

const TOKEN = stopped('account', 'CLOUD_API_TOKEN is invalid or has expired');
const PERMISSION = stopped('account', 'the token lacks the permission whatsapp_business_messaging');
const UNAVAILABLE = again(3, 'the WhatsApp Cloud API is temporarily unavailable');
const UNKNOWN = again(1, 'the WhatsApp Cloud API failed for an unknown reason');
const RESTRICTED = stopped('account', 'Meta has restricted or disabled the account');
const NOT_REGISTERED = stopped('number', 'the sending number is not registered, or does not exist');
const WRONG_TEMPLATE = stopped(
  'account',
  'the template takes other parameters: it has to be an authentication template with a button for the code',
);
const WRONG_CATEGORY = mistaken(
  'the recipient gets no marketing messages: check that the category of the template is authentication',
);

/** By the code of Meta's error, wherever it comes: as the answer to a request, or in a webhook. */
const FAILURES: Readonly<Record<number, Failure>> = {
  0: TOKEN,
  190: TOKEN,
  3: PERMISSION,
  10: PERMISSION,
  131005: PERMISSION,
  1: again(2, 'the WhatsApp Cloud API failed, or did not understand the request'),
  2: UNAVAILABLE,
  131016: UNAVAILABLE,
  133004: UNAVAILABLE,
  131000: UNKNOWN,
  135000: UNKNOWN,
  4: paused('account', MINUTE, 15 * MINUTE, 'the app has reached its limit of requests'),
  80007: paused('account', MINUTE, 15 * MINUTE, 'the account has reached its limit of requests'),
  130429: paused('number', SECOND, 30 * SECOND, 'the sending number has reached its throughput'),
  131056: { kind: 'pair', says: 'too many messages to this recipient' },
  131048: stopped('number', 'Meta limits the sending number for spam or bad quality'),
  131064: stopped('account', 'Meta limits the account because of misclassified templates'),
  131057: paused('number', MINUTE, MINUTE, 'the sending number is in maintenance'),
  368: RESTRICTED,
  131031: RESTRICTED,
  131042: stopped('account', 'Meta has a problem with the payment for the account'),
  130497: refused('the account may not send to this country', { holdsFor: 'country' }),
  131026: refused('the number is not on WhatsApp, or its app cannot receive the message', {
    holdsFor: 'recipient',
  }),
  131030: mistaken('the recipient is not on the allow list of the test number'),
  131021: refused('the recipient is the sending number'),
  130403: refused('the recipient is blocked by this business'),
  131062: mistaken('authentication templates can only be sent to a phone number'),
  131047: mistaken('only a template can start a conversation'),
  131049: WRONG_CATEGORY,
  130472: WRONG_CATEGORY,
  131050: WRONG_CATEGORY,
  131051: mistaken('the type of the message is not supported'),
  131045: NOT_REGISTERED,
  133010: NOT_REGISTERED,
  33: NOT_REGISTERED,
  131037: stopped('number', 'the sending number needs an approved display name'),
  100: mistaken('the WhatsApp Cloud API refused a parameter'),
  131008: mistaken('the request to the WhatsApp Cloud API lacks a parameter'),
  131009: mistaken('the WhatsApp Cloud API refused the value of a parameter'),
  132000: WRONG_TEMPLATE,
  132012: WRONG_TEMPLATE,
  132018: WRONG_TEMPLATE,
  132005: stopped('account', 'the text of the template is too long'),
  132007: stopped('account', 'the template breaks a rule of WhatsApp'),
  132001: language('the template does not exist in this language, or is not approved'),
  132015: language('the template is paused for bad quality'),
  132016: language('the template is disabled for bad quality'),
};

/** What an error means: by its code, and where that is unknown or absent by the HTTP status. */
export function failureOf({ code, subcode, status }: MetaError): Failure {
  const failure = code === undefined ? byStatus(status ?? 0) : byCode(code, subcode, status);
  return code === undefined ? failure : { ...failure, says: `${failure.says} (Meta's error ${code})` };
}

function byCode(code: number, subcode: number | undefined, status = 0): Failure {
  // "Object with ID … does not exist" has only a subcode of its own.
  if (code === 100 && subcode === 33) return NOT_REGISTERED;
  const known = Object.hasOwn(FAILURES, code) ? FAILURES[code] : undefined;
  if (known) return known;
  if (code >= 200 && code <= 299) return PERMISSION;
  if (status === 429 || status >= 500) return UNKNOWN;
  return status === 401 || status === 403
    ? stopped('account', 'the WhatsApp Cloud API refuses the account')
    : refused('the WhatsApp Cloud API refused the message');
}

function byStatus(status: number): Failure {
  const says = `the answer of the WhatsApp Cloud API was HTTP ${status}`;
  if (status === 429) return paused('number', SECOND, 30 * SECOND, says);
  // A gateway that gave up waiting does not know what became of the request.
  if (status === 502 || status === 504) return { kind: 'uncertain', says };
  if (status === 408 || status === 425 || status >= 500) return again(3, says);
  return stopped('account', `${says}: check CLOUD_API_BASE_URL and CLOUD_API_VERSION`);
}
