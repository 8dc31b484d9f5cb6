import { ValidationError } from '../errors/errors.ts';
import { filledIn } from '../messages/contents.ts';
import type { Texts } from './content.ts';
import { smsSize } from './sms.ts';
import { parseTemplate, positionOf } from './template.ts';

/** What a finding is about. `syntax`: the template would be refused when it is saved. */
export const LINT_RULES = [
  'syntax',
  'no-code',
  'two-codes',
  'foreign-placeholder',
  'link',
  'emoji',
  'meta-length',
  'sms-parts',
  'look-alike',
  'invisible',
  'html',
] as const;

/** Something that a channel would refuse, or a filter or a reader would stumble over. */
export interface Finding {
  rule: (typeof LINT_RULES)[number];
  /** Whether it keeps codes from being sent or read; else it is advice. */
  isError: boolean;
  /** The field, such as `content` or `translations.id.sms`. */
  path: string;
  message: string;
  /** Where in the text, from 1; absent where it is about the whole text. */
  line?: number;
  column?: number;
}

/** What a text is for. */
type Kind = 'text' | 'sms' | 'subject' | 'mail' | 'html';

/** Texts to look at; what is left out is not there. */
export interface TextsToLint {
  content: string;
  variables?: string[] | undefined;
  translations: Record<string, Partial<Texts>>;
}

const FINDINGS_MAX = 100;
/** Meta's bound for the body of a template, in characters. */
const META_BODY_MAX = 1_024;
/** An SMS of more parts costs as many messages. */
const SMS_PARTS_MAX = 1;
/** So much of what was found is repeated, in characters. */
const SHOWN_MAX = 60;

const CODE = /\{\{\s*code\s*\}\}/;
const PLACEHOLDERS = /\{\{[^{}]*\}\}/g;
/** A scheme or `www.`; the end of a host name, in small letters (`your code.Do` is none) or well known; an IP address. */
const LINKS_AND_HOSTS = [
  /(?:https?:\/\/|www\.)\S/iu,
  /(?<=[\p{L}\p{N}])\.\p{Ll}{2,24}(?![\p{L}\p{N}-])/u,
  /(?<=[\p{L}\p{N}])\.(?:com|net|org|io|co|me|ly|app|info|biz|link|xyz|top)(?![\p{L}\p{N}-])/iu,
  /(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])|\[[\da-f]{0,4}:[\da-f:.]{2,40}\]/iu,
];
const EMOJI = /(?![©®™])\p{Extended_Pictographic}/gu;
/** 4 to 10 digits of any script, alone or in groups such as `123 456` and `1-2-3-4`. */
const CODE_LIKE = /(?<!\p{Nd})\p{Nd}(?:[ \u00a0\u202f\u2009–-]?\p{Nd}){3,9}(?!\p{Nd})/gu;
const WORD = /[\p{L}\p{M}]+/gu;
/** But the joiners that scripts need, and the selectors of emoji. */
const INVISIBLE =
  /\u034f|\u17b4|\u17b5|[\u00ad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164\ufeff\uffa0\u{e0000}-\u{e007f}]/gu;
/** Letters of Cyrillic and Greek that look like Latin ones. */
const LATIN_SHAPED = /^[ӏӀаеорсухіјѕһԁԛԝАВЕЅІЈКМНОРСТУХΑΒΕΖΗΙΚΜΝΟΡΤΥΧο]+$/u;
/** Latin letters in full width, or as mathematical symbols. */
const STYLED_LETTERS = /[\uff21-\uff3a\uff41-\uff5a\u{1d400}-\u{1d7ff}]/u;
/** As other systems write placeholders: `{name}`, `${name}`, `%name%`, `%(name)s`. */
const FOREIGN = /\$?(?<!\{)\{\s*[A-Za-z]\w{0,39}\s*\}(?!\})|%[A-Za-z]\w{0,39}%|%\([A-Za-z]\w{0,39}\)s/g;
const NO_CODE = 'There is no {{code}} in it, so no verification can be sent with it.';
const LINKS =
  'Filters of carriers and WhatsApp distrust links beside a code, and Meta refuses them in authentication templates.';

