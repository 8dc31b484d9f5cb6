import type { Core } from '../core.ts';
import { projectService } from './service.ts';

/** The tenants. `defaultId` is what the API calls the default project. */
export async function projectsFeature({ database, clock }: Core) {
  const projects = projectService({ database, clock });
  return { name: 'projects', defaultId: await projects.ensureDefault(), numberOf: projects.numberOf };
}
