import { z } from 'zod';

/** What a request to a provider can hold of a message, in `{{…}}`. */
const PLACEHOLDERS = [
  'to',
  'toDigits',
  'text',
  'code',
  'messageId',
  'brand',
  'locale',
  'ttlSeconds',
  'callbackUrl',
] as const;
export type Placeholder = (typeof PLACEHOLDERS)[number];

/** Those whose text fits a header. */
const IN_HEADERS: readonly string[] = ['to', 'toDigits', 'code', 'messageId', 'locale', 'ttlSeconds'];

/** A placeholder of a template; blanks inside do not matter. */
export const PLACEHOLDER = /\{\{\s*([^{}]*?)\s*\}\}/g;

const TEXT_MAX_LENGTH = 4_096;
const JSON_MAX_LEVELS = 10;
/** Headers that say how a request is sent, which is not the provider's affair. */
const OWN_HEADERS = ['host', 'content-length', 'transfer-encoding', 'connection', 'expect', 'upgrade'];

/** The names of the placeholders in a template. */
function placeholdersIn(template: string): string[] {
  return [...template.matchAll(PLACEHOLDER)].map(([, name]) => name!);
}

const known = (allowed: readonly string[]) => (template: string) =>
  placeholdersIn(template).every((name) => allowed.includes(name)) &&
  !/\{\{|\}\}/.test(template.replace(PLACEHOLDER, ''));

const placeholderList = (allowed: readonly string[]) => allowed.map((name) => `{{${name}}}`).join(' ');

const text = (allowed: string, max = TEXT_MAX_LENGTH) => z.string(allowed).min(1, allowed).max(max, allowed);

const TEMPLATE = `a text of at most ${TEXT_MAX_LENGTH} characters with no other placeholders than ${placeholderList(PLACEHOLDERS)}`;
const template = z.string(TEMPLATE).max(TEXT_MAX_LENGTH, TEMPLATE).refine(known(PLACEHOLDERS), TEMPLATE);

const PATH = 'a path of names and numbers with dots, such as messages.0.status';
const path = text(PATH, 200).regex(/^[^.\s]+(\.[^.\s]+)*$/, PATH);

const SECRET = 'a text of 1 to 500 characters';
const secret = text(SECRET, 500);

/** An object with these fields and no others. */
function fields<T extends z.ZodRawShape>(shape: T) {
  return z.strictObject(shape, {
    error: ({ code }) =>
      code === 'unrecognized_keys' ? `the fields ${Object.keys(shape).join(', ')}` : 'an object',
  });
}

const has = (given: unknown, name: string) =>
  typeof given === 'object' && given !== null && Object.hasOwn(given, name);

/** One of several forms, chosen by what is given, so that a problem is one of the form that was meant. */
function oneForm<T>(formOf: (given: unknown) => z.ZodType<T>) {
  return z.unknown().transform((given, context): T => {
    const { success, data, error } = formOf(given).safeParse(given);
    if (success) return data;
    for (const issue of error.issues) {
      const { path, message } = issue;
      const inner = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...path, key]) : [path];
      for (const each of inner) context.addIssue({ code: 'custom', path: each, message });
    }
    return z.NEVER;
  });
}

const VALUES = 'a list of 1 to 100 texts, numbers, or true and false';
const values = z
  .array(z.union([z.string(), z.number(), z.boolean()], VALUES).transform(String), VALUES)
  .min(1, VALUES)
  .max(100, VALUES);

const rules = <T extends z.ZodType>(rule: T) => {
  const allowed = 'a list of at most 50 rules';
  return z.array(rule, allowed).max(50, allowed);
};

/** A value of a JSON body: a template in every text, and numbers as `{ "$number": "{{toDigits}}" }`. */
export type JsonTemplate =
  | string
  | number
  | boolean
  | null
  | readonly JsonTemplate[]
  | { readonly [name: string]: JsonTemplate };

const JSON_BODY = `JSON of at most ${JSON_MAX_LEVELS} levels`;
const NUMBER = '{ "$number": "{{toDigits}}" } or { "$number": "{{ttlSeconds}}" }';
/** Whose text is a number without zeros in front. */
const NUMERIC: readonly string[] = ['toDigits', 'ttlSeconds'];

