import { PhoneError, phoneDigits } from '../addresses/phone.ts';
import { readInternational } from '../addresses/phone-reading.ts';
import { boolean, type Declaration, decimal, integer, list, type Variable } from './variable.ts';

/** The link to WhatsApp. */
export const botVariables = {
  mockMode: boolean({
    name: 'BOT_MOCK_MODE',
    defaultText: 'true outside production',
    help: 'Send to the virtual phone instead of WhatsApp; refused in production.',
  }),
  usePairingCode: boolean({
    name: 'USE_PAIRING_CODE',
    fallback: false,
    help: 'Link new sessions with a code that is typed into the phone `PAIRING_NUMBER`, in place of a QR code.',
  }),
  pairingNumber: phoneNumber({
    name: 'PAIRING_NUMBER',
    help: 'The number to link by pairing code, with its country code; if set, a first session is created at the start.',
  }),
  socketUrl: webSocketAddress({
    name: 'BOT_SOCKET_URL',
    defaultText: "WhatsApp's own",
    help: 'The WebSocket address of WhatsApp, for tests and relays.',
  }),
  webVersion: webVersion({
    name: 'BOT_WEB_VERSION',
    defaultText: 'the one of the library',
    help: 'The version of WhatsApp Web to speak as, for when WhatsApp refuses the built-in one (close code 405).',
  }),
  webVersionRefresh: boolean({
    name: 'BOT_WEB_VERSION_REFRESH',
    fallback: false,
    help: 'When WhatsApp refuses the version (close code 405), look the current one up at web.whatsapp.com and use it; otherwise nothing is requested from there.',
  }),
  sendRate: decimal({
    name: 'BOT_SEND_RATE',
    min: 0.01,
    max: 10_000,
    fallback: 1,
    help: 'Messages a second that one linked number sends on average; faster ones are banned sooner.',
  }),
  sendBurst: integer({
    name: 'BOT_SEND_BURST',
    min: 1,
    max: 10_000,
    fallback: 5,
    help: 'Messages that a linked number may send at once after a quiet time.',
  }),
  dailyCap: integer({
    name: 'BOT_DAILY_CAP',
    min: 1,
    max: 10_000_000,
    fallback: 5_000,
    help: 'Messages that one linked number sends in a day (UTC); more wait, or go to another number.',
  }),
  warmUp: boolean({
    name: 'BOT_WARMUP',
    fallback: true,
    help: 'Let a number start slowly in the week after it was linked: 50 messages on the first day, then twice as many each day.',
  }),
  codeMessage: boolean({
    name: 'BOT_CODE_MESSAGE',
    fallback: false,
    help: 'Send the bare code as a second WhatsApp message after the text, easy to copy; it counts as a message of its own for the rate and the cap.',
  }),
  checkNumbers: boolean({
    name: 'BOT_CHECK_NUMBERS',
    fallback: true,
    help: 'Ask WhatsApp whether a number is on it before the first message to it; the answer is kept.',
  }),
  adminNumbers: list({
    name: 'BOT_ADMIN_NUMBERS',
    allowed: 'phone numbers with their country codes, separated by commas',
    help: 'The numbers whose messages to a linked number are taken as commands, such as |status.',
    parseEntry: readPhone,
  }),
};

function readPhone(given: string): string | undefined {
  try {
    return readInternational(`+${phoneDigits(given).replace(/^(?:\+|00)/, '')}`)?.e164;
  } catch (error) {
    if (error instanceof PhoneError) return undefined;
    throw error;
  }
}

/** A phone number with its country code, kept in E.164. */
function phoneNumber(declaration: Declaration): Variable<string | undefined> {
  return {
    defaultText: '',
    ...declaration,
    allowed: 'a phone number with its country code, such as +6283834946034',
    fallback: undefined,
    secret: false,
    parse: readPhone,
  };
}

/** A ws or wss address without user and fragment. */
function webSocketAddress(declaration: Declaration): Variable<string | undefined> {
  return {
    defaultText: '',
    ...declaration,
    allowed: 'a ws or wss address without user, password or fragment',
    fallback: undefined,
    secret: false,
    parse(given) {
      const text = given.trim();
      if (!URL.canParse(text) || /[#@\s]/.test(text)) return undefined;
      return ['ws:', 'wss:'].includes(new URL(text).protocol) ? text : undefined;
    },
  };
}

/** Three numbers, as WhatsApp Web counts its versions. */
function webVersion(declaration: Declaration): Variable<[number, number, number] | undefined> {
  return {
    defaultText: '',
    ...declaration,
    allowed: 'three numbers with dots, such as 2.3000.1043857760',
    fallback: undefined,
    secret: false,
    parse(given) {
      const [, ...numbers] = /^(\d{1,10})\.(\d{1,10})\.(\d{1,10})$/.exec(given.trim()) ?? [];
      return numbers.length === 3 ? (numbers.map(Number) as [number, number, number]) : undefined;
    },
  };
}
