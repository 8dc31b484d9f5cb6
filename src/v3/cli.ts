import { print, withApi } from '../cli/command.ts';
import { CommandError } from '../cli/command-error.ts';
import { KEY_FILE_MAX_BYTES } from '../cli/key-file.ts';
import { readEnvironment } from '../config/config.ts';
import { readBounded } from '../lib/bounded-file.ts';
import { readV3Database, V3_BATCH_MAX } from './old-database.ts';

/** The environment's name for the key of v3's database. */
const KEY_VARIABLE = 'V3_DB_MASTER_KEY';

/** Where the key of v3's database may come from: the argument, a file, the environment, standard input. */
export interface V3KeySource {
  v3Key?: string;
  v3KeyFile?: string;
}

interface Taken {
  tokens: number;
  logs: number;
  skipped: number;
}

/**
 * The key that v3's database was encrypted with; undefined when none was given anywhere.
 * @throws CommandError when the named file cannot be read
 */
export async function readV3Key({ v3Key, v3KeyFile }: V3KeySource): Promise<string | undefined> {
  if (v3Key !== undefined) return v3Key;
  if (v3KeyFile !== undefined) return keyIn(v3KeyFile);
  return readEnvironment(process.cwd())[KEY_VARIABLE] || (await fromStandardInput());
}

/**
 * Reads v3's database here, so that neither its path nor its key goes anywhere, and hands what it holds over in
 * portions, each of which is taken in one transaction. The keys of its tokens get the `permissions`, otp:send and otp:verify
 * where none are given.
 * @throws V3FileError before anything is changed
 */
export async function migrateFromV3(
  path: string,
  key: string,
  { permissions, asJson }: { permissions: string[] | undefined; asJson: boolean | undefined },
): Promise<void> {
  const { tokens, logs, unreadable } = readV3Database(path, key);
  const taken: Taken = { tokens: 0, logs: 0, skipped: 0 };

  await withApi(
    async (api) => {
      const take = async (body: object) => {
        const { data } = await api.call<{ data: Taken }>('POST', '/api/v1/migrate/v3', body);
        taken.tokens += data.tokens;
        taken.logs += data.logs;
        taken.skipped += data.skipped;
      };
      for (const portion of portions(tokens)) {
        const tokens = portion.map(({ hash, createdAt }) => ({ hash, createdAt: iso(createdAt) }));
        await take({ tokens, permissions });
      }
      for (const portion of portions(logs)) {
        await take({ logs: portion.map((line) => ({ ...line, at: iso(line.at) })) });
      }
    },
    { creates: true },
  );

  print(
    asJson,
    { ...taken, skipped: taken.skipped + unreadable },
    [
      `Read ${path}`,
      `  tokens imported                         ${taken.tokens}`,
      `  log lines imported                      ${taken.logs}`,
      `  skipped: already here, or in the future ${taken.skipped}`,
      `  skipped: neither token nor log line     ${unreadable}`,
    ].join('\n'),
  );
}

function keyIn(path: string): string {
  try {
    return readBounded(path, KEY_FILE_MAX_BYTES).toString('utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError(
      `The key file ${path} cannot be read (${code}). Give the path of a file with v3's DB_MASTER_KEY in it.`,
    );
  }
}

/** What is piped in. A terminal is not asked, since it would show the key. */
async function fromStandardInput(): Promise<string | undefined> {
  if (process.stdin.isTTY) return undefined;
  let piped = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    piped += chunk;
    if (piped.length > KEY_FILE_MAX_BYTES) throw new CommandError('Standard input holds more than a key.');
  }
  return piped.trim();
}

function* portions<T>(entries: readonly T[]): Generator<T[]> {
  for (let at = 0; at < entries.length; at += V3_BATCH_MAX) yield entries.slice(at, at + V3_BATCH_MAX);
}

function iso(time: number): string;
function iso(time: number | undefined): string | undefined;
function iso(time: number | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString();
}
