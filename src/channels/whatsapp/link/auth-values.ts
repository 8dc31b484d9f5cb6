import { type AuthenticationCreds, proto } from 'baileys';
import { z } from 'zod';
import { beyondBounds } from '../../../http/json-bounds.ts';

/*
 * What Baileys remembers of a linked number, as text. Files of others and rows of earlier versions are read by it, so it
 * trusts nothing: bytes are base64 of a bounded length, and every value has to have the shape of its kind.
 */

/** The kind of the credentials. */
export const CREDENTIALS_KIND = 'creds';
/** The text of the credentials, or of a value, in characters at most; 50,000 contacts are about 6 MB of app state. */
export const VALUE_MAX_CHARS = 8_000_000;
const SMALL_VALUE_MAX_CHARS = 1_000_000;
/** The kinds that grow with the account or the group. */
const LARGE_KINDS: readonly string[] = ['app-state-sync-version', 'session', 'sender-key'];
/** Keys, signatures, hashes and tokens have a few hundred at most. */
const BYTES_MAX = 4_096;
/** Senders' keys hold up to 2,000 message keys, as text in bytes. */
const SENDER_KEY_BYTES_MAX = 2_000_000;

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

const bytesUpTo = (max: number) =>
  z
    .instanceof(Uint8Array, { error: 'Expected bytes, written as base64.' })
    .refine((value) => value.length <= max, `Expected ${max} bytes at most.`);
const bytes = bytesUpTo(BYTES_MAX);
const bytesOf = (min: number, max = min) =>
  bytes.refine(({ length }) => length >= min && length <= max, `Expected ${min} bytes.`);
/** Bytes in what was a protobuf message, which writes them as base64 without a mark. */
const protoBytes = z.union([bytes, z.string().max(BYTES_MAX).regex(BASE64)]);
const shortText = z.string().max(1_000);
const count = z.int().min(0).max(0xffff_ffff);
const keyPair = z.object({ public: bytesOf(32, 33), private: bytesOf(32) });
const time = z.union([
  z.int(),
  z
    .string()
    .max(30)
    .regex(/^-?\d*$/),
  z.looseObject({ low: z.int(), high: z.int() }),
]);

const credentials = z.looseObject({
  noiseKey: keyPair,
  pairingEphemeralKeyPair: keyPair,
  signedIdentityKey: keyPair,
  signedPreKey: z.looseObject({ keyPair, signature: bytesOf(64), keyId: count }),
  registrationId: count,
  advSecretKey: z.string().max(100).regex(BASE64),
  me: z.looseObject({
    id: z.string().regex(/^\d{5,15}(:\d{1,5})?@s\.whatsapp\.net$/, 'Expected the address of a number.'),
    lid: z
      .string()
      .regex(/^\d{1,20}(:\d{1,5})?@lid$/)
      .optional(),
    name: shortText.nullish(),
  }),
  account: z.looseObject({
    details: protoBytes.nullish(),
    accountSignatureKey: protoBytes.nullish(),
    accountSignature: protoBytes.nullish(),
    deviceSignature: protoBytes.nullish(),
  }),
  signalIdentities: z
    .array(
      z.looseObject({
        identifier: z.looseObject({ name: shortText, deviceId: count }),
        identifierKey: bytes,
      }),
    )
    .max(1_000)
    .optional(),
  myAppStateKeyId: shortText.optional(),
  firstUnuploadedPreKeyId: count,
  nextPreKeyId: count,
  lastAccountSyncTimestamp: z.number().optional(),
  platform: shortText.optional(),
  processedHistoryMessages: z.array(z.unknown()).max(10_000),
  accountSyncCounter: count,
  accountSettings: z.looseObject({ unarchiveChats: z.boolean() }),
  registered: z.boolean(),
  pairingCode: shortText.nullish(),
  lastPropHash: shortText.nullish(),
  routingInfo: bytes.nullish(),
});

const kinds = {
  creds: credentials,
  'pre-key': keyPair,
  session: z.union([z.looseObject({ _sessions: z.record(z.string(), z.looseObject({})) }), bytes]),
  'sender-key': z.union([bytesUpTo(SENDER_KEY_BYTES_MAX), z.array(z.looseObject({}))]),
  'sender-key-memory': z.record(z.string(), z.boolean()),
  'app-state-sync-key': z.looseObject({
    keyData: protoBytes.nullish(),
    fingerprint: z
      .looseObject({
        rawId: count.nullish(),
        currentIndex: count.nullish(),
        deviceIndexes: z.array(count).max(1_000).nullish(),
      })
      .nullish(),
    timestamp: time.nullish(),
  }),
  'app-state-sync-version': z.looseObject({
    version: count,
    hash: bytes,
    indexValueMap: z.record(z.string(), z.looseObject({ valueMac: bytes })),
  }),
  'lid-mapping': z.string().max(100),
  'device-list': z.array(z.string().max(20)).max(1_000),
  tctoken: z.looseObject({
    token: bytes.nullish(),
    timestamp: time.nullish(),
    senderTimestamp: time.nullish(),
  }),
  'identity-key': bytes,
};

