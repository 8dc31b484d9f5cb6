import { request as httpRequest } from 'node:http';
import type { Config } from '../config/config.ts';
import { controlSocketPath } from '../http/control-socket.ts';
import type { Problem } from '../http/problem.ts';
import { refuseSharedFolder } from '../lib/shared-folder.ts';
import { RefusalError } from './command-error.ts';
import { hasDatabaseFile, noDatabaseAt } from './present-database.ts';

/** A file as the body of a request. */
export class FileBody {
  readonly type: string;
  readonly bytes: Buffer;

  /** @param type its media type */
  constructor(type: string, bytes: Buffer) {
    this.type = type;
    this.bytes = bytes;
  }
}

const asJson = (body: object) => new FileBody('application/json', Buffer.from(JSON.stringify(body)));

/** The API as the command line uses it: as the administrator, whether or not the server runs. */
export interface ApiClient {
  /** Calls a route, with JSON or a file, and resolves to the whole answer. Throws RefusalError with the server's own sentence. */
  call<T>(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: object): Promise<T>;
  close(): Promise<void>;
}

/** An application in this process that answers the command line only. */
export interface OwnServer {
  /** Resolves to the path of its socket. */
  listenForCommands(): Promise<string>;
  stop(): Promise<void>;
}

let openOwn = (_config: Config): Promise<OwnServer> => {
  throw new Error('Nothing says how the application is opened.');
};

/** Says how the application is opened where no server runs: the kit of commands is below it, and does not know it. */
export function openWith(open: (config: Config) => Promise<OwnServer>): void {
  openOwn = open;
}

/**
 * Talks to the running server over its control socket; when none runs, to the application itself in this process,
 * which then holds the database for as long as the client is open. Creates a database file only with `creates`: in the
 * wrong folder a command would otherwise change data that no server uses.
 * @throws CommandError when there is no database file and none is to be created
 * @throws DatabaseInUseError when another process holds the database but no server answers
 */
export async function openApi(config: Config, { creates = false } = {}): Promise<ApiClient> {
  const server = await runningServer(config);
  if (server) return server;
  const { database } = config;
  if (!creates && database.url === undefined && !hasDatabaseFile(database)) throw noDatabaseAt(database.path);
  const app = await openOwn(config);
  const ownPath = await app.listenForCommands().catch(async (error: unknown) => {
    await app.stop();
    throw error;
  });
  return { call: (method, path, body) => overSocket(ownPath, method, path, body), close: () => app.stop() };
}

/**
 * The running server over its control socket; undefined when none runs.
 * @throws SharedFolderError when others may write to the data folder, and so put a socket of theirs there
 */
export async function runningServer(config: Config): Promise<ApiClient | undefined> {
  refuseSharedFolder(config.database.dataDir);
  const socketPath = controlSocketPath(config.database.dataDir);
  if (!socketPath || !(await answers(socketPath))) return undefined;
  return {
    call: (method, path, body) => overSocket(socketPath, method, path, body),
    close: async () => {},
  };
}

async function answers(socketPath: string): Promise<boolean> {
  try {
    await overSocket(socketPath, 'GET', '/api/v1/health/live');
    return true;
  } catch (error) {
    // No socket, or one that a dead server left behind.
    if (['ENOENT', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}

function overSocket<T>(socketPath: string, method: string, path: string, body?: object): Promise<T> {
  const payload = body === undefined || body instanceof FileBody ? body : asJson(body);
  return new Promise((resolve, reject) => {
    const headers = payload ? { 'content-type': payload.type, 'content-length': payload.bytes.length } : {};
    const call = httpRequest({ socketPath, method, path, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        try {
          resolve(read(response.statusCode!, Buffer.concat(chunks).toString('utf8')));
        } catch (error) {
          reject(error);
        }
      });
    });
    call.on('error', reject);
    call.end(payload?.bytes);
  });
}

function read<T>(status: number, body: string): T {
  const answer = JSON.parse(body) as T | Problem;
  if (status < 400) return answer as T;
  throw new RefusalError(answer as Problem);
}
