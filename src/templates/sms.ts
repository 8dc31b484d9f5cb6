/** How a text is sent as SMS, and as how many parts it is billed (3GPP TS 23.038 and 23.040). */
export interface SmsSize {
  encoding: 'GSM-7' | 'UCS-2';
  /** Characters as the encoding counts them: an extended one of GSM-7 is two, one outside the BMP two of UCS-2. */
  characters: number;
  segments: number;
}

/** The default alphabet of GSM-7, without the escape. */
const BASIC =
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
/** Its extension table: each of these takes an escape before it. */
const EXTENDED = '\f^{}\\[~]|€';
const BASIC_CHARACTERS = new Set(BASIC);
const EXTENDED_CHARACTERS = new Set(EXTENDED);

/** Units of one message, and of each part where there are several: the header that joins them takes the rest. */
const UNITS = { 'GSM-7': { single: 160, part: 153 }, 'UCS-2': { single: 70, part: 67 } };

/** The first character that GSM-7 cannot hold; undefined where it holds all. */
export function outsideGsm7(text: string): string | undefined {
  for (const character of text) {
    if (!BASIC_CHARACTERS.has(character) && !EXTENDED_CHARACTERS.has(character)) return character;
  }
  return undefined;
}

/** What a text costs as SMS. No character is divided between two parts. */
export function smsSize(text: string): SmsSize {
  const encoding = outsideGsm7(text) === undefined ? 'GSM-7' : 'UCS-2';
  const { single, part } = UNITS[encoding];
  let characters = 0;
  let segments = 1;
  let inPart = 0;
  for (const character of text) {
    const units = encoding === 'UCS-2' ? character.length : EXTENDED_CHARACTERS.has(character) ? 2 : 1;
    characters += units;
    if (inPart + units > part) {
      segments += 1;
      inPart = 0;
    }
    inPart += units;
  }
  return { encoding, characters, segments: characters <= single ? 1 : segments };
}
