import { type RawBuilder, sql } from 'kysely';

/** The number of the project that everything belongs to unless another one is named. */
export const DEFAULT_PROJECT = 1;

/**
 * Narrows a list to the rows of one project, so that the index `…_of_other_projects` of its table serves it: the engine uses
 * a partial index only for a query that repeats its very condition. The rows of the default project are in none, since
 * nearly every row is one.
 */
export function ofProject(projectId: number): RawBuilder<boolean> {
  return projectId === DEFAULT_PROJECT
    ? sql`project_id = ${projectId}`
    : sql`(project_id = ${projectId} and project_id <> ${sql.lit(DEFAULT_PROJECT)})`;
}
