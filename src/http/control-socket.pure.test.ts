import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { request, type Server } from 'node:http';
import { dirname, join, relative } from 'node:path';
import Fastify from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { systemClock } from '../lib/clock.ts';
import { connectionRegistry } from './connections.ts';
import {
  controlSocketPath,
  DataFolderInUseError,
  listenOnControlSocket,
  prepareControlSocket,
  removeControlSocket,
} from './control-socket.ts';

describe('the path of the control socket', () => {
  /** A data folder whose path is too long for a socket, counted in bytes. */
  function deepFolder(): string {
    const folder = join(tempFolder(), 'ü'.repeat(60));
    mkdirSync(folder);
    return folder;
  }

  test('is in the data folder', async () => {
    expect(controlSocketPath('/var/lib/wotp')).toBe('/var/lib/wotp/wotp.sock');
    expect(await prepareControlSocket('/var/lib/wotp')).toBe('/var/lib/wotp/wotp.sock');
  });

  test('is a short one that is found from the data folder, where its own is too long for the kernel', async () => {
    const folder = deepFolder();
    expect(controlSocketPath(folder)).toBeUndefined();
    const path = await prepareControlSocket(folder);
    expect(Buffer.byteLength(path)).toBeLessThanOrEqual(103);
    expect(controlSocketPath(folder)).toBe(path);
    expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    expect(removeControlSocket(folder)).toBe(join(folder, 'wotp.sock'));
    expect(existsSync(dirname(path))).toBe(false);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('takes the place of one that a dead server has left, and never removes what is not ours', async () => {
    const folder = deepFolder();
    const dead = await prepareControlSocket(folder);
    const next = await prepareControlSocket(folder);
    expect(existsSync(dirname(dead))).toBe(false);
    expect(controlSocketPath(folder)).toBe(next);
    removeControlSocket(folder);

    const foreign = tempFolder();
    symlinkSync(join(foreign, 'other.sock'), join(folder, 'wotp.sock'));
    removeControlSocket(folder);
    expect(existsSync(foreign)).toBe(true);
    expect(removeControlSocket(folder)).toBeUndefined();
  });
});

describe('the control socket', () => {
  const listening: Server[] = [];
  afterEach(async () => {
    for (const server of listening.splice(0)) await new Promise((resolve) => server.close(resolve));
  });

  async function listen(path: string, connections = connectionRegistry(systemClock())): Promise<Server> {
    const app = Fastify();
    app.get('/', ({ raw }) => ({ known: connections.of(raw).isControl }));
    await app.ready();
    const server = await listenOnControlSocket(app, path, connections);
    listening.push(server);
    return server;
  }

  const ask = (socketPath: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const call = request({ socketPath, path: '/', agent: false }, (answer) => {
        answer.setEncoding('utf8').on('data', resolve);
      });
      call.on('error', reject).end();
    });

  test('serves the routes, and its connections are known for what they are', async () => {
    const path = relative(process.cwd(), join(tempFolder(), 'wotp.sock'));
    await listen(path);
    expect(await ask(path)).toBe('{"known":true}');
  });

  test('may be opened by its owner alone, whatever the umask', async () => {
    const usual = process.umask(0);
    try {
      const path = join(tempFolder(), 'wotp.sock');
      await listen(path);
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(usual);
    }
  });

  test('takes the place of what a dead server has left there', async () => {
    const path = join(tempFolder(), 'wotp.sock');
    writeFileSync(path, '');
    await listen(path);
    expect(await ask(path)).toBe('{"known":true}');
  });

  test('that is at a short path elsewhere refuses a second server, and answers the command line', async () => {
    const folder = join(tempFolder(), 'x'.repeat(110));
    mkdirSync(folder);
    const path = await prepareControlSocket(folder);
    await listen(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await ask(controlSocketPath(folder)!)).toBe('{"known":true}');
    await expect(prepareControlSocket(folder)).rejects.toThrow(DataFolderInUseError);
    removeControlSocket(folder);
  });

  test('says why when it cannot be made', async () => {
    const folder = join(tempFolder(), 'wotp.sock');
    mkdirSync(join(folder, 'something'), { recursive: true });
    await expect(listen(folder)).rejects.toThrow();
  });
});