const jsonTemplate = z
  .custom<JsonTemplate>((value) => value !== undefined, JSON_BODY)
  .superRefine((value, context) => {
    const visit = (part: unknown, at: (string | number)[], level: number): void => {
      const refuse = (message: string) => context.addIssue({ code: 'custom', path: at, message });
      if (level > JSON_MAX_LEVELS) refuse(JSON_BODY);
      else if (typeof part === 'string') {
        const { error } = template.safeParse(part);
        if (error) refuse(error.issues[0]!.message);
      } else if (Array.isArray(part)) {
        for (const [index, entry] of part.entries()) visit(entry, [...at, index], level + 1);
      } else if (typeof part === 'object' && part !== null) {
        if ('$number' in part) {
          const names = typeof part.$number === 'string' ? numberPlaceholder(part.$number) : undefined;
          if (Object.keys(part).length > 1 || names === undefined) refuse(NUMBER);
        } else for (const [name, entry] of Object.entries(part)) visit(entry, [...at, name], level + 1);
      }
    };
    visit(value, [], 1);
  });

/** The placeholder of `{ "$number": … }`; undefined where the text is not one alone that gives a number. */
export function numberPlaceholder(given: string): Placeholder | undefined {
  const name = /^\{\{\s*(\w+)\s*\}\}$/.exec(given)?.[1] ?? '';
  return NUMERIC.includes(name) ? (name as Placeholder) : undefined;
}

const RECORD = 'an object of at most 50 names, each with a text';
const record = z
  .record(
    z.string(),
    z.union([template, z.number().transform(String), z.boolean().transform(String)], TEMPLATE),
    RECORD,
  )
  .refine((given) => Object.keys(given).length <= 50, RECORD);

const HEADER = `a header of its own with a text in ASCII and no other placeholders than ${placeholderList(IN_HEADERS)}`;
const headers = z
  .record(z.string(), z.string(HEADER), 'an object of at most 20 headers')
  .refine((given) => Object.keys(given).length <= 20, 'an object of at most 20 headers')
  .superRefine((given, context) => {
    for (const [name, value] of Object.entries(given)) {
      const isFit =
        /^[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,100}$/.test(name) &&
        !OWN_HEADERS.includes(name.toLowerCase()) &&
        /^[\x20-\x7e\t]*$/.test(value) &&
        known(IN_HEADERS)(value);
      if (!isFit) context.addIssue({ code: 'custom', path: [name], message: HEADER });
    }
  });

const AUTH = 'one of { "basic": { "user", "password" } } and { "bearer": "…" }, or none';
const credential = text('a text of at most 500 characters', 500);
const token = credential.regex(/^[\x21-\x7e]+$/, 'a text in ASCII without spaces');
const basicAuth = fields({
  basic: fields({ user: credential.regex(/^[^:]*$/, 'a text without a colon'), password: credential }),
});
const bearerAuth = fields({ bearer: token });
type Auth = z.output<typeof basicAuth> | z.output<typeof bearerAuth> | undefined;
const auth = oneForm<Auth>((given) => {
  if (given === 'none') return z.literal('none').transform(() => undefined);
  return has(given, 'basic') ? basicAuth : has(given, 'bearer') ? bearerAuth : z.never(AUTH);
});

const STATUS = 'a list of HTTP statuses from 200 to 299';
const statuses = z
  .array(z.int(STATUS).min(200, STATUS).max(299, STATUS), STATUS)
  .min(1, STATUS)
  .max(50, STATUS);

const success = fields({
  status: statuses.optional(),
  where: rules(fields({ path, in: values })).optional(),
});

/** What a refusal means: for this message, for now, or for the provider until the operator has done something. */
const REFUSALS = ['permanent', 'temporary', 'operator'] as const;
export type Refusal = (typeof REFUSALS)[number];

const refused = rules(fields({ path, in: values, as: z.enum(REFUSALS, `one of ${REFUSALS.join(', ')}`) }));

const ALGORITHMS = ['hmac-sha1', 'hmac-sha256', 'hmac-sha512'] as const;
const PARTS = ['body', 'url', 'timestamp', 'form'] as const;
const SCHEMES = ['twilio', 'telegram'] as const;
const HEADER_NAME = 'the name of a header';
const headerName = text(HEADER_NAME, 100)
  .regex(/^[a-zA-Z0-9-]+$/, HEADER_NAME)
  .toLowerCase();
const OVER = `a list of ${PARTS.join(', ')}, each at most once`;

const hmac = fields({
  header: headerName,
  algorithm: z.enum(ALGORITHMS, `one of ${ALGORITHMS.join(', ')}`),
  encoding: z.enum(['hex', 'base64'], 'one of hex, base64'),
  secret,
  over: z
    .array(z.enum(PARTS, OVER), OVER)
    .min(1, OVER)
    .refine((given) => new Set(given).size === given.length, OVER)
    .default(['body']),
  timestampHeader: headerName.optional(),
  separator: z.string('a text of at most 5 characters').max(5, 'a text of at most 5 characters').default(''),
}).refine(({ over, timestampHeader }) => !over.includes('timestamp') || timestampHeader !== undefined, {
  path: ['timestampHeader'],
  message: 'the header with the timestamp that is signed',
});
const scheme = fields({ scheme: z.enum(SCHEMES, `one of ${SCHEMES.join(', ')}`), secret });
type Signature = z.output<typeof hmac> | z.output<typeof scheme>;
const signature = oneForm<Signature>((given) => (has(given, 'scheme') ? scheme : hmac));