/** Tags, styles and entities of HTML. */
const NOT_SEEN = /<style[^>]*>[^<]*<\/style>|<[^<>]*>|&#?\w{1,20};/giu;
const ACTIVE_ELEMENTS = new Set(['script', 'iframe', 'object', 'embed', 'form']);

/**
 * Looks at every text of a template for what a channel would refuse, a filter distrust or a reader misread. Nothing of it
 * but `syntax` keeps a template from being saved.
 */
export function lint({ content, variables, translations }: TextsToLint): Finding[] {
  const findings: Finding[] = [];
  const look = (text: string | undefined, path: string, kind: Kind) => {
    if (text === undefined || findings.length === FINDINGS_MAX) return;
    for (const finding of findingsIn(text, path, kind, variables))
      if (findings.length < FINDINGS_MAX) findings.push(finding);
  };
  look(content, 'content', 'text');
  for (const [locale, { text, sms, email }] of Object.entries(translations)) {
    const path = `translations.${locale}`;
    if (text !== content) look(text, `${path}.text`, 'text');
    look(sms, `${path}.sms`, 'sms');
    look(email?.subject, `${path}.email.subject`, 'subject');
    look(email?.text, `${path}.email.text`, 'mail');
    look(email?.html, `${path}.email.html`, 'html');
  }
  return findings;
}

function findingsIn(text: string, path: string, kind: Kind, declared: string[] | undefined): Finding[] {
  const findings: Finding[] = [];
  const note: Note = (rule, isError, message, at) => {
    if (findings.length === FINDINGS_MAX) return;
    const place = at === undefined ? undefined : positionOf(text, at);
    findings.push({ rule, isError, path, message, ...place });
  };
  const noteEach = (rule: Finding['rule'], pattern: RegExp, messageOf: (found: string) => string) => {
    for (const { 0: found, index } of text.matchAll(pattern)) note(rule, false, messageOf(found), index);
  };

  try {
    parseTemplate(text, { path, isSubject: kind === 'subject', ...(declared && { declared }) });
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    for (const { message } of error.details.errors ?? []) note('syntax', true, message);
    // What cannot be read cannot be judged, and may be as long as it likes.
    return findings;
  }

  if (text.trim() === '') note('syntax', true, 'The text is empty.');
  const hasCode = CODE.test(text);
  const isHtml = kind === 'html';
  const seen = isHtml ? text.replace(NOT_SEEN, blanks) : text;
  if (kind !== 'subject') lookAtCode(seen, hasCode, note);
  noteEach(
    'invisible',
    INVISIBLE,
    (found) =>
      `${codePointOf(found)} is invisible and can change the order in which text and code are shown.`,
  );
  if (isHtml) {
    lookAtTags(text, note);
    return findings;
  }
  noteEach(
    'foreign-placeholder',
    FOREIGN,
    (found) => `${found} is not a placeholder here and is sent as it is. Write {{name}}.`,
  );
  for (const { 0: word, index } of text.matchAll(/\S+/gu))
    if (LINKS_AND_HOSTS.some((shape) => shape.test(word)))
      note('link', false, `${word.slice(0, SHOWN_MAX)} is a link. ${LINKS}`, index);
  noteEach(
    'emoji',
    EMOJI,
    (found) =>
      `${found} is an emoji. Meta refuses emoji in authentication templates, and an SMS with one holds 70 characters.`,
  );
  lookAtLetters(text, note);
  lookAtLength(text, kind, note);
  return findings;
}

type Note = (rule: Finding['rule'], isError: boolean, message: string, at?: number) => void;

/** As many blanks, so that places stay what they are. */
const blanks = (found: string) => ' '.repeat(found.length);

