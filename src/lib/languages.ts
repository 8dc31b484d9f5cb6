/**
 * Which of the approved languages a message is sent in: that of the locale, else the likeliest of the country, else the
 * first.
 * @param approved codes as Meta writes them, such as `pt_BR`; not empty
 * @param locale BCP 47
 * @param country ISO 3166-1 alpha-2
 */
export function languageFor(
  approved: readonly [string, ...string[]],
  { locale, country }: { locale?: string | undefined; country?: string | undefined },
): string {
  const wanted = [locale, country && `und-${country}`].filter((tag) => tag !== undefined);
  for (const tag of wanted) {
    const match = closest(approved, tag);
    if (match !== undefined) return match;
  }
  return approved[0];
}

/** No tag that is in use is longer. */
const TAG_MAX = 35;

/** A language tag as BCP 47 writes it, also where it was given as Meta writes it (`pt_BR`); undefined where it is none. */
export function canonicalLocale(given: string): string | undefined {
  if (given.length > TAG_MAX) return undefined;
  try {
    return Intl.getCanonicalLocales(given.replaceAll('_', '-'))[0];
  } catch {
    return undefined;
  }
}

/** The same for `en_US`, `en-us` and `EN_us`: Meta writes both, and only the first in a request. */
export function folded(code: string): string {
  return code.replace(/-/g, '_').toLowerCase();
}

/** The approved language that a reader of `tag` reads best; undefined where none is the same language. */
function closest(approved: readonly string[], tag: string): string | undefined {
  const exact = approved.find((code) => folded(code) === folded(tag));
  if (exact !== undefined) return exact;
  const wanted = inFull(tag);
  if (!wanted) return undefined;
  let best: string | undefined;
  let bestScore = 0;
  for (const code of approved) {
    const found = inFull(code);
    if (found?.language !== wanted.language) continue;
    // The same script can be read in any region, and another one hardly in the same.
    const score = 1 + (found.script === wanted.script ? 2 : 0) + (found.region === wanted.region ? 1 : 0);
    if (score > bestScore) [best, bestScore] = [code, score];
  }
  return best;
}

/** A language with its likeliest script and region (CLDR); undefined for what is no BCP 47 tag. */
function inFull(tag: string): Intl.Locale | undefined {
  try {
    // Meta has only Bokmål, which `no` means in practice.
    return new Intl.Locale(tag.replace(/_/g, '-').replace(/^no(?=-|$)/i, 'nb')).maximize();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