const STATES = ['sent', 'delivered', 'read', 'failed'] as const;
const MAP = `an object that leads 1 to 100 statuses of the provider to one of ${STATES.join(', ')}`;
const TOKEN = 'a text of 12 to 200 characters in ASCII, without spaces';
const PROOF = 'a `signature`, a `token` of the query, or both, since anybody can reach the address';

const callback = fields({
  items: path.optional(),
  messageId: path,
  status: path,
  map: z
    .record(z.string(), z.enum(STATES, `one of ${STATES.join(', ')}`), MAP)
    .refine((given) => Object.keys(given).length > 0 && Object.keys(given).length <= 100, MAP),
  signature: signature.optional(),
  token: z
    .string(TOKEN)
    .regex(/^[\x21-\x7e]{12,200}$/, TOKEN)
    .optional(),
}).refine(({ signature: signed, token: secretToken }) => signed !== undefined || secretToken !== undefined, {
  path: ['signature'],
  message: PROOF,
});

const NAME = 'a name of 1 to 32 small letters, digits and hyphens, used once';
const URL_TEXT =
  'an http or https address of at most 2000 characters, with placeholders after its host only, without user and fragment';
const url = text(URL_TEXT, 2_000)
  .refine(
    (given) =>
      /^https?:\/\/[^/?#@{}\s]+([/?][^#\s]*)?$/i.test(given.replace(PLACEHOLDER, '{{}}')) &&
      URL.canParse(given),
    URL_TEXT,
  )
  .refine(known(PLACEHOLDERS), URL_TEXT);

const BODIES = ['json', 'form', 'query'] as const;

const provider = fields({
  name: text(NAME).regex(/^[a-z0-9](-?[a-z0-9]){0,31}$/, NAME),
  channel: z.enum(['sms', 'http'], 'one of sms, http'),
  url,
  method: z.enum(['POST', 'GET', 'PUT'], 'one of POST, GET, PUT').default('POST'),
  auth: auth.optional(),
  headers: headers.default({}),
  json: jsonTemplate.optional(),
  form: record.optional(),
  query: record.optional(),
  success: success.default({}),
  refused: refused.default([]),
  messageId: path.optional(),
  callback: callback.optional(),
}).superRefine((given, context) => {
  const refuse = (at: string, message: string) => context.addIssue({ code: 'custom', path: [at], message });
  const bodies = BODIES.filter((body) => given[body] !== undefined);
  if (bodies.length !== 1) refuse(bodies[1] ?? 'json', `exactly one of ${BODIES.join(', ')}`);
  if (given.method === 'GET' && given.query === undefined)
    refuse('method', 'POST or PUT, or GET with `query`');
  const usesCallback = [given.url, given.json, given.form, given.query].some((part) =>
    /\{\{\s*callbackUrl\s*\}\}/.test(JSON.stringify(part) ?? ''),
  );
  const holdsCode = [given.url, given.headers, given.json, given.form, given.query].some((part) =>
    /\{\{\s*(?:text|code)\s*\}\}/.test(JSON.stringify(part) ?? ''),
  );
  if (context.issues.length === 0 && !holdsCode)
    refuse(bodies[0]!, 'a request that holds {{text}} or {{code}}');
  if (usesCallback && given.callback === undefined)
    refuse('callback', 'a callback, since {{callbackUrl}} is used');
});

const PROVIDERS = 'a list of 1 to 20 providers';

/** The whole file. Each message is what is allowed, worded to follow "allowed:". */
export const providersFile = fields({
  providers: z
    .array(provider, PROVIDERS)
    .min(1, PROVIDERS)
    .max(20, PROVIDERS)
    .superRefine((list, context) => {
      for (const [index, { name }] of list.entries()) {
        if (list.findIndex((other) => other.name === name) < index) {
          context.addIssue({ code: 'custom', path: [index, 'name'], message: NAME });
        }
      }
    }),
});

/** An HTTP provider as the file describes it, checked and complete. */
export type ProviderDefinition = z.output<typeof provider>;
export type CallbackDefinition = NonNullable<ProviderDefinition['callback']>;
export type SignatureDefinition = NonNullable<CallbackDefinition['signature']>;
