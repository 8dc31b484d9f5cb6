import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { actorNamed } from '../../../../test/support/actors.ts';
import { startSessions } from '../../../../test/support/whatsapp-sessions.ts';
import { proxyAgent, proxyProblem, withoutPassword } from './proxy-agent.ts';

async function listen(server: Server): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket) => open.add(socket.on('error', () => socket.destroy())));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A proxy that speaks CONNECT; notes what it was asked for. */
async function httpProxy(status = 200): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server = createHttp().on('connect', (request, socket) => {
    asked.push(`${request.url} ${request.headers['proxy-authorization']}`);
    if (status !== 200) return socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    const { hostname, port } = new URL(`http://${request.url}`);
    const far = connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      far.pipe(socket).pipe(far);
    }).on('error', () => socket.destroy());
    socket.on('error', () => far.destroy());
  });
  return { port: await listen(server), asked };
}

/** A SOCKS5 proxy with one name and password; notes what it was asked for. */
async function socksProxy(reply = 0): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer(async (socket) => {
    const next = async () => (await once(socket, 'data'))[0] as Buffer;
    const [, , method] = await next();
    socket.write(Buffer.from([5, method!]));
    if (method === 2) {
      const given = await next();
      const name = given.subarray(2, 2 + given[1]!).toString();
      const password = given.subarray(3 + given[1]!).toString();
      const isRight = name === 'me' && password === 'a secret';
      socket.write(Buffer.from([1, isRight ? 0 : 1]));
      if (!isRight) return;
    }
    const wanted = await next();
    const host = wanted.subarray(5, 5 + wanted[4]!).toString();
    const port = wanted.readUInt16BE(5 + wanted[4]!);
    asked.push(`${host}:${port}`);
    if (reply !== 0) return void socket.write(Buffer.from([5, reply, 0, 1, 0, 0, 0, 0, 0, 0]));
    const far = connect(port, host, () => {
      socket.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
      far.pipe(socket).pipe(far);
    }).on('error', () => socket.destroy());
  });
  return { port: await listen(server), asked };
}

/** Links a number through this proxy; resolves to the address that WhatsApp has. */
async function linkThrough(proxy: string): Promise<string> {
  const bot = await startSessions({ agentFor: (address) => proxyAgent(address, false) });
  const { id } = await bot.database.transaction((trx) =>
    bot.sessions.create(trx, { projectId: bot.projectId, name: null, proxy }, actorNamed('test')),
  );
  await bot.sessions.beginLinking(bot.projectId, id);
  await bot.whatsapp.until(() => bot.whatsapp.unpaired === 1);
  return new URL(bot.whatsapp.url).host;
}

test('a session connects through an HTTP proxy, with its name and password', async () => {
  const { port, asked } = await httpProxy();
  const address = await linkThrough(`http://me:a%20secret@127.0.0.1:${port}`);
  expect(asked).toEqual([`${address} Basic ${Buffer.from('me:a secret').toString('base64')}`]);
});

test.each([
  ['socks5', ''],
  ['socks5', 'me:a%20secret@'],
  ['socks5h', 'me:a%20secret@'],
])('a session connects through a SOCKS5 proxy (%s:, %j)', async (scheme, user) => {
  const { port, asked } = await socksProxy();
  const address = await linkThrough(`${scheme}://${user}127.0.0.1:${port}`);
  expect(asked).toEqual([address]);
});

test('a proxy that refuses, or is none, is an error that says so', async () => {
  const target = { host: '127.0.0.1', port: 9 };
  const tried = async (proxy: string) => {
    const agent = proxyAgent(proxy, false) as unknown as {
      createConnection(to: typeof target, done: (error: Error | null) => void): void;
    };
    const error = await new Promise<Error | null>((resolve) => agent.createConnection(target, resolve));
    return error?.message;
  };
  expect(await tried(`http://127.0.0.1:${(await httpProxy(407)).port}`)).toBe(
    'The proxy refused the connection (HTTP 407).',
  );
  const { port } = await socksProxy(2);
  expect(await tried(`socks5://127.0.0.1:${port}`)).toBe('The proxy could not connect (SOCKS reply 2).');
  expect(await tried(`socks5://me:wrong@127.0.0.1:${port}`)).toBe(
    'The proxy refused the user name or password.',
  );
  const closing = await listen(createServer((socket) => void socket.end()));
  expect(await tried(`socks5://127.0.0.1:${closing}`)).toBe('The proxy closed the connection.');
});

describe('an address of a proxy', () => {
  test.each([
    'http://10.0.0.1:3128',
    'https://proxy.example.com',
    'socks5://me:x@[::1]:1080',
    'socks5h://me:x@proxy.example.com:1080',
    'http://me:100%25%40%3A%2F%3F%23@10.0.0.1:3128',
    'http://me:p@ss@10.0.0.1:3128',
  ])('%s can be used', (address) => {
    expect(proxyProblem(address)).toBeUndefined();
  });

  test.each([
    ['10.0.0.1:3128', 'socks5h://'],
    ['', 'socks5h://'],
    ['ftp://10.0.0.1', 'socks5h://'],
    ['socks4://10.0.0.1', 'socks5h://'],
    ['http://', 'socks5h://'],
    ['http://10.0.0.1/path', 'ends with its port'],
    ['http://me:100%@10.0.0.1:3128', '%25'],
    ['socks5://me:%zz@10.0.0.1:1080', '%25'],
    ['http://me:a/b@10.0.0.1:3128', '%2F'],
    ['http://me:12#34@10.0.0.1:3128', '%23'],
    ['http://me:12?34@10.0.0.1:3128', '%3F'],
    [`socks5://me:${'x'.repeat(256)}@10.0.0.1:1080`, '255 bytes'],
  ])('%s cannot be used, and it says what to write', (address, words) => {
    expect(proxyProblem(address)).toContain(words);
  });

  test('is shown without its password', () => {
    expect(withoutPassword('socks5://me:x@[::1]:1080')).toBe('socks5://me:***@[::1]:1080');
    expect(withoutPassword('http://10.0.0.1:3128')).toBe('http://10.0.0.1:3128');
  });
});
