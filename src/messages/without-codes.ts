import { cleanTyped, INSIGNIFICANT } from '../lib/typed-text.ts';

const HIDDEN = '••••';
/** Texts are cut to this length. */
const TEXT_MAX = 1_000;
/** The fewest symbols a code has. */
const CODE_MIN = 4;

/** A word with a digit in it, or in capitals. */
const WORD = String.raw`(?:(?=\p{L}*\p{N})[\p{L}\p{N}]+|\p{Lu}+)(?![\p{L}\p{N}])`;
/** Such words one after another, as people group a code (`482 913`, `A7K-Q2M`), and whatever does not count in one. */
const GROUPS = new RegExp(String.raw`(?<![\p{L}\p{N}])${WORD}(?:${INSIGNIFICANT}+${WORD})*`, 'gu');
/** The form of a code with letters, whose case does not count: no letter that people mistake for another. */
const LETTER_CODE = /^[34679ACDEFGHJKMNPQRTWXY]{4,10}$/i;
const AROUND = /^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu;

/**
 * A text as an event may hold it: people answer a code with the code, so whatever looks like one is hidden. In small
 * letters and without a digit it looks like any word, so it is known only where the text is nothing else.
 */
export function withoutCodes(text: string): string {
  const kept = text.slice(0, TEXT_MAX);
  if (LETTER_CODE.test(cleanTyped(kept.replace(AROUND, '')))) return HIDDEN;
  return kept
    .replace(GROUPS, (groups) => (cleanTyped(groups).length < CODE_MIN ? groups : HIDDEN))
    .replace(/[\p{L}\p{N}]{4,}/gu, (word) => (word === word.toUpperCase() ? HIDDEN : word));
}
