import { readFileSync } from 'node:fs';
import wordListPath from 'word-list';

/** Why a secret is none, worded to follow "is". */
export type Weakness = 'a placeholder' | 'published' | 'easily guessed';

/** What brackets, samples and tutorials put in the place of a secret. */
const PLACEHOLDERS = [
  /^(<.*>|\[.*\]|\{.*\}|\$\{.*\}|\$\(.*\))$/s,
  /change[-_ ]?(me|this|it|in)/i,
  /replace[-_ ]?(me|this|with)/i,
  /placeholder/i,
  /^(your|example|insert|enter|put)[-_ ]/i,
];
/** Known to everybody, in letters alone. The first is the key of a v3 that was given none. */
const PUBLISHED = ['defaultsecretkeydonotuseinprod', 'correcthorsebatterystaple'];
/** What dictionaries do not hold: made up for the purpose, or too long. */
const FAMOUS_WORDS = [
  'masterpassword',
  'adminpassword',
  'letmein',
  'iloveyou',
  'supercalifragilisticexpialidocious',
  'antidisestablishmentarianism',
  'floccinaucinihilipilification',
  'honorificabilitudinitatibus',
  'pneumonoultramicroscopicsilicovolcanoconiosis',
];
/** What fingers and alphabets go along, in either direction and around the end. */
const ROWS = [
  'abcdefghijklmnopqrstuvwxyz',
  '0123456789abcdef',
  '1234567890',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'qwertzuiop',
  'yxcvbnm',
  'azertyuiop',
  'qsdfghjklm',
  'wxcvbn',
  '1q2w3e4r5t6y7u8i9o0p',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p',
  'qazwsxedcrfvtgbyhnujmikolp',
  '!@#$%^&*()',
].flatMap((row) => {
  const around = row + row;
  return [around, [...around].reverse().join('')];
});
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  '@': 'a',
  '4': 'a',
  '3': 'e',
  '1': 'i',
  '!': 'i',
  '0': 'o',
  $: 's',
  '5': 's',
  '7': 't',
};

/** What a guesser has to find out, in bits: fewer are easily guessed. A repeated word with four marks has 39. */
const BITS_MIN = 40;
const WORD_BITS = 15;
const RUN_BITS = 6;
const RUN_MIN = 4;
const REPETITION_BITS = 4;
const LETTER_BITS = 4.7;
const DIGIT_BITS = 3.3;
const MARK_BITS = 5;
const SPACE_BITS = 2;
/** Up to here letters that can be spoken count as a word of some language. */
const UNKNOWN_WORD_MAX = 14;
const WORD_MIN = 4;
/** Digits and marks that people add to what they know. */
const ADDED_MAX = 4;
/** More than enough to see that a secret is none. */
const LOOKED_AT_MAX = 256;

/** Why a secret is known to others, or guessed at once; undefined for one that is good. Takes some 10 ms. */
export function weaknessOf(secret: string): Weakness | undefined {
  if (PLACEHOLDERS.some((pattern) => pattern.test(secret))) return 'a placeholder';
  if (PUBLISHED.includes(secret.toLowerCase().replace(/[^a-z]/g, ''))) return 'published';
  const text = secret.slice(0, LOOKED_AT_MAX);
  const isWord = wordLookup();
  const spelled = text.toLowerCase().replace(/[@43!10$57]/g, (mark) => LOOK_ALIKES[mark]!);
  const bits = Math.min(
    bitsOf(text, (letters, isAlone) => isWord(letters) || (isAlone && isSpeakable(letters))),
    bitsOf(spelled, (letters) => isWord(letters)),
  );
  return bits < BITS_MIN ? 'easily guessed' : undefined;
}

/** @param isAlone whether the secret has no other letters */
type IsWord = (letters: string, isAlone: boolean) => boolean;