/** The name of a kind of values; the credentials are one. */
export type AuthKind = keyof typeof kinds;

/** The kinds of keys, the longer name first where one begins with another. */
export const KEY_KINDS = (Object.keys(kinds) as AuthKind[])
  .filter((kind) => kind !== 'creds')
  .sort((a, b) => b.length - a.length);

/**
 * A value of a kind from its text, with bytes in it as Buffers.
 * @throws AuthValueError when it is none; the message says why, without what stands in it
 */
export function readAuthValue(kind: string, text: string): unknown {
  const max = LARGE_KINDS.includes(kind) ? VALUE_MAX_CHARS : SMALL_VALUE_MAX_CHARS;
  if (text.length > max) throw new AuthValueError(`is larger than ${max} characters.`);
  if (beyondBounds(text, Number.POSITIVE_INFINITY) !== undefined)
    throw new AuthValueError('has more levels within each other than Baileys writes.');
  let value: unknown;
  try {
    value = withBytes(text);
  } catch {
    throw new AuthValueError('is not JSON: it is damaged, or was being written when it was copied.');
  }
  const schema = kinds[kind as AuthKind] as z.ZodType | undefined;
  const problem = schema?.safeParse(value).error?.issues[0];
  if (problem) {
    const place = problem.path.length === 0 ? '' : ` in \`${problem.path.join('.')}\``;
    throw new AuthValueError(`does not hold what Baileys writes there${place}.`);
  }
  return asBaileysHasIt(kind, value);
}

/** A value that is stored, written by Baileys or read by `readAuthValue` before, whose shape is not looked at again. */
export function knownAuthValue(kind: string, text: string): unknown {
  return asBaileysHasIt(kind, withBytes(text));
}

function asBaileysHasIt(kind: string, value: unknown): unknown {
  return kind === 'app-state-sync-key'
    ? proto.Message.AppStateSyncKeyData.fromObject(value as object)
    : value;
}

/** A value as text, with bytes in it as Baileys writes them into files. */
export function writeAuthValue(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) => {
    if (member instanceof Uint8Array) return marked(member);
    const { type, data } = Object(member) as { type?: unknown; data?: unknown };
    // `toJSON` of a Buffer has made it an array of numbers before it comes here.
    return type === 'Buffer' && Array.isArray(data) ? marked(Uint8Array.from(data)) : member;
  });
}

/** What is kept of a number does not have the shape that Baileys gives it. */
export class AuthValueError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AuthValueError';
  }
}

const marked = (bytes: Uint8Array) => ({ type: 'Buffer', data: Buffer.from(bytes).toString('base64') });

function withBytes(text: string): unknown {
  // Looking at every member takes most of the time, and the records of sessions have no bytes.
  if (!/"type":\s*"Buffer"|\{\s*"0":\s*\d/.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_name, member: unknown) => {
    if (typeof member !== 'object' || member === null) return member;
    const { type, data } = member as { type?: unknown; data?: unknown };
    // Anything else that says it is bytes stays an object, which no schema takes for bytes.
    if (type === 'Buffer' && typeof data === 'string' && BASE64.test(data))
      return Buffer.from(data, 'base64');
    return numbered(member) ?? member;
  });
}

/** Bytes that were written as an object of numbers (`{"0":5,"1":250}`), as JSON makes it of a Uint8Array. */
function numbered(member: object): Buffer | undefined {
  if (Array.isArray(member)) return undefined;
  const values = Object.values(member);
  if (values.length === 0 || values.length > BYTES_MAX) return undefined;
  const names = Object.keys(member);
  const areBytes = values.every(
    (value, at) => names[at] === String(at) && Number.isInteger(value) && value >= 0 && value <= 255,
  );
  return areBytes ? Buffer.from(values) : undefined;
}

/** The record of a session as JSON: texts and numbers, which need not be looked at one by one. */
export function recordAsJson(record: object): string {
  const json = record instanceof Uint8Array ? undefined : JSON.stringify(record);
  // Bytes, should a record ever hold some, are written as they are everywhere else.
  return json === undefined || /"type":"Buffer"|\{"0":\d/.test(json) ? writeAuthValue(record) : json;
}

/** The credentials that were stored; undefined when they do not have the shape of such. */
export function credentialsIn(json: string): AuthenticationCreds | undefined {
  try {
    return readAuthValue(CREDENTIALS_KIND, json) as AuthenticationCreds;
  } catch (error) {
    if (!(error instanceof AuthValueError)) throw error;
    return undefined;
  }
}
