import { once } from 'node:events';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startSessions } from '../../../test/support/whatsapp-sessions.ts';
import { isProxyAddress, proxyAgent, withoutPassword } from './proxy-agent.ts';

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
    bot.sessions.create(trx, { projectId: bot.projectId, name: null, proxy }, 'test'),
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

test.each(['', 'me:a%20secret@'])('a session connects through a SOCKS5 proxy (%j)', async (user) => {
  const { port, asked } = await socksProxy();
  const address = await linkThrough(`socks5://${user}127.0.0.1:${port}`);
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
    'The proxy refused the name or the password.',
  );
  const closing = await listen(createServer((socket) => void socket.end()));
  expect(await tried(`socks5://127.0.0.1:${closing}`)).toBe('The proxy closed the connection.');
});

test('an address of a proxy is told from others, and shown without its password', () => {
  const good = ['http://10.0.0.1:3128', 'https://proxy.example.com', 'socks5://me:x@[::1]:1080'];
  const bad = ['', '10.0.0.1:1080', 'ftp://10.0.0.1', 'socks4://10.0.0.1', 'http://10.0.0.1/path'];
  expect([good.every(isProxyAddress), bad.some(isProxyAddress)]).toEqual([true, false]);
  expect(withoutPassword('socks5://me:secret@10.0.0.1:1080')).toBe('socks5://me:***@10.0.0.1:1080');
  expect(withoutPassword('http://10.0.0.1:3128')).toBe('http://10.0.0.1:3128');
});
