import { readFileSync } from 'node:fs';
import wordListPath from 'word-list';

/** Why a secret is none, worded to follow "is". */
export type Weakness = 'a placeholder' | 'published' | 'easily guessed';

/** What brackets, samples and tutorials put in the place of a secret. */
const PLACEHOLDERS = [
  // In brackets of one kind: others belong to a random text.
  /^\$?(?!.*[^\p{L}\p{N}\s"'.,:;/~_<‹«[{(>›»\]})-])(<.*>|‹.*›|«.*»|\[.*\]|\{.*\}|\(.*\))$/u,
  /<(\d+ [a-z]+|[a-z][a-z _-]{4,}|[A-Z][A-Z_]{4,})>/,
  // A variable that nothing expanded.
  /^(\$([A-Z][A-Z\d_]+|[a-z][a-z\d_]+)|%\w+%)$/,
  /^https?:\/\//i,
  /change[-_ ]?(me|this|it|in)/i,
  /replace[-_ ]?(me|this|with)/i,
  /placeholder/i,
  /^(your|example|insert|enter|put)[-_ ]/i,
];
/** Samples say these and nothing else; names of settings do too. */
const SAMPLE_WORDS = new Set(
  `a admin an and api be bytes changeme char characters chars db default demo dev development do dont dummy example fake
  fixme for foo bar from here hex in insert is it key least long made master me min minimum must my new not of or passphrase
  password paste please prod production real redacted replace sample secret secure set some string super t temp test
  testing tests that the this to todo token use user value very with wotp x xx xxx xxxx your`.split(/\s+/),
);
const SAMPLE_WORD_MAX = 12;
/** More digits than these around such words are a secret of their own. */
const SAMPLE_DIGITS_MAX = 8;
/** Known to everybody, in letters alone. The first is the key of a v3 that was given none. */
const PUBLISHED = ['defaultsecretkeydonotuseinprod', 'correcthorsebatterystaple'];
/** What dictionaries do not hold: made up for the purpose, or too long. */
const FAMOUS_WORDS = [
  'masterpassword',
  'adminpassword',
  'letmein',
  'changeme',
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
/** How a row can go on: most texts need no look along the rows themselves. */
const PAIRS = new Set(ROWS.flatMap((row) => [...row].map((_, at) => row.slice(at, at + 2))));
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
/** Up to here letters that could be spoken count as a word of some language. */
const UNKNOWN_WORD_MAX = 14;
const WORD_MIN = 4;
/** Digits and marks that people add to what they know. */
const ADDED_MAX = 4;
/** More than enough to see that a secret is none. */
const LOOKED_AT_MAX = 256;

/** Why a secret is known to others, or guessed at once; undefined for one that is good. Takes some 10 ms. */
export function weaknessOf(secret: string): Weakness | undefined {
  const text = secret.normalize('NFC').slice(0, LOOKED_AT_MAX);
  const withoutEnds = spelled(text.replace(/^[^\p{L}]+|[^\p{L}]+$/gu, ''));
  if (PLACEHOLDERS.some((pattern) => pattern.test(secret) || pattern.test(withoutEnds)))
    return 'a placeholder';
  if (PUBLISHED.includes(secret.toLowerCase().replace(/[^a-z]/g, ''))) return 'published';
  if (bitsOf(text.replace(/^0x/i, ''), wordLookup()) < BITS_MIN) return 'easily guessed';
  if ((text.match(/\p{Nd}/gu)?.length ?? 0) > SAMPLE_DIGITS_MAX) return undefined;
  return isOfSampleWords(text) || isOfSampleWords(withoutEnds) ? 'a placeholder' : undefined;
}

/** With letters in the place of what looks like them. */
function spelled(text: string): string {
  return text.toLowerCase().replace(/[@43!10$57]/g, (mark) => LOOK_ALIKES[mark]!);
}

/** Whether all its letters, written together or apart, make up words of samples. */
function isOfSampleWords(text: string): boolean {
  const letters = text.toLowerCase().replace(/[^\p{L}]/gu, '');
  if (letters === '') return false;
  const ends = new Set([0]);
  for (let end = 1; end <= letters.length; end++) {
    for (let start = Math.max(0, end - SAMPLE_WORD_MAX); start < end; start++) {
      if (ends.has(start) && SAMPLE_WORDS.has(letters.slice(start, end))) ends.add(end);
    }
  }
  return ends.has(letters.length);
}

type IsWord = (letters: string) => boolean;

/** Looks words up in the text of the list, which is in order: as a set it would take tens of MB for a few questions. */
function wordLookup(): IsWord {
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

/** Whether letters could be a word of a language whose words are not listed: in one case, not too many consonants. */
function isSpeakable(letters: string): boolean {
  if (letters.length > UNKNOWN_WORD_MAX || !/^(\p{Lu}?\p{Ll}+|\p{Lu}+|\p{Lo}+)$/u.test(letters)) return false;
  const plain = letters.normalize('NFD').replace(/\p{M}/gu, '');
  if (/[^a-z]/i.test(plain)) return true;
  const vowels = plain.match(/[aeiouy]/gi)?.length ?? 0;
  return vowels * 5 >= plain.length && !/[^aeiouy]{6}/i.test(plain);
}

/** The fewest bits, over the ways to take added digits and marks off its ends: a few of them, or all. */
function bitsOf(text: string, isWord: IsWord): number {
  let fewest = Number.POSITIVE_INFINITY;
  const take = (before: number, after: number) => {
    const first = text.slice(0, before);
    const last = text.slice(text.length - after);
    if (/\p{L}/u.test(first + last)) return;
    const core = text.slice(before, text.length - after);
    const known = isWord(spelled(core)) ? WORD_BITS : bitsOfCore(spelled(core), isWord, false);
    const added = Math.min((before + after) * MARK_BITS, bitsInRuns(first) + bitsInRuns(last));
    fewest = Math.min(fewest, Math.min(known, bitsOfCore(core, isWord, true)) + added);
  };
  for (let before = 0; before <= ADDED_MAX; before++) {
    for (let after = 0; before + after <= ADDED_MAX && before + after < text.length; after++)
      take(before, after);
  }
  const [leading] = /^[^\p{L}]*/u.exec(text)!;
  const [trailing] = /[^\p{L}]*$/u.exec(text)!;
  if (leading.length + trailing.length < text.length) take(leading.length, trailing.length);
  return fewest;
}

/** @param mayBeForeign whether the only letters of the text may be a word that no list has */
function bitsOfCore(core: string, isWord: IsWord, mayBeForeign: boolean): number {
  const unit = unitOf(core);
  const asRepetition =
    unit === core ? Number.POSITIVE_INFINITY : bitsOfCore(unit, isWord, mayBeForeign) + REPETITION_BITS;
  const parts = core.match(/\p{L}+|[^\p{L}]+/gu) ?? [];
  const isAlone = parts.filter((part) => /^\p{L}/u.test(part)).length === 1;
  const asWords = parts.reduce((bits, part) => {
    const inRuns = bitsInRuns(part);
    const isKnown = isWord(part) || (mayBeForeign && isAlone && isSpeakable(part));
    return bits + (isKnown ? Math.min(WORD_BITS, inRuns) : inRuns);
  }, 0);
  return Math.min(asRepetition, asWords, bitsInRuns(core), bitsOfPattern(core));
}

/** The bits of rows whose characters are doubled, grouped by marks, or mixed one by one with those of another row. */
function bitsOfPattern(text: string): number {
  const plain = text.replace(/[^\p{L}\p{Nd}]/gu, '');
  const marks = new Set(text.replace(/[\p{L}\p{Nd}]/gu, '')).size * MARK_BITS;
  const unrepeated = plain.replace(/(.)\1+/gsu, '$1');
  const letters = plain.replace(/\P{L}/gu, '');
  const digits = plain.replace(/\P{Nd}/gu, '');
  return (
    marks +
    REPETITION_BITS +
    Math.min(bitsInRuns(plain), bitsInRuns(unrepeated), bitsInRuns(letters) + bitsInRuns(digits))
  );
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
  if (!PAIRS.has(text.slice(at, at + 2))) return length;
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
