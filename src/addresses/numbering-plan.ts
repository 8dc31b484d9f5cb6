import { type CountryCode, isSupportedCountry, Metadata, type NumberType } from 'libphonenumber-js/max';

/** What the digits of a number say about it. */
export interface NumberFacts {
  country: CountryCode;
  /** `FIXED_LINE_OR_MOBILE` where the plan does not tell landlines from mobiles. */
  type: NonNullable<NumberType>;
}

/** How people of a country begin the numbers they write and dial. */
export interface Home {
  callingCode: string;
  /** What they dial before the country code of a number abroad. */
  abroad: RegExp;
}

/** The part of the library's metadata that its types leave out; a test holds every plan against the library itself. */
interface PlanMetadata extends Metadata {
  getCountryCodesForCallingCode(callingCode: string): CountryCode[] | undefined;
  selectNumberingPlan(countryOrCallingCode: string): void;
  numberingPlan: Metadata['numberingPlan'] & { nationalPrefix(): string | undefined };
  countryCallingCode(): string;
  IDDPrefix(): string;
  nationalPrefixForParsing(): string | undefined;
  leadingDigits(): string | undefined;
  nationalNumberPattern(): string;
  type(name: Kind['type']): { pattern(): string; possibleLengths(): number[] } | undefined;
}

interface Kind {
  type: Exclude<NonNullable<NumberType>, 'FIXED_LINE_OR_MOBILE'>;
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

interface CompiledHome extends Home, Pick<CallingCode, 'nationalPrefix'> {
  /** What stands before the area code at home, in most countries 0. */
  trunk: string | undefined;
}

const CALLING_CODE_LENGTH_MAX = 3;

/** The kinds of numbers, in the order in which a number is tried for them. */
const TYPES: readonly Kind['type'][] = [
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
const homes = new Map<string, CompiledHome | undefined>();

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

/**
 * Reads digits as a number that people of the country write for themselves, without its country code, with or without
 * its trunk prefix. Null when there is none, undefined where patterns do not settle it: another national prefix, such
 * as a carrier's.
 */
export function readNationalByPlan(
  country: string,
  digits: string,
): (NumberFacts & { e164: string }) | null | undefined {
  const home = compiledHome(country);
  if (!home) return null;
  const { callingCode: code, trunk, nationalPrefix } = home;
  const withFacts = (number: string) => {
    const facts = factsIn(callingCode(code)!.plans, number);
    return facts && { ...facts, e164: `+${code}${number}` };
  };
  if (!nationalPrefix?.exec(digits)?.[0]) return withFacts(digits) ?? null;
  return trunk && digits.startsWith(trunk) ? withFacts(digits.slice(trunk.length)) : undefined;
}

/** Whether a number in E.164 is valid in the country's own plan, also where other countries share it. */
export function isNumberOf(country: string, e164: string): boolean {
  const home = compiledHome(country);
  if (!home || !e164.startsWith(`+${home.callingCode}`)) return false;
  const plan = callingCode(home.callingCode)!.plans.find((candidate) => candidate.country === country)!;
  return typeIn(plan, e164.slice(1 + home.callingCode.length)) !== undefined;
}

/** @param country ISO 3166-1 alpha-2. Undefined when it has no phones. */
export function homeOf(country: string): Home | undefined {
  return compiledHome(country);
}

function readNational({ nationalPrefix, plans }: CallingCode, number: string): NumberFacts | undefined {
  return nationalPrefix?.exec(number)?.[0] ? undefined : factsIn(plans, number);
}

function factsIn(plans: readonly Plan[], number: string): NumberFacts | undefined {
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
  const fits = ({ lengths, pattern }: Kind) => lengths.includes(number.length) && pattern.test(number);
  const type = kinds.find(fits)?.type;
  if (type !== 'FIXED_LINE') return type;
  const mobile = kinds.find((kind) => kind.type === 'MOBILE');
  // The library leaves the mobile numbers of a plan out where they are those of its landlines.
  return !mobile || fits(mobile) ? 'FIXED_LINE_OR_MOBILE' : type;
}

function compiledHome(country: string): CompiledHome | undefined {
  if (!homes.has(country)) {
    homes.set(country, isSupportedCountry(country) ? homeIn(country) : undefined);
  }
  return homes.get(country);
}

function homeIn(country: CountryCode): CompiledHome {
  const metadata = new Metadata() as PlanMetadata;
  metadata.selectNumberingPlan(country);
  return {
    callingCode: metadata.countryCallingCode(),
    abroad: beginning(metadata.IDDPrefix()),
    nationalPrefix: prefixOf(metadata),
    trunk: metadata.numberingPlan.nationalPrefix(),
  };
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
  return {
    nationalPrefix: prefixOf(metadata),
    plans: countries.map((country) => {
      metadata.selectNumberingPlan(country);
      const leadingDigits = metadata.leadingDigits();
      return {
        country,
        leadingDigits: leadingDigits ? beginning(leadingDigits) : undefined,
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

function prefixOf(metadata: PlanMetadata): RegExp | undefined {
  const prefix = metadata.nationalPrefixForParsing();
  return prefix ? beginning(prefix) : undefined;
}

function beginning(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})`);
}

function entire(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`);
}