/** Looks words up in the text of the list, which is in order: as a set it would take tens of MB for a few questions. */
function wordLookup(): (letters: string) => boolean {
  const list = readFileSync(wordListPath, 'latin1');
  return (letters) => {
    const word = letters.toLowerCase();
    return word.length >= WORD_MIN && (FAMOUS_WORDS.includes(word) || hasLine(list, word));
  };
}

function hasLine(list: string, wanted: string): boolean {
  for (let from = 0, to = list.length; from < to; ) {
    const middle = (from + to) >>> 1;
    const start = list.lastIndexOf('\n', middle - 1) + 1;
    const next = list.indexOf('\n', middle);
    const line = list.slice(start, next === -1 ? list.length : next);
    if (line === wanted) return true;
    if (line < wanted) from = start + line.length + 1;
    else to = start;
  }
  return false;
}

/** Whether letters could be a word of a language whose words are not listed: in one case, with vowels all along. */
function isSpeakable(letters: string): boolean {
  if (letters.length > UNKNOWN_WORD_MAX || !/^(\p{Lu}?\p{Ll}+|\p{Lu}+)$/u.test(letters)) return false;
  const vowels = letters.match(/[aeiouy]/gi)?.length ?? 0;
  return vowels * 3 >= letters.length && !/[^aeiouy]{4}/i.test(letters);
}

/** The fewest bits, over all ways to take added digits and marks off its ends. */
function bitsOf(text: string, isWord: IsWord): number {
  let fewest = Number.POSITIVE_INFINITY;
  for (let before = 0; before <= ADDED_MAX; before++) {
    for (let after = 0; before + after <= ADDED_MAX && before + after < text.length; after++) {
      const added = text.slice(0, before) + text.slice(text.length - after);
      if (/\p{L}/u.test(added)) continue;
      const core = text.slice(before, text.length - after);
      fewest = Math.min(fewest, bitsOfCore(core, isWord) + (before + after) * MARK_BITS);
    }
  }
  return fewest;
}

function bitsOfCore(core: string, isWord: IsWord): number {
  const unit = unitOf(core);
  const asRepetition = unit === core ? Number.POSITIVE_INFINITY : bitsOfCore(unit, isWord) + REPETITION_BITS;
  const parts = core.match(/\p{L}+|[^\p{L}]+/gu) ?? [];
  const isAlone = parts.filter((part) => /^\p{L}/u.test(part)).length === 1;
  const asWords = parts.reduce((bits, part) => {
    const inRuns = bitsInRuns(part);
    return bits + (isWord(part, isAlone) ? Math.min(WORD_BITS, inRuns) : inRuns);
  }, 0);
  return Math.min(asRepetition, asWords, bitsInRuns(core));
}

/** The shortest text that, over and over, makes this one up; itself when there is none. */
function unitOf(text: string): string {
  for (let length = 1; length <= text.length / 2; length++) {
    const unit = text.slice(0, length);
    if (unit.repeat(Math.ceil(text.length / length)).startsWith(text)) return unit;
  }
  return text;
}

function bitsInRuns(text: string): number {
  const folded = text.toLowerCase();
  let bits = 0;
  for (let at = 0; at < folded.length; ) {
    const length = runAt(folded, at);
    bits += length >= RUN_MIN ? RUN_BITS : bitsOfCharacter(folded[at]!);
    at += length >= RUN_MIN ? length : 1;
  }
  return bits;
}

/** How far one character over and over, or a row, goes from a place. */
function runAt(text: string, at: number): number {
  let length = 1;
  while (text[at + length] === text[at]) length += 1;
  for (const row of ROWS) {
    let end = at + length + 1;
    while (end <= text.length && row.includes(text.slice(at, end))) {
      length = end - at;
      end += 1;
    }
  }
  return length;
}

function bitsOfCharacter(character: string): number {
  if (/\p{L}/u.test(character)) return LETTER_BITS;
  if (/\s/.test(character)) return SPACE_BITS;
  return /\p{Nd}/u.test(character) ? DIGIT_BITS : MARK_BITS;
}
