import { Cron } from 'croner';
import type { Declaration, Variable } from './variable.ts';

/** Times that come again, as cron writes them: minute, hour, day of the month, month, day of the week. */
export function cronPattern(declaration: Declaration): Variable<string | undefined> {
  return {
    defaultText: '',
    ...declaration,
    allowed: 'five cron fields, such as 0 3 * * *, or a name such as @daily',
    fallback: undefined,
    secret: false,
    parse(given) {
      const pattern = given.trim();
      if (!pattern.startsWith('@') && pattern.split(/\s+/).length !== 5) return undefined;
      try {
        return new Cron(pattern).nextRun() ? pattern : undefined;
      } catch {
        // The library says by throwing that this is no pattern.
        return undefined;
      }
    },
  };
}
