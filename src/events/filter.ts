import { EVENTS } from './catalogue.ts';

/** Whether an entry of a filter includes a type: the type itself, all of a kind such as `otp.*`, or `*`. */
function includes(entry: string, type: string): boolean {
  if (entry === '*' || entry === type) return true;
  return entry.endsWith('.*') && type.startsWith(entry.slice(0, -1));
}

/** The types that integrators can subscribe to; those of the installation are for administrators. */
export function subscribableTypes(isAdmin: boolean): string[] {
  return Object.entries(EVENTS)
    .filter(([, { webhook, scope }]) => webhook || (isAdmin && scope === 'installation'))
    .map(([type]) => type);
}

/**
 * The types that a filter selects.
 * @param entries types, kinds such as `otp.*`, or `*`
 * @returns also the first entry that selects none of them
 */
export function selectTypes(
  entries: readonly string[],
  types: readonly string[],
): { selected: string[]; unknown: string | undefined } {
  return {
    selected: types.filter((type) => entries.some((entry) => includes(entry, type))),
    unknown: entries.find((entry) => !types.some((type) => includes(entry, type))),
  };
}
