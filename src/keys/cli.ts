import { type Command, InvalidArgumentError } from 'commander';
import type { ApiClient } from '../cli/api-client.ts';
import { command, print, withApi } from '../cli/command.ts';
import { CommandError } from '../cli/command-error.ts';
import { table } from '../cli/table.ts';
import { PERMISSIONS } from '../http/permissions.ts';
import { isDate, readTime, TIME_ALLOWED } from '../lib/rfc3339.ts';

/** As the API takes it. */
const RATE_LIMIT_MAX = 1_000_000_000;

const OF_PROJECT = ['--project <id>', 'of this project (prj_…); without it, of the default project'] as const;

interface CreateOptions {
  name: string;
  permissions: string[];
  rateLimit?: number;
  /** ISO 8601. */
  expires?: string;
  project?: string;
  json?: boolean;
}

interface CreatedKey {
  id: string;
  name: string;
  key: string;
  permissions: string[];
  rateLimit: number | null;
  expiresAt: string | null;
}

interface ListedKey {
  id: string;
  name: string;
  keyPreview: string;
  permissions: string[];
  usageCount: number;
  lastUsed: string | null;
  expiresAt: string | null;
  parentId: string | null;
}

export function tokenCommand(): Command {
  const token = command(
    'token',
    'Create, list and revoke API keys',
    'wotp token create --name checkout',
    'wotp token list',
  );

  token.addCommand(
    command(
      'create',
      'Create an API key and show it once',
      'wotp token create --name checkout --permissions otp:send,otp:verify',
      'wotp token create --name ci --expires 2027-01-31 --json',
    )
      .option('--name <name>', 'what the key is for', 'cli')
      .option(
        '--permissions <list>',
        `separated by commas: ${PERMISSIONS.join(', ')}; or * for all, those of later versions too`,
        permissionList,
        ['otp:send', 'otp:verify'],
      )
      .option('--rate-limit <number>', "requests a window, in place of the server's limit", wholeNumber)
      .option('--expires <time>', 'when it expires: a time in RFC 3339, or a date, at 00:00 UTC', endOfKey)
      .option(...OF_PROJECT)
      .option('--json', 'print one line of JSON')
      .action(
        ({ name, permissions, rateLimit, expires: expiresAt, project: projectId, json }: CreateOptions) =>
          withApi(async (api) => {
            const body = { name, permissions, rateLimit, expiresAt, projectId };
            const { data } = await api.call<{ data: CreatedKey }>('POST', '/api/v1/keys', body);
            print(
              json,
              data,
              `${data.key}\n\nThe key ${data.id} (${data.name}) is shown only now. It may: ${data.permissions.join(', ')}`,
            );
          }),
      ),
  );

  token.addCommand(
    command('list', 'List the API keys with their use', 'wotp token list', 'wotp token list --json')
      .option(...OF_PROJECT)
      .option('--json', 'print one line of JSON')
      .action(({ project, json }: { project?: string; json?: boolean }) =>
        withApi(async (api) => {
          const keys = await listKeys(api, project);
          print(json, { keys }, keys.length === 0 ? 'There is no API key.' : keyTable(keys));
        }),
      ),
  );

  token.addCommand(
    command(
      'revoke',
      'Revoke an API key and the keys it created',
      'wotp token revoke key_01jd3x8zq2e6v9k5m7n0p4r8st',
      'wotp token revoke key_01jd3x8zq2e6v9k5m7n0p4r8st --yes',
    )
      .argument('<id>', 'the id of the key, as `token list` shows it')
      .option(...OF_PROJECT)
      .option('--yes', 'also revoke the keys it created; required when there are any')
      .option('--json', 'print one line of JSON')
      .action((id: string, { project, yes, json }: { project?: string; yes?: boolean; json?: boolean }) =>
        withApi(async (api) => {
          const children = descendantsOf(id, await listKeys(api, project));
          const named = children.map((key) => `${key.id} (${key.name})`).join(', ');
          if (children.length > 0 && !yes) {
            throw new CommandError(
              `The key ${id} created others, which are revoked with it: ${named}. To revoke them all, add --yes.`,
            );
          }
          const of = project === undefined ? '' : `?projectId=${encodeURIComponent(project)}`;
          await api.call('DELETE', `/api/v1/keys/${encodeURIComponent(id)}${of}`);
          print(
            json,
            children.length === 0 ? { id } : { id, with: children.map((key) => key.id) },
            `The key ${id} is revoked${named && `, and with it ${named}`}.`,
          );
        }),
      ),
  );
  return token;
}

async function listKeys(api: ApiClient, project: string | undefined): Promise<ListedKey[]> {
  const keys: ListedKey[] = [];
  const of = project === undefined ? '' : `&projectId=${encodeURIComponent(project)}`;
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const answer: { data: ListedKey[]; page: { next: string | null } } = await api.call(
      'GET',
      `/api/v1/keys?limit=200${of}${query}`,
    );
    keys.push(...answer.data);
    cursor = answer.page.next;
  }
  return keys;
}

/** The keys that a key created, and those that they created. */
function descendantsOf(id: string, keys: readonly ListedKey[]): ListedKey[] {
  const children = keys.filter(({ parentId }) => parentId === id);
  return children.flatMap((child) => [child, ...descendantsOf(child.id, keys)]);
}

function keyTable(keys: ListedKey[]): string {
  return table(
    ['id', 'name', 'key', 'permissions', 'uses', 'last used', 'expires', 'created by'],
    keys.map((key) => [
      key.id,
      key.name,
      key.keyPreview,
      key.permissions.join(', '),
      key.usageCount,
      key.lastUsed ?? '–',
      key.expiresAt ?? '–',
      key.parentId ?? '–',
    ]),
  );
}

export function permissionList(text: string): string[] {
  const names = text.split(',').map((name) => name.trim());
  const known: readonly string[] = [...PERMISSIONS, '*'];
  if (!names.every((name) => known.includes(name))) {
    throw new InvalidArgumentError(`Each must be one of ${[...PERMISSIONS, '*'].join(', ')}.`);
  }
  return names;
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!/^\d{1,10}$/.test(text) || number < 1 || number > RATE_LIMIT_MAX) {
    throw new InvalidArgumentError(`Allowed: a whole number from 1 to ${RATE_LIMIT_MAX}.`);
  }
  return number;
}

function endOfKey(text: string): string {
  const time = isDate(text) ? Date.parse(text) : readTime(text);
  if (time === undefined) {
    throw new InvalidArgumentError(`Allowed: ${TIME_ALLOWED}, or a date such as 2026-11-23.`);
  }
  if (time <= Date.now()) throw new InvalidArgumentError('Allowed: a time in the future.');
  return new Date(time).toISOString();
}
