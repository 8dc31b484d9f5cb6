/** One environment variable: the only place where its name, rule, default and help are written. */
export interface Variable<T> {
  readonly name: string;
  /** One sentence for the operator. */
  readonly help: string;
  /** What may be given, worded to follow "allowed:". */
  readonly allowed: string;
  /** The value when nothing, or an empty text, is given. */
  readonly fallback: T;
  /** The default as the documentation shows it; '' where there is none. */
  readonly defaultText: string;
  /** A secret is never repeated in a problem and never gets a sample value. */
  readonly secret: boolean;
  /** Turns what was given (never empty) into the value, or into undefined where it is not allowed. */
  readonly parse: (given: string) => NonNullable<T> | undefined;
}

/** What every variable says about itself, whatever its type. */
export interface Declaration {
  name: string;
  help: string;
  /** Only where the default is not one fixed value: what the documentation says instead. */
  defaultText?: string;
}

/** The variables of one group, keyed by the name their values have in `Config`. */
export type Variables = Readonly<Record<string, Variable<unknown>>>;

/** The values that a group of variables gives. */
export type Values<G extends Variables> = { readonly [K in keyof G]: G[K]['fallback'] };

/** A whole number within bounds, both included. Only decimal digits count: no `1e3`, no `0x10`. */
export function integer(
  declaration: Declaration & { min: number; max: number; fallback: number },
): Variable<number>;
export function integer(
  declaration: Declaration & { min: number; max: number },
): Variable<number | undefined>;
export function integer(
  declaration: Declaration & { min: number; max: number; fallback?: number },
): Variable<number | undefined> {
  const {
    name,
    help,
    min,
    max,
    fallback,
    defaultText = fallback === undefined ? '' : String(fallback),
  } = declaration;
  return {
    name,
    help,
    allowed: `a whole number from ${min} to ${max}`,
    fallback,
    defaultText,
    secret: false,
    parse(given) {
      const digits = given.trim();
      const value = Number(digits);
      return /^-?\d{1,15}$/.test(digits) && value >= min && value <= max ? value : undefined;
    },
  };
}

/** A number within bounds, both included, with a point and up to four decimals where wanted. */
export function decimal(
  declaration: Declaration & { min: number; max: number; fallback: number },
): Variable<number> {
  const { name, help, min, max, fallback, defaultText = String(fallback) } = declaration;
  return {
    name,
    help,
    allowed: `a number from ${min} to ${max}, such as 0.5`,
    fallback,
    defaultText,
    secret: false,
    parse(given) {
      const digits = given.trim();
      const value = Number(digits);
      return /^\d{1,9}(\.\d{1,4})?$/.test(digits) && value >= min && value <= max ? value : undefined;
    },
  };
}

const TRUE_WORDS = ['true', '1', 'yes', 'on'];
const FALSE_WORDS = ['false', '0', 'no', 'off'];

/** A switch. One without a `fallback` is decided where the groups meet, because it depends on another setting. */
export function boolean(declaration: Declaration & { fallback: boolean }): Variable<boolean>;
export function boolean(declaration: Declaration & { defaultText: string }): Variable<boolean | undefined>;
export function boolean(declaration: Declaration & { fallback?: boolean }): Variable<boolean | undefined> {
  const { fallback, defaultText = String(fallback), ...named } = declaration;
  return {
    ...named,
    allowed: 'true or false (or yes, no, on, off, 1, 0)',
    fallback,
    defaultText,
    secret: false,
    parse(given) {
      const word = given.trim().toLowerCase();
      if (TRUE_WORDS.includes(word)) return true;
      return FALSE_WORDS.includes(word) ? false : undefined;
    },
  };
}

/** One word of a list; upper and lower case are the same. */
export function oneOf<const T extends string>(
  declaration: Declaration & { values: readonly T[]; fallback: NoInfer<T> },
): Variable<T> {
  const { name, help, values, fallback, defaultText = fallback } = declaration;
  return {
    name,
    help,
    allowed: `one of ${values.join(', ')}`,
    fallback,
    defaultText,
    secret: false,
    parse: (given) => values.find((value) => value === given.trim().toLowerCase()),
  };
}

/** Entries of one kind, separated by commas; spaces around them and empty entries do not matter. */
export function list<T extends string>(
  declaration: Declaration & { allowed: string; parseEntry: (entry: string) => T | undefined },
): Variable<T[]> {
  const { name, help, allowed, defaultText = '', parseEntry } = declaration;
  return {
    name,
    help,
    allowed,
    fallback: [],
    defaultText,
    secret: false,
    parse(given) {
      const values = given
        .split(',')
        .filter((entry) => entry.trim() !== '')
        .map((entry) => parseEntry(entry.trim()));
      const accepted = values.filter((value) => value !== undefined);
      return accepted.length === values.length ? [...new Set(accepted)] : undefined;
    },
  };
}

/** A file or folder. The text is kept as given; `loadConfig` resolves it against the working folder. */
export function path(declaration: Declaration & { fallback: string }): Variable<string>;
export function path(declaration: Declaration): Variable<string | undefined>;
export function path(declaration: Declaration & { fallback?: string }): Variable<string | undefined> {
  const { name, help, fallback, defaultText = fallback ?? '' } = declaration;
  return {
    name,
    help,
    allowed: 'a path, absolute or relative to the folder the server is started in',
    fallback,
    defaultText,
    secret: false,
    parse: (given) => (given.trim() === '' || given.includes('\0') ? undefined : given.trim()),
  };
}
