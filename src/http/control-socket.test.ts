import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { request } from 'node:http';
import { join, relative } from 'node:path';
import Fastify from 'fastify';
import { afterEach, describe, expect, test } from 'vitest';
import { tempFolder } from '../../test/support/temp-folder.ts';
import { systemClock } from '../lib/clock.ts';
import { connectionRegistry } from './connections.ts';
import { controlSocketPath, listenOnControlSocket } from './control-socket.ts';

describe('the path of the control socket', () => {
  test('lies in the data folder', () => {
    expect(controlSocketPath('/var/lib/wotp')).toBe('/var/lib/wotp/wotp.sock');
  });

  test('is taken from the working folder where the whole one is too long for the kernel', () => {
    const deep = join(process.cwd(), 'x'.repeat(87), 'data');
    const path = controlSocketPath(deep)!;
    expect(Buffer.byteLength(path)).toBeLessThanOrEqual(103);
    expect(join(process.cwd(), path)).toBe(`${deep}/wotp.sock`);
  });

  test('is none where even that is too long, counted in bytes', () => {
    expect(controlSocketPath(join('/', 'x'.repeat(200)))).toBeUndefined();
    expect(controlSocketPath(join(process.cwd(), 'ü'.repeat(60)))).toBeUndefined();
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

  test('says why when it cannot be made', async () => {
    const folder = join(tempFolder(), 'wotp.sock');
    mkdirSync(join(folder, 'something'), { recursive: true });
    await expect(listen(folder)).rejects.toThrow();
  });
});
