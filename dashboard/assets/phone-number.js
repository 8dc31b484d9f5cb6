// How phone numbers are written: grouped as people of their country group them.

/** Calling code -> its formats, as `/assets/phone-formats.json` has them; empty until it has come. */
let formats = {};

/** Takes the formats of all calling codes. */
export function setPhoneFormats(given) {
  formats = given;
}

/** The calling code of a number in E.164 and the digits behind it; undefined where the code is not known. */
export function splitPhone(e164) {
  const digits = e164.slice(1);
  const code = [1, 2, 3].map((length) => digits.slice(0, length)).find((start) => formats[start]);
  return code && { code, national: digits.slice(code.length) };
}

/** `+6281234566034` -> `+62 812 3456 6034`; as it is where nothing is known of the country. */
export function prettyPhone(e164) {
  const parts = splitPhone(e164);
  if (!parts) return e164;
  const { code, national } = parts;
  for (const [leadingDigits, pattern, format] of formats[code]) {
    const whole = new RegExp(`^(?:${pattern})$`);
    if (!new RegExp(`^(?:${leadingDigits})`).test(national) || !whole.test(national)) continue;
    return `+${code} ${national.replace(whole, format).replaceAll(/\D+/g, ' ').trim()}`;
  }
  return `+${code} ${national}`;
}
