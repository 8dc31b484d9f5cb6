import { chmodSync, lstatSync, mkdtempSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { ExpectedError } from '../lib/expected-error.ts';
import type { Connections } from './connections.ts';

/** The longest path the kernel takes for a socket, in bytes. */
const SOCKET_PATH_MAX_BYTES = 103;

/** A socket that is not in its data folder. */
const TEMPORARY_SOCKET = /\/wotp-[A-Za-z0-9]{6}\/s$/;

/** Another process already answers commands in this data folder. */
export class DataFolderInUseError extends ExpectedError {
  constructor(path: string) {
    super(
      `Another WOTP process uses this data folder: it answers at ${path}. Give each server a DATA_DIR of its own.`,
    );
  }
}

/** The name of the socket in its data folder, or of the link to it where that path is too long for one. */
function controlSocketIn(dataDir: string): string {
  return join(dataDir, 'wotp.sock');
}

/**
 * The path by which the socket of a data folder can be reached: the kernel takes short ones only. Undefined when that
 * of the folder is too long and no server has left a link to a shorter one.
 */
export function controlSocketPath(dataDir: string): string | undefined {
  const path = controlSocketIn(dataDir);
  return fitsKernel(path) ? path : linkedSocket(path);
}

/**
 * Makes the place for the socket of a data folder and returns its path. Where the folder's own path is too long, that
 * is a new temporary folder that only its owner may enter, and a link in the data folder leads there.
 * @throws DataFolderInUseError when another process answers there
 */
export async function prepareControlSocket(dataDir: string): Promise<string> {
  const path = controlSocketIn(dataDir);
  if (fitsKernel(path)) return path;
  const present = linkedSocket(path);
  if (present !== undefined && (await isAnswered(present))) throw new DataFolderInUseError(path);
  removeControlSocket(dataDir);
  const place = [tmpdir(), '/tmp'].find((folder) => fitsKernel(join(folder, 'wotp-XXXXXX', 's')));
  const socket = join(mkdtempSync(join(place ?? '/tmp', 'wotp-')), 's');
  symlinkSync(socket, path);
  return socket;
}

/** Removes the socket of a data folder, with its temporary folder if it has one. Returns its path; undefined when there was none. */
export function removeControlSocket(dataDir: string): string | undefined {
  const path = controlSocketIn(dataDir);
  const socket = linkedSocket(path);
  // Nothing but what `prepareControlSocket` makes.
  if (socket !== undefined && TEMPORARY_SOCKET.test(socket))
    rmSync(dirname(socket), { recursive: true, force: true });
  if (!lstatSync(path, { throwIfNoEntry: false })) return undefined;
  rmSync(path, { force: true });
  return path;
}

function fitsKernel(path: string): boolean {
  return Buffer.byteLength(path) <= SOCKET_PATH_MAX_BYTES;
}

/** Where the link leads that stands in a data folder in the socket's place. */
function linkedSocket(path: string): string | undefined {
  const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  return isLink ? readlinkSync(path) : undefined;
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
