import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { connect } from 'node:net';
import { relative } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Connections } from './connections.ts';

/** The longest path the kernel takes for a socket, in bytes. */
const SOCKET_PATH_MAX_BYTES = 103;

/** Another process already answers commands in this data folder. */
export class DataFolderInUseError extends Error {
  constructor(path: string) {
    super(
      `Another WOTP process uses this data folder: it answers at ${path}. Give each server a DATA_DIR of its own.`,
    );
    this.name = 'DataFolderInUseError';
  }
}

/** The socket's path as it can be used from here: the kernel takes short ones only. Undefined when none fits. */
export function controlSocketPath(dataDir: string): string | undefined {
  const absolute = `${dataDir}/wotp.sock`;
  return [absolute, relative(process.cwd(), absolute)].find(
    (path) => Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES,
  );
}

/**
 * Serves the same API on a socket in the data folder, for the command line: who may open the socket (mode 0600) may
 * administer. A socket that a dead process has left is replaced.
 * @throws DataFolderInUseError when another process answers there
 */
export async function listenOnControlSocket(
  server: FastifyInstance,
  path: string,
  connections: Connections,
): Promise<HttpServer> {
  if (await isAnswered(path)) throw new DataFolderInUseError(path);
  rmSync(path, { force: true });
  const control = connections.serve(
    createServer(),
    (request, response) => server.routing(request, response),
    { isControl: true },
  );
  await new Promise<void>((resolve, reject) => {
    control.once('error', reject);
    const umask = process.umask(0o177);
    control.listen(path, resolve);
    process.umask(umask);
  });
  chmodSync(path, 0o600);
  return control;
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (answered: boolean) => {
      socket.destroy();
      resolve(answered);
    };
    socket.once('connect', () => settle(true)).once('error', () => settle(false));
  });
}
