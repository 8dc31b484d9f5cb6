import { GROUPS, TITLES } from '../../../src/config/groups.ts';
import { MIGRATIONS } from '../../../src/database/migrate.ts';
import { EVENTS } from '../../../src/events/catalogue.ts';
import { up } from './migration.ts';
import { toyVariables } from './settings.ts';

/** After every migration of the product. */
export const TOY_MIGRATION = '9999-toys';

/** The line that the toy has in each vocabulary of the product. */
const LINES: readonly (readonly [vocabulary: object, name: string, line: unknown])[] = [
  [GROUPS, 'toy', toyVariables],
  [TITLES, 'toy', 'Toys'],
  [MIGRATIONS, TOY_MIGRATION, { up }],
  [
    EVENTS,
    'toy.made',
    { webhook: false, audited: true, scope: 'project', meaning: 'An administrator created a toy.' },
  ],
];

/** Writes the lines of the toy into the vocabularies; what it returns takes them out again. */
export function addToyLines(): () => void {
  for (const [vocabulary, name, line] of LINES) Object.assign(vocabulary, { [name]: line });
  return () => {
    for (const [vocabulary, name] of LINES) Reflect.deleteProperty(vocabulary, name);
  };
}
