import { type Command, InvalidArgumentError } from 'commander';
import type { ApiClient } from '../cli/api-client.ts';
import { command, print, withApi } from '../cli/command.ts';
import { tableOfFilled } from '../cli/table.ts';
import { PROGRAM } from '../lib/program.ts';

const PATH = '/api/v1/projects';

interface Project {
  id: string;
  name: string;
  isDefault: boolean;
  /** ISO 8601. */
  createdAt: string;
}

/** `project list|create`. */
export function projectCommand(): Command {
  const project = command(
    'project',
    'List and create projects, which share nothing',
    'wotp project list',
    'wotp project create Checkout',
  );

  project.addCommand(
    command('list', 'List the projects, oldest first', 'wotp project list', 'wotp project list --json')
      .option('--json', 'print one line of JSON')
      .action(({ json }: { json?: boolean }) =>
        withApi(async (api) => {
          const projects = await allProjects(api);
          const rows = projects.map(({ id, name, isDefault, createdAt }) => [
            id,
            name,
            isDefault ? 'default' : '',
            createdAt,
          ]);
          print(json, { projects }, tableOfFilled(['id', 'name', '', 'created'], rows));
        }),
      ),
  );

  project.addCommand(
    command(
      'create',
      'Create a project',
      'wotp project create Checkout',
      'wotp project create "Customer 17" --json',
    )
      .argument('<name>', 'what it is for, at most 100 characters', nameOf)
      .option('--json', 'print one line of JSON')
      .action((name: string, { json }: { json?: boolean }) =>
        withApi(async (api) => {
          const { data } = await api.call<{ data: Project }>('POST', PATH, { name });
          print(
            json,
            data,
            `${data.id}\n\nThe project ${data.name} is created. Create a key for it with: ${PROGRAM} token create --name NAME --project ${data.id}`,
          );
        }),
      ),
  );
  return project;
}

function nameOf(text: string): string {
  const name = text.trim();
  if (name === '' || name.length > 100) throw new InvalidArgumentError('Allowed: 1 to 100 characters.');
  return name;
}

async function allProjects(api: ApiClient): Promise<Project[]> {
  const projects: Project[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const answer: { data: Project[]; page: { next: string | null } } = await api.call(
      'GET',
      `${PATH}?limit=200${query}`,
    );
    projects.push(...answer.data);
    cursor = answer.page.next;
  }
  return projects;
}
