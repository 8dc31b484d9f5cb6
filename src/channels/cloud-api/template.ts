import type { Clock } from '../../lib/clock.ts';
import { folded, languageFor } from '../../lib/languages.ts';

/** How long a language is left alone after a send found it unusable, in ms: Meta may say nothing when it is usable again. */
const UNUSABLE_MS = 10 * 60_000;
/** States of a template that can be sent; a flagged one still can. */
const USABLE = ['APPROVED', 'REINSTATED', 'FLAGGED'];
const UNUSABLE = [
  'PENDING',
  'REJECTED',
  'PAUSED',
  'DISABLED',
  'IN_APPEAL',
  'PENDING_DELETION',
  'DELETED',
  'ARCHIVED',
  'LOCKED',
];

/** What is known of one language. */
interface Known {
  /** Undefined while it can be used. */
  problem: string | undefined;
  /** When it was learnt (Unix ms): what is older changes nothing. */
  at: number;
  /** Until then (Unix ms). */
  until: number;
}

/** The template in its languages: which one a message is sent in, and which Meta does not take at the moment. */
export class Template {
  readonly name: string;
  readonly #languages: readonly string[];
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();

  constructor(name: string, languages: readonly string[], clock: Clock) {
    this.name = name;
    this.#languages = languages;
    this.#clock = clock;
  }

  /** Why no language can be used; undefined when one can. */
  get problem(): string | undefined {
    const problems = this.#languages.map((language) => this.#problemOf(language));
    return problems.includes(undefined) ? undefined : problems.join('; ');
  }

  /** The language for a recipient; undefined where none can be used. */
  languageFor(recipient: { locale?: string | undefined; country?: string | undefined }): string | undefined {
    const [first, ...rest] = this.#languages.filter((language) => this.#problemOf(language) === undefined);
    return first === undefined ? undefined : languageFor([first, ...rest], recipient);
  }

  /** Meta has said in which state a language is. States that are not known change nothing. */
  noteState(language: string, state: string, at: number): void {
    const word = state.toUpperCase();
    if (USABLE.includes(word))
      this.#note(language, { problem: undefined, at, until: Number.POSITIVE_INFINITY });
    else if (UNUSABLE.includes(word)) {
      const problem = `the template ${this.name} (${language}) is ${word.toLowerCase().replaceAll('_', ' ')}`;
      this.#note(language, { problem, at, until: Number.POSITIVE_INFINITY });
    }
  }

  /** A message could not be sent in a language. */
  noteFailure(language: string, says: string, at: number): void {
    const problem = `the template ${this.name} (${language}): ${says}`;
    this.#note(language, { problem, at, until: at + UNUSABLE_MS });
  }

  #note(language: string, known: Known): void {
    const key = folded(language);
    const isOurs = this.#languages.some((own) => folded(own) === key);
    if (isOurs && known.at >= (this.#known.get(key)?.at ?? 0)) this.#known.set(key, known);
  }

  #problemOf(language: string): string | undefined {
    const known = this.#known.get(folded(language));
    return known && this.#clock.now() < known.until ? known.problem : undefined;
  }
}
