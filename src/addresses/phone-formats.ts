import { getCountries, getCountryCallingCode, Metadata } from 'libphonenumber-js/max';

/**
 * How the national numbers of one calling code are grouped: the first entry whose leading digits and whole pattern fit
 * decides. Leading digits may be empty. The format is one for `String.replace`, such as `$1-$2`.
 */
export type NumberFormat = [leadingDigits: string, pattern: string, format: string];

/** The part of the library's metadata that its types leave out; a test holds every format against the library itself. */
interface FormatMetadata extends Metadata {
  selectNumberingPlan(callingCode: string): void;
  numberingPlan: Metadata['numberingPlan'] & {
    formats(): {
      pattern(): string;
      internationalFormat(): string;
      leadingDigitsPatterns(): string[];
    }[];
  };
}

/** The formats of all calling codes, for the page: it groups numbers as people of each country do. */
export function phoneFormats(): Record<string, NumberFormat[]> {
  const codes = new Set<string>(getCountries().map((country) => getCountryCallingCode(country)));
  const metadata = new Metadata() as FormatMetadata;
  return Object.fromEntries(
    [...codes].map((code) => {
      metadata.selectNumberingPlan(code);
      const formats = metadata.numberingPlan.formats();
      return [
        code,
        formats.map((format) => [
          format.leadingDigitsPatterns().at(-1) ?? '',
          format.pattern(),
          format.internationalFormat(),
        ]),
      ];
    }),
  );
}
