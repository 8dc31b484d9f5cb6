import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { boolean, type Declaration, type Variable } from './variable.ts';

/** The link to WhatsApp. */
export const botVariables = {
  mockMode: boolean({
    name: 'BOT_MOCK_MODE',
    defaultText: 'true outside production',
    help: 'Send to the virtual phone instead of WhatsApp; refused in production.',
  }),
  usePairingCode: boolean({
    name: 'USE_PAIRING_CODE',
    defaultText: 'false',
    help: 'Link new sessions with a code that is typed into the phone `PAIRING_NUMBER`, in place of a QR code.',
  }),
  pairingNumber: phoneNumber({
    name: 'PAIRING_NUMBER',
    help: 'The number to link by pairing code, with its country code; with it set a first session is made at the start.',
  }),
  socketUrl: webSocketAddress({
    name: 'BOT_SOCKET_URL',
    defaultText: "WhatsApp's own",
    help: 'The WebSocket address of WhatsApp, for tests and relays.',
  }),
  webVersion: webVersion({
    name: 'BOT_WEB_VERSION',
    defaultText: 'that of the library',
    help: 'The version of WhatsApp Web to speak as, for when WhatsApp refuses the built-in one (close code 405).',
  }),
};

/** A phone number with its country code, kept in E.164. */
function phoneNumber(declaration: Declaration): Variable<string | undefined> {
  return {
    defaultText: '',
    ...declaration,
    allowed: 'a phone number with its country code, such as +6283834946034',
    fallback: undefined,
    secret: false,
    parse(given) {
      const digits = given.replace(/[\s()+.-]/g, '');
      const phone = /^\d{7,15}$/.test(digits) ? parsePhoneNumberFromString(`+${digits}`) : undefined;
      return phone?.isValid() ? phone.number : undefined;
    },
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
