/** How the server treats something a client sends. Nothing set: it does what it should, at once. */
export interface Rule {
  /** Answers only after this time. */
  delayMs?: number;
  /** Never answers. */
  lost?: boolean;
  /** Answers with this error code instead of doing it. */
  error?: number;
}

/** One rule for everything, or a rule for each case. */
export type Rules<Case> = Rule | ((about: Case) => Rule | undefined);

export function ruleFor<Case>(rules: Rules<Case>, about: Case): Rule {
  return (typeof rules === 'function' ? rules(about) : rules) ?? {};
}