function lookAtLetters(text: string, note: Note): void {
  const words = [...text.replace(PLACEHOLDERS, blanks).matchAll(WORD)];
  const hasLatin = words.some(({ 0: word }) => /\p{Script=Latin}/u.test(word));
  const foreign = words.filter(({ 0: word }) => /^[\p{Script=Cyrillic}\p{Script=Greek}]+$/u.test(word));
  // A text in two languages has words that no Latin letters could write.
  const isDisguised = hasLatin && foreign.every(({ 0: word }) => LATIN_SHAPED.test(word));
  for (const { 0: word, index } of words) {
    const shown = word.slice(0, SHOWN_MAX);
    if (/\p{Script=Latin}/u.test(word) && /[\p{Script=Cyrillic}\p{Script=Greek}]/u.test(word))
      note(
        'look-alike',
        false,
        `${shown} mixes Latin letters with Cyrillic or Greek ones that look like them, as fraudulent messages do.`,
        index,
      );
    else if (STYLED_LETTERS.test(word))
      note('look-alike', false, `${shown} has letters in another form, as fraudulent messages do.`, index);
    else if (isDisguised && word.length > 2 && LATIN_SHAPED.test(word))
      note(
        'look-alike',
        false,
        `${shown} is written in Cyrillic or Greek letters that look like Latin ones, as fraudulent messages do.`,
        index,
      );
  }
}

/** What a mail reader would not show, or where a value could become more than text. */
function lookAtTags(text: string, note: Note): void {
  for (const { 0: tag, index } of text.matchAll(/<[a-z][^<>]*>?/giu)) {
    const name = /^<([a-z]+)/iu.exec(tag)![1]!;
    const bare = tag.replace(/"[^"]*"|'[^']*'/gu, '""');
    if (ACTIVE_ELEMENTS.has(name.toLowerCase()))
      note(
        'html',
        true,
        `<${name.slice(0, SHOWN_MAX)}> does not work in a mail, and filters refuse it.`,
        index,
      );
    const handler = /\s(on[a-z]{1,20})\s{0,9}=/iu.exec(bare)?.[1];
    if (handler !== undefined)
      note(
        'html',
        true,
        `${handler} runs a script, which does not work in a mail, and filters refuse it.`,
        index,
      );
    if (/=\s{0,9}[^\s"'=]{0,200}\{\{/u.test(bare))
      note(
        'html',
        true,
        'An attribute with a placeholder needs quotes, or a value can add attributes.',
        index,
      );
  }
}

function lookAtCode(text: string, hasCode: boolean, note: Note): void {
  const numbers = [...text.replace(PLACEHOLDERS, blanks).matchAll(CODE_LIKE)];
  const [first, second] = numbers;
  if (!hasCode) {
    note('no-code', false, NO_CODE);
    if (second)
      note('two-codes', false, `${second[0]} is a second number that looks like a code.`, second.index);
    return;
  }
  const index = CODE.exec(text)?.index ?? 0;
  if (first) {
    const message =
      first.index < index
        ? `${first[0]} looks like a code and stands before {{code}}. Phones offer the first such number, so people would type the wrong one.`
        : `${first[0]} looks like a second code. People may type it.`;
    note('two-codes', first.index < index, message, first.index);
  }
}

function lookAtLength(text: string, kind: Kind, note: Note): void {
  if (kind === 'text' && text.length > META_BODY_MAX)
    note(
      'meta-length',
      false,
      `Meta allows ${META_BODY_MAX} characters in a template; this has ${text.length}.`,
    );
  if (kind !== 'text' && kind !== 'sms') return;
  const { segments, encoding } = smsSize(filledIn({ text: text.replace(CODE, '000000'), code: undefined }));
  if (segments > SMS_PARTS_MAX)
    note('sms-parts', false, `As SMS it is sent, and billed, as ${segments} parts or more (${encoding}).`);
}

const codePointOf = (character: string) =>
  `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
