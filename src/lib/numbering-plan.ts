import { type CountryCode, Metadata, type NumberType } from 'libphonenumber-js/max';

/** What the digits of a number say about it. */
export interface NumberFacts {
  country: CountryCode;
  /** `FIXED_LINE` also where the plan does not tell landlines from mobiles. */
  type: Exclude<NonNullable<NumberType>, 'FIXED_LINE_OR_MOBILE'>;
}

/** The part of the library's metadata that its types leave out; a test holds every plan against the library itself. */
interface PlanMetadata extends Metadata {
  getCountryCodesForCallingCode(callingCode: string): CountryCode[] | undefined;
  selectNumberingPlan(countryOrCallingCode: string): void;
  nationalPrefixForParsing(): string | undefined;
  leadingDigits(): string | undefined;
  nationalNumberPattern(): string;
  type(name: NumberFacts['type']): { pattern(): string; possibleLengths(): number[] } | undefined;
}

interface Kind {
  type: NumberFacts['type'];
  pattern: RegExp;
  lengths: readonly number[];
}

interface Plan {
  country: CountryCode;
  leadingDigits: RegExp | undefined;
  national: RegExp;
  kinds: readonly Kind[];
}

interface CallingCode {
  /** What people dial before a number at home; some write it after the country's code as well. */
  nationalPrefix: RegExp | undefined;
  /** Of the countries that share the code, in the order in which they are asked whose a number is. */
  plans: readonly Plan[];
}

const CALLING_CODE_LENGTH_MAX = 3;

/** The kinds of numbers, in the order in which a number is tried for them. */
const TYPES: readonly NumberFacts['type'][] = [
  'FIXED_LINE',
  'MOBILE',
  'PREMIUM_RATE',
  'TOLL_FREE',
  'SHARED_COST',
  'VOIP',
  'PERSONAL_NUMBER',
  'PAGER',
  'UAN',
  'VOICEMAIL',
];

const callingCodes = new Map<string, CallingCode | undefined>();

/**
 * Reads a number that is written in E.164 as the library would, by the library's own patterns: it compiles them anew
 * for each number, which makes reading one dearer than a query. Undefined where patterns alone do not settle it, and
 * the library has to be asked: a national prefix in the number, a number of no country, one that does not exist.
 */
export function readByPlan(e164: string): NumberFacts | undefined {
  for (let length = 1; length <= CALLING_CODE_LENGTH_MAX; length++) {
    const code = callingCode(e164.slice(1, 1 + length));
    if (code) return readNational(code, e164.slice(1 + length));
  }
  return undefined;
}

function readNational({ nationalPrefix, plans }: CallingCode, number: string): NumberFacts | undefined {
  if (nationalPrefix?.exec(number)?.[0]) return undefined;
  const isShared = plans.length > 1;
  for (const plan of plans) {
    if (isShared && plan.leadingDigits && !plan.leadingDigits.test(number)) continue;
    const type = typeIn(plan, number);
    if (type) return { country: plan.country, type };
    // The number is this country's, and there is none such.
    if (plan.leadingDigits) return undefined;
  }
  return undefined;
}

function typeIn({ national, kinds }: Plan, number: string): NumberFacts['type'] | undefined {
  if (!national.test(number)) return undefined;
  return kinds.find(({ lengths, pattern }) => lengths.includes(number.length) && pattern.test(number))?.type;
}

function callingCode(digits: string): CallingCode | undefined {
  if (!callingCodes.has(digits)) callingCodes.set(digits, compiled(digits));
  return callingCodes.get(digits);
}

function compiled(callingCode: string): CallingCode | undefined {
  const metadata = new Metadata() as PlanMetadata;
  const countries = metadata.getCountryCodesForCallingCode(callingCode);
  if (!countries) return undefined;
  metadata.selectNumberingPlan(callingCode);
  const nationalPrefix = metadata.nationalPrefixForParsing();
  return {
    nationalPrefix: nationalPrefix ? new RegExp(`^(?:${nationalPrefix})`) : undefined,
    plans: countries.map((country) => {
      metadata.selectNumberingPlan(country);
      const leadingDigits = metadata.leadingDigits();
      return {
        country,
        leadingDigits: leadingDigits ? new RegExp(`^(?:${leadingDigits})`) : undefined,
        national: entire(metadata.nationalNumberPattern()),
        kinds: TYPES.flatMap((type) => {
          const kind = metadata.type(type);
          return kind?.pattern()
            ? [{ type, pattern: entire(kind.pattern()), lengths: kind.possibleLengths() }]
            : [];
        }),
      };
    }),
  };
}

function entire(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`);
}
