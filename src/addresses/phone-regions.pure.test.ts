import fc from 'fast-check';
import { type CountryCode, getCountries, getExampleNumber, Metadata } from 'libphonenumber-js/max';
import examples from 'libphonenumber-js/mobile/examples';
import { describe, expect, it } from 'vitest';
import { parsePhone } from './phone.ts';
import { AMBIGUOUS, readDigits } from './phone-reading.ts';

interface Ranges extends Metadata {
  selectNumberingPlan(country: CountryCode): void;
  type(name: string): { pattern(): string; possibleLengths(): number[] } | undefined;
  numberingPlan: Metadata['numberingPlan'] & { callingCode(): string; nationalPrefix(): string | undefined };
}

const regions = getCountries();
const rulesOf = (defaultRegion: string) => ({ defaultRegion, countriesAllowed: [], countriesDenied: [] });

function planOf(region: CountryCode): Ranges {
  const metadata = new Metadata() as Ranges;
  metadata.selectNumberingPlan(region);
  return metadata;
}

/** Valid national numbers of a region, made of the pattern that its metadata gives for a kind. */
function numbersOf(region: CountryCode, kind: 'MOBILE' | 'FIXED_LINE'): string[] {
  const range = planOf(region).type(kind);
  if (!range?.pattern()) return [];
  const numbers = fc.stringMatching(new RegExp(`^(?:${range.pattern()})$`));
  return fc.sample(numbers, { numRuns: 30, seed: 20_261_130 }).filter((number) => {
    const e164 = `+${planOf(region).numberingPlan.callingCode()}${number}`;
    return readIn(region, e164) === e164 && !number.startsWith('00');
  });
}

/** The number that digits are read as in a region, `'ambiguous'` where it is refused for that, undefined where it is none. */
function readIn(region: string, digits: string): string | undefined {
  const reading = readDigits(digits, region);
  return reading === AMBIGUOUS ? reading : reading?.e164;
}

const isMobile = (e164: string) => {
  const reading = readDigits(e164);
  return reading !== AMBIGUOUS && (reading?.type === 'MOBILE' || reading?.type === 'FIXED_LINE_OR_MOBILE');
};

describe.each(regions)('in %s', (region) => {
  const { numberingPlan } = planOf(region);
  const callingCode = numberingPlan.callingCode();
  const trunk = numberingPlan.nationalPrefix();

  it('the example number is read however it is written', () => {
    const example = getExampleNumber(region, examples)!;
    const national = example.nationalNumber;
    const spellings = [example.number, `${callingCode}${national}`, national, example.formatNational()];
    for (const spelling of spellings) {
      expect(parsePhone(spelling, rulesOf(region)).identity, spelling).toBe(
        parsePhone(example.number, rulesOf(region)).identity,
      );
    }
  });

  it("a national number never becomes another country's, and a mobile is always read as itself", () => {
    for (const kind of ['MOBILE', 'FIXED_LINE'] as const) {
      for (const national of numbersOf(region, kind)) {
        const itself = readIn(region, `+${callingCode}${national}`);
        // With the country code in it the digits may be another number of the same region, and a mobile is meant.
        const asWritten = national.startsWith(callingCode) ? readIn(region, `+${national}`) : undefined;
        const read = readIn(region, national);
        if (asWritten === undefined || asWritten === itself) expect(read, national).toBe(itself);
        else if (isMobile(itself!) === isMobile(asWritten)) expect(read, national).toBe(AMBIGUOUS);
        else expect(read, national).toBe(isMobile(asWritten) ? asWritten : itself);
        if (trunk && !`${trunk}${national}`.startsWith('00'))
          expect(readIn(region, trunk + national), trunk + national).toBe(itself);
      }
    }
  });

  it('a mobile with the own country code and no plus stays itself, unless it is another mobile too', () => {
    for (const national of numbersOf(region, 'MOBILE')) {
      const digits = `${callingCode}${national}`;
      const itself = readIn(region, `+${digits}`);
      const asNational = readIn(region, `+${callingCode}${digits}`);
      const isAnotherMobile = asNational !== undefined && asNational !== itself && isMobile(asNational);
      expect(readIn(region, digits), digits).toBe(isAnotherMobile ? AMBIGUOUS : itself);
    }
  });
});
