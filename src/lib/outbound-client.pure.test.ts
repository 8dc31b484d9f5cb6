import { readFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer, type LookupFunction, type Server, type Socket } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  answering,
  cut,
  cutInAnswer,
  type ProviderStandIn,
  silence,
  startProvider,
} from '../../test/support/provider-stand-in.ts';
import { type TestClock, testClock } from '../../test/support/test-clock.ts';
import { type OutboundClient, OutboundError, outboundClient, targetRefusal } from './outbound-client.ts';

const RULES = { allowedAddresses: [], isProduction: false };

let target: ProviderStandIn;
let clock: TestClock;
const clients: OutboundClient[] = [];

beforeEach(async () => {
  target = await startProvider();
  clock = testClock();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await target.stop();
});

/** What the names of a test stand for; asks no resolver. */
const names = (table: Record<string, string[]>): LookupFunction => {
  return (hostname, _options, callback) => {
    const addresses = table[hostname];
    if (!addresses) callback(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' }), []);
    else
      callback(
        null,
        addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
      );
  };
};

function clientOf({
  allowed = ['127.0.0.1'],
  lookup,
  isProduction = false,
}: {
  allowed?: string[];
  lookup?: LookupFunction;
  isProduction?: boolean;
} = {}): OutboundClient {
  const client = outboundClient({ allowedAddresses: allowed, isProduction, clock, lookup });
  clients.push(client);
  return client;
}

const never = new AbortController().signal;
const post = (client: OutboundClient, url: string, signal = never) =>
  client.send({ url: new URL(url), method: 'POST', headers: { 'x-a': 'b' }, body: 'ä{}' }, signal);
const failure = async (sent: Promise<unknown>): Promise<OutboundError> => {
  const error = await sent.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(OutboundError);
  return error as OutboundError;
};
const unreachable = { message: 'The address cannot be reached.', mayHaveArrived: false, status: undefined };

describe('a request', () => {
  test('arrives as it was given, and its answer is read', async () => {
    target.next(answering(418, 'short and stout', { 'retry-after': '7' }));
    const answer = await post(clientOf(), `${target.origin}/a?b=c`);
    expect(answer).toMatchObject({ status: 418, headers: { 'retry-after': '7' } });
    expect(answer.body.toString()).toBe('short and stout');
    expect(target.received).toEqual([
      expect.objectContaining({
        method: 'POST',
        path: '/a?b=c',
        body: 'ä{}',
        headers: expect.objectContaining({ 'content-length': '4', 'x-a': 'b', accept: 'application/json' }),
      }),
    ]);
  });

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('has its answer read where it is compressed without being asked: %s', async (coding, compress) => {
    target.next((response) =>
      response.writeHead(200, { 'content-encoding': coding }).end(compress('{"a":1}')),
    );
    expect((await post(clientOf(), target.origin)).body.toString()).toBe('{"a":1}');
  });

  test('follows no redirect', async () => {
    target.next(answering(302, '', { location: `${target.origin}/elsewhere` }));
    expect(await post(clientOf(), target.origin)).toMatchObject({ status: 302 });
    expect(target.received).toHaveLength(1);
  });

  test('goes through no proxy of the environment', async () => {
    const proxy = await startProvider();
    for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY'])
      vi.stubEnv(name, proxy.origin);
    vi.stubEnv('NODE_USE_ENV_PROXY', '1');
    await post(clientOf(), target.origin);
    vi.unstubAllEnvs();
    expect([target.received.length, proxy.received.length]).toEqual([1, 0]);
    await proxy.stop();
  });

  test('shares its connection with the one before', async () => {
    const client = clientOf();
    await post(client, target.origin);
    await post(client, target.origin);
    expect(await target.connections()).toBe(1);
  });
});

describe('an internal target', () => {
  const lookup = names({
    'public.example': ['93.184.216.34'],
    'inside.example': ['127.0.0.1'],
    'mixed.example': ['93.184.216.34', '127.0.0.1'],
    'mapped.example': ['::ffff:127.0.0.1'],
    'nat64.example': ['64:ff9b::7f00:1'],
    'zone.example': ['fe80::1%lo'],
    'empty.example': [],
  });

  test.each([
    'inside.example',
    'mixed.example',
    'mapped.example',
    'nat64.example',
    'zone.example',
    'empty.example',
    'unknown.example',
  ])('behind the name %s is not reached, and nobody can tell why', async (host) => {
    const error = await failure(post(clientOf({ allowed: [], lookup }), `http://${host}:${target.port}/`));
    expect(error).toMatchObject(unreachable);
    expect(target.received).toEqual([]);
  });

  test.each([
    '127.0.0.1',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '017700000001',
    '127.1',
    '127.0.0.1.',
    '１２７.０.０.１',
    '0',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[::127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
    '[2002:7f00:1::]',
    '[0:0:0:0:0:0:0:1]',
  ])('written as %s is not reached either', async (host) => {
    const url = `http://${host}:${target.port}/`;
    expect(targetRefusal(new URL(url), RULES)).toBe(
      'a public address, or one that is listed as an exception',
    );
    expect(await failure(post(clientOf({ allowed: [] }), url))).toMatchObject(unreachable);
    expect(target.received).toEqual([]);
  });

  test('is an error like any that fails: what is refused and what nobody listens at say the same', async () => {
    const gone = await startProvider();
    await gone.stop();
    const refused = await failure(post(clientOf({ allowed: [] }), target.origin));
    const failed = await failure(post(clientOf(), gone.origin));
    expect({ ...failed, cause: 0 }).toEqual({ ...refused, cause: 0 });
    expect(failed.message).toBe(refused.message);
  });

  test('is reached where it is listed, by name and by address', async () => {
    const client = clientOf({ lookup });
    await post(client, target.origin);
    await post(client, `http://inside.example:${target.port}/`);
    expect(target.received).toHaveLength(2);
  });

  test('is not reached by a name that is public at first and internal afterwards', async () => {
    let address = '127.0.0.1';
    const rebinding: LookupFunction = (_hostname, _options, callback) =>
      callback(null, [{ address, family: 4 }]);
    const client = clientOf({ lookup: rebinding });
    target.always((response) => response.writeHead(200, { connection: 'close' }).end());
    await post(client, `http://rebinding.example:${target.port}/`);
    address = '127.0.0.2';
    expect(await failure(post(client, `http://rebinding.example:${target.port}/`))).toMatchObject(
      unreachable,
    );
    expect(target.received).toHaveLength(1);
  });

  test('is not written to by a connection that went elsewhere than the lookup said', async () => {
    const asked: unknown[] = [];
    const liar: LookupFunction = (_hostname, _options, callback) => {
      const entry = {
        family: 4,
        get address() {
          asked.push(0);
          return asked.length === 1 ? '93.184.216.34' : '127.0.0.1';
        },
      };
      callback(null, [entry]);
    };
    const client = clientOf({ allowed: [], lookup: liar });
    expect(await failure(post(client, `http://liar.example:${target.port}/`))).toMatchObject(unreachable);
    expect(asked.length).toBeGreaterThan(1);
    expect(target.received).toEqual([]);
  });
});

describe('a target', () => {
  test.each([
    ['ftp://example.com/', 'an http or https address'],
    ['file:///etc/passwd', 'an http or https address'],
    ['http://user@example.com/', 'an address without user and password'],
  ])('%s is none', async (url, allowed) => {
    expect(targetRefusal(new URL(url), RULES)).toBe(allowed);
    expect(await failure(post(clientOf(), url))).toMatchObject(unreachable);
  });

  test('is https in production, or listed', async () => {
    const rules = { allowedAddresses: ['127.0.0.1'], isProduction: true };
    expect(targetRefusal(new URL('http://example.com/'), { ...rules, allowedAddresses: [] })).toBe(
      'an https address in production',
    );
    expect(targetRefusal(new URL('http://93.184.216.34/'), rules)).toBe('an https address in production');
    expect(targetRefusal(new URL('https://example.com/'), rules)).toBeUndefined();
    const lookup = names({ 'public.example': ['93.184.216.34'], 'inside.example': ['127.0.0.1'] });
    const client = clientOf({ lookup, isProduction: true });
    await post(client, target.origin);
    await post(client, `http://inside.example:${target.port}/`);
    expect(await failure(post(client, 'http://public.example/'))).toMatchObject(unreachable);
    expect(target.received).toHaveLength(2);
  });

  test('whose certificate nobody vouches for is not reached', async () => {
    const [key, cert] = ['key', 'cert'].map((part) =>
      readFileSync(new URL(`../../test/fixtures/untrusted-${part}.pem`, import.meta.url)),
    );
    let requests = 0;
    const server = createTlsServer({ key, cert }, () => {
      requests += 1;
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    expect(await failure(post(clientOf(), `https://127.0.0.1:${port}/`))).toMatchObject(unreachable);
    expect(requests).toBe(0);
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('an answer that is not complete', () => {
  test('may be one to a request that arrived', async () => {
    target.next(cut, cutInAnswer(201), cutInAnswer(500));
    const lost = { message: 'The answer was lost.', mayHaveArrived: true };
    expect(await failure(post(clientOf(), target.origin))).toMatchObject({ ...lost, status: undefined });
    expect(await failure(post(clientOf(), target.origin))).toMatchObject({ ...lost, status: 201 });
    expect(await failure(post(clientOf(), target.origin))).toMatchObject({ ...lost, status: 500 });
  });

  test('is not waited for longer than 10 seconds, and no longer than was said', async () => {
    for (const totalMaxMs of [undefined, 4_000]) {
      target.next(silence);
      const arrived = target.arrival();
      const request = { url: new URL(target.origin), method: 'POST', headers: {}, body: '' };
      const failed = failure(clientOf().send(request, never, totalMaxMs));
      await arrived;
      await clock.advance((totalMaxMs ?? 10_000) - 1);
      expect(clock.timersIn(1)).toBe(1);
      await clock.advance(1);
      expect(await failed).toMatchObject({ mayHaveArrived: true, message: 'The answer was lost.' });
    }
  });

  test('is not one that comes a byte at a time for ever', async () => {
    let drops: NodeJS.Timeout | undefined;
    target.next((response) => {
      response.writeHead(200);
      drops = setInterval(() => response.write('x'), 5);
    });
    const arrived = target.arrival();
    const failed = failure(post(clientOf(), target.origin));
    await arrived;
    await clock.advance(10_000);
    expect(await failed).toMatchObject({ mayHaveArrived: true });
    clearInterval(drops);
  });

  test('is one that is too large, as it is or as it was before it was compressed', async () => {
    target.next(
      answering(200, 'x'.repeat(256 * 1024)),
      answering(200, 'x'.repeat(256 * 1024 + 1)),
      (response) =>
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(10_000_000))),
    );
    expect((await post(clientOf(), target.origin)).body).toHaveLength(256 * 1024);
    expect(await failure(post(clientOf(), target.origin))).toMatchObject({
      mayHaveArrived: true,
      status: 200,
    });
    expect(await failure(post(clientOf(), target.origin))).toMatchObject({
      mayHaveArrived: true,
      status: 200,
    });
  });

  test('is one that is not HTTP', async () => {
    await withSocketServer(
      (socket) => socket.once('data', () => socket.end('220 smtp.example ESMTP\r\n')),
      async (origin) => {
        expect(await failure(post(clientOf(), origin))).toMatchObject({ mayHaveArrived: true });
      },
    );
  });

  test('is not one to a request of which a part never left', async () => {
    await withSocketServer(
      (socket) => socket.once('data', () => socket.resetAndDestroy()),
      async (origin) => {
        const body = 'x'.repeat(64 * 1024 * 1024);
        const request = { url: new URL(origin), method: 'POST', headers: {}, body };
        expect(await failure(clientOf().send(request, never))).toMatchObject(unreachable);
      },
    );
  });

  test('of a server that takes no connection is not waited for longer than 5 seconds', async () => {
    const lookup: LookupFunction = () => {};
    const failed = failure(post(clientOf({ lookup }), 'http://slow-name.example/'));
    await clock.advance(4_999);
    expect(clock.timersIn(1)).toBe(1);
    await clock.advance(1);
    expect(await failed).toMatchObject(unreachable);
  });

  test('leaves no timer behind, nor does one that is complete', async () => {
    target.next(cut);
    await failure(post(clientOf(), target.origin));
    await post(clientOf(), target.origin);
    await clock.advance(60_000);
    expect(clock.timersIn(0)).toBe(0);
  });
});

test('a request that is aborted rejects with the reason, and once it has left says that it may have arrived', async () => {
  const reason = new Error('the server stops');
  await expect(post(clientOf(), target.origin, AbortSignal.abort(reason))).rejects.toBe(reason);
  expect(target.received).toEqual([]);
  target.next(silence);
  const abort = new AbortController();
  const arrived = target.arrival();
  const sent = post(clientOf(), target.origin, abort.signal);
  await arrived;
  abort.abort(reason);
  expect(await failure(sent)).toMatchObject({ mayHaveArrived: true, cause: reason });
});

/** Lets a test talk to a bare socket. */
async function withSocketServer(
  onConnection: (socket: Socket) => void,
  run: (origin: string) => Promise<void>,
): Promise<void> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
}
