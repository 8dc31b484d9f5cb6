import { expect, test } from 'vitest';
import { postgresToolsInstead } from './own-tools.ts';

test.each([
  ['backup', 'pg_dump '],
  ['restore', 'pg_restore '],
  ['compact', 'vacuumdb '],
  ['verify', 'pg_amcheck '],
] as const)(
  '%s names the tool of PostgreSQL that does it, and the key that belongs to the data',
  (command, tool) => {
    expect(postgresToolsInstead(command)).toContain(tool);
    expect(postgresToolsInstead(command)).toContain('DB_MASTER_KEY');
  },
);
