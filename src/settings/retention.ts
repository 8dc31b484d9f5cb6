import type { Projects } from '../database/project.ts';
import { INSTALLATION } from './layers.ts';
import type { Settings } from './settings.ts';

/** How long ended verifications, and what is kept like them, are kept in some projects. */
export interface KeptFor {
  readonly days: number;
  readonly projects: Projects;
}

/** How long they are kept, for every project; those that keep them for ever are left out. */
export function verificationsKept(settings: Settings): KeptFor[] {
  const usual = settings.of(INSTALLATION).verificationDays;
  const own = settings.projectsWithOwn
    .map((projectId) => ({ projectId, days: settings.of(projectId).verificationDays }))
    .filter(({ days }) => days !== usual);
  return [
    { days: usual, projects: { except: own.map(({ projectId }) => projectId) } },
    ...own.map(({ projectId, days }) => ({ days, projects: { only: projectId } })),
  ].filter(({ days }) => days !== 0);
}
