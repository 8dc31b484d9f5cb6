import { type Command, InvalidArgumentError } from 'commander';
import { OFFERED_PERMISSIONS } from '../keys/permissions.ts';
import { command, print, withApi } from './command.ts';
import { table } from './table.ts';

interface CreateOptions {
  name: string;
  permissions: string[];
  rateLimit?: number;
  /** ISO 8601. */
  expires?: string;
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
}

export function tokenCommand(): Command {
  const token = command('token', 'make, list and revoke API keys', 'wotp token list');

  token.addCommand(
    command(
      'create',
      'make an API key; it is shown once',
      'wotp token create --name checkout --permissions otp:send,otp:verify',
    )
      .option('--name <name>', 'what the key is for', 'cli')
      .option(
        '--permissions <list>',
        `separated by commas: ${OFFERED_PERMISSIONS.join(', ')}; or * for all, those of later versions too`,
        (list) => list.split(',').map((p) => p.trim()),
        ['otp:send', 'otp:verify'],
      )
      .option('--rate-limit <number>', "requests a window, in place of the server's limit", wholeNumber)
      .option('--expires <time>', 'when it ends, ISO 8601', isoTime)
      .option('--json', 'print one line of JSON')
      .action(({ name, permissions, rateLimit, expires: expiresAt, json }: CreateOptions) =>
        withApi(async (api) => {
          const body = { name, permissions, rateLimit, expiresAt };
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
    command('list', 'list the API keys', 'wotp token list --json')
      .option('--json', 'print one line of JSON')
      .action(({ json }: { json?: boolean }) =>
        withApi(async (api) => {
          const keys: ListedKey[] = [];
          for (let cursor: string | null = ''; cursor !== null; ) {
            const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
            const answer: { data: ListedKey[]; page: { next: string | null } } = await api.call(
              'GET',
              `/api/v1/keys?limit=200${query}`,
            );
            keys.push(...answer.data);
            cursor = answer.page.next;
          }
          print(json, { keys }, keys.length === 0 ? 'There is no API key.' : keyTable(keys));
        }),
      ),
  );

  token.addCommand(
    command(
      'revoke',
      'revoke an API key; its next request is refused',
      'wotp token revoke key_01jd3x8zq2e6v9k5m7n0p4r8st',
    )
      .argument('<id>', 'the id of the key, as `token list` shows it')
      .option('--json', 'print one line of JSON')
      .action((id: string, { json }: { json?: boolean }) =>
        withApi(async (api) => {
          await api.call('DELETE', `/api/v1/keys/${encodeURIComponent(id)}`);
          print(json, { id }, `The key ${id} is revoked.`);
        }),
      ),
  );
  return token;
}

function keyTable(keys: ListedKey[]): string {
  return table(
    ['id', 'name', 'key', 'permissions', 'uses', 'last used', 'expires'],
    keys.map((key) => [
      key.id,
      key.name,
      key.keyPreview,
      key.permissions.join(', '),
      key.usageCount,
      key.lastUsed ?? '–',
      key.expiresAt ?? '–',
    ]),
  );
}

function wholeNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('Allowed: a whole number.');
  return Number(text);
}

function isoTime(text: string): string {
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new InvalidArgumentError('Allowed: a time such as 2027-01-31T00:00:00Z.');
  return new Date(time).toISOString();
}
