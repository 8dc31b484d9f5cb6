import type { Environment } from './environment.ts';
import { problemLine } from './problems.ts';
import type { Values, Variable, Variables } from './variable.ts';

/** Problems found so far, each under the name of its variable. */
export type Problems = Map<string, string>;

/** Whether the environment holds a text for the variable; an empty one counts as none. */
export function isGiven(variable: Variable<unknown>, env: Environment): boolean {
  return (env[variable.name] ?? '') !== '';
}

/** The values of one group. A variable that holds what it must not is noted in `problems` and reads as unset. */
export function readGroup<G extends Variables>(
  variables: G,
  env: Environment,
  problems: Problems,
): Values<G> {
  const entries = Object.entries(variables).map(([key, variable]) => {
    const given = env[variable.name];
    if (given === undefined || given === '') return [key, variable.fallback];
    const value = variable.parse(given);
    if (value === undefined) problems.set(variable.name, problemLine(variable, given));
    return [key, value ?? variable.fallback];
  });
  return Object.fromEntries(entries) as Values<G>;
}
