import { type RawBuilder, sql } from 'kysely';

/** One project, or all but some, by their numbers. */
export type Projects = { readonly only: number } | { readonly except: readonly number[] };

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

/** Narrows a query to the rows of some projects. */
export function inProjects(projects: Projects): RawBuilder<boolean> {
  if ('only' in projects) return ofProject(projects.only);
  return projects.except.length === 0
    ? sql<boolean>`1 = 1`
    : sql<boolean>`project_id not in (${sql.join(projects.except)})`;
}
