import { type RawBuilder, sql } from 'kysely';
import type { Executor } from '../database/database.ts';
import type { Schema } from '../database/schema.ts';

/** Where a table has the data of a project that the table itself does not name. */
interface Children {
  readonly table: keyof Schema;
  /** The column that names the row of the parent, and that which tells the children of one parent apart. */
  readonly parent: string;
  readonly key: string;
}

/** A table whose rows belong to projects, and how the rows of one are found and told apart. */
interface Kind {
  readonly table: keyof Schema;
  /** What tells its rows apart; within the project where it is not `walked`. */
  readonly key: string;
  /** Whether its rows are found by walking along the key, as there is no index by project. */
  readonly walked?: true;
  readonly children?: readonly Children[];
  /** What a project with such rows is said to have; undefined where they alone do not make it filled. */
  readonly called?: string;
  /** Which rows count for that; all of them unless given. */
  readonly counts?: RawBuilder<boolean>;
}

/**
 * Every table whose rows carry a project, in the order in which they are erased: first what would make more. A test holds
 * this list to the schema, so a new table has to be named here, or among those that are `KEPT`. Linked numbers are removed
 * before, with their sessions.
 */
export const KINDS: readonly Kind[] = [
  { table: 'schedules', key: 'id', walked: true, called: 'schedules' },
  {
    table: 'bulks',
    key: 'id',
    walked: true,
    called: 'bulk jobs',
    children: [{ table: 'bulk_recipients', parent: 'bulk_id', key: 'number' }],
  },
  { table: 'verifications', key: 'id', walked: true, called: 'verifications' },
  { table: 'messages', key: 'id', walked: true },
  { table: 'simulator_messages', key: 'message_id', walked: true },
  {
    table: 'webhook_endpoints',
    key: 'id',
    walked: true,
    called: 'webhook endpoints',
    counts: sql`deleted = 0`,
    children: [{ table: 'webhook_deliveries', parent: 'endpoint_id', key: 'seq' }],
  },
  {
    table: 'templates',
    key: 'id',
    walked: true,
    called: 'templates',
    counts: sql`deleted_at is null`,
    children: [{ table: 'template_versions', parent: 'template_id', key: 'version' }],
  },
  { table: 'test_numbers', key: 'id', walked: true, called: 'test numbers' },
  { table: 'suppressed_numbers', key: 'identity', called: 'opted-out numbers' },
  { table: 'api_keys', key: 'id', walked: true, called: 'API keys', counts: sql`revoked_at is null` },
  { table: 'monthly_messages', key: 'month' },
  { table: 'setting_values', key: 'key' },
  { table: 'setting_changes', key: 'seq' },
  { table: 'events', key: 'seq', walked: true },
  // What counts the events comes after them.
  { table: 'analytics_messages', key: 'start' },
  { table: 'analytics_conversion', key: 'start' },
  { table: 'analytics_delivery', key: 'start' },
  { table: 'analytics_phones', key: 'start' },
];

/** Rows that carry a project and are not erased as the others are, and why. */
export const KEPT: Readonly<Partial<Record<keyof Schema, string>>> = {
  whatsapp_sessions: 'removed with the session, which is logged out first',
  audit_log: 'what administrators did stays until its retention, so that the chain can be verified',
};

/** What a project has, as a sentence names it; empty for one that can be deleted without a word. */
export async function kindsIn(executor: Executor, projectId: number): Promise<string[]> {
  const named = [
    ...KINDS.filter(({ called }) => called !== undefined),
    { table: 'whatsapp_sessions', called: 'linked numbers', counts: undefined },
  ];
  const found: string[] = [];
  for (const { table, called, counts = sql`1 = 1` } of named) {
    const { rows } = await sql`select 1 from ${sql.table(table)}
      where project_id = ${projectId} and ${counts} limit 1`.execute(executor);
    if (rows.length > 0) found.push(called!);
  }
  return found;
}
