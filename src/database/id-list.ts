import { type RawBuilder, sql } from 'kysely';
import type { Database } from './database.ts';

/**
 * Whether a column holds one of the texts of a JSON array: such a query is prepared once for any number of them.
 * @param list a parameter whose value is the array as JSON
 */
export function isAmong(engine: Database['engine'], column: string, list: string): RawBuilder<boolean> {
  return engine === 'postgres'
    ? sql`${sql.ref(column)} = any (array(select jsonb_array_elements_text(${list}::jsonb)))`
    : sql`${sql.ref(column)} in (select value from json_each(${list}))`;
}
