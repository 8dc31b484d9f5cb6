import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { openRaw, requestText } from '../support/raw-http.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({ env: { ...QUICK_ADMIN, ADDRESS_LIMIT_PER_MINUTE: '100000' } });
});
afterAll(() => server.stop());

const http = () => server.app.server.server;

/** Opens a connection that ignores what the other side does to it. */
async function open(): Promise<Socket> {
  const { hostname, port } = new URL(server.address);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  return socket;
}

const connectionsOfServer = () =>
  new Promise<number>((resolve) => http().getConnections((_error, count) => resolve(count)));

/** Waits until the server has let go of every connection. */
const untilAllAreGone = () =>
  vi.waitFor(async () => expect(await connectionsOfServer()).toBe(0), { timeout: 15_000, interval: 20 });

const openDescriptors = () => readdirSync('/proc/self/fd').length;

const get = (path: string) => requestText(`GET ${path}`, []);

describe('a connection that is dropped with requests in its pipeline', () => {
  test.each(['/assets/phone.css', '/', '/docs', '/docs/static/swagger-ui.css', '/openapi.json'])(
    'leaves no descriptor open: 200 of them, ten requests for %s each',
    async (path) => {
      await server.call('GET', path, { key: null });
      http().closeIdleConnections();
      await untilAllAreGone();
      const before = openDescriptors();
      for (let i = 0; i < 200; i++) {
        const socket = await open();
        socket.write(get(path).repeat(10), () => socket.destroy());
      }
      await untilAllAreGone();
      await vi.waitFor(() => expect(openDescriptors()).toBeLessThanOrEqual(before + 5), { timeout: 5_000 });
      expect((await server.call('GET', path, { key: null })).status).toBeLessThan(500);
    },
  );
});

describe('a connection that the server has ended', () => {
  test.each([
    ['asked for a tunnel', 'CONNECT x:1 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['is not HTTP', 'x\r\n\r\n'],
  ])(
    'and that %s is gone after 5 seconds, though its client reads nothing and never closes',
    async (_what, text) => {
      http().closeIdleConnections();
      await untilAllAreGone();
      const sockets = await Promise.all(Array.from({ length: 50 }, open));
      for (const socket of sockets) {
        socket.pause();
        socket.write(text);
      }
      await vi.waitFor(
        async () => {
          await server.clock.advance(1_000);
          expect(await connectionsOfServer()).toBe(0);
        },
        { timeout: 15_000, interval: 20 },
      );
      for (const socket of sockets) socket.destroy();
    },
  );
});

test('more connections than fit are refused, and idle ones close to make room', async () => {
  const most = http().maxConnections;
  http().maxConnections = 20;
  try {
    const idle = await Promise.all(Array.from({ length: 20 }, open));
    for (const socket of idle) socket.write(get('/api/v1/health/live'));
    await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('data', resolve))));
    const refused = await open();
    refused.resume();
    await new Promise((resolve) => refused.once('close', resolve));
    await vi.waitFor(
      async () => {
        const answer = await server.call('GET', 'health/live', { key: null });
        expect(answer.status).toBe(200);
      },
      { timeout: 10_000, interval: 20 },
    );
  } finally {
    http().maxConnections = most;
  }
});

test('a stream ends with the connection it was for, also where its turn never came', async () => {
  const streams: Readable[] = [];
  const answerWithStreams = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance };
    fastify.addHook('onRoute', (route) => {
      if (route.url !== '/api/v1/health/live') return;
      route.handler = (_request, reply) => {
        const stream = new Readable({ read() {} });
        streams.push(stream);
        return reply.send(stream);
      };
    });
  };
  subscribe('fastify.initialization', answerWithStreams);
  const streaming = await startTestApp({ env: QUICK_ADMIN });
  unsubscribe('fastify.initialization', answerWithStreams);
  try {
    const connection = await openRaw(streaming.address);
    connection.write(get('/api/v1/health/live').repeat(5));
    await vi.waitFor(() => expect(streams).toHaveLength(5));
    connection.destroy();
    await vi.waitFor(() => expect(streams.filter(({ destroyed }) => destroyed)).toHaveLength(5));
  } finally {
    await streaming.stop();
  }
});

/** Sends the bytes and resets the connection as soon as they have left. */
async function sendAndReset(bytes: string): Promise<void> {
  const { hostname, port } = new URL(server.address);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write(bytes, () => socket.resetAndDestroy());
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}

const linesOf = (requestId: string) =>
  server.logLines
    .filter((line) => line.includes(`"${requestId}"`) && line.includes('"msg":"request"'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe('a connection that is reset at once', () => {
  const send = (requestId: string, phone: string) =>
    requestText(
      'POST /api/v1/otp/send',
      [`Authorization: Bearer ${server.key}`, 'Content-Type: application/json', `X-Request-Id: ${requestId}`],
      JSON.stringify({ phone }),
    );

  test('has its requests in the log, each once, with what came of it', async () => {
    const ids = Array.from({ length: 20 }, (_, i) => `reset-${i}`);
    for (const id of ids) await sendAndReset(send(id, newPhone()));
    await vi.waitFor(() => expect(ids.flatMap(linesOf)).toHaveLength(20), { timeout: 5_000 });
    for (const line of ids.flatMap(linesOf)) expect(line).toMatchObject({ status: 201, aborted: true });
  });

  test('is counted by the limits, under its address or as unknown, and never audited as local', async () => {
    const wrong = requestText('GET /api/v1/keys', ['X-Master-Key: wrong', 'X-Request-Id: reset-wrong']);
    const counted = async () => {
      const { count } = await server.app.database.reader
        .selectFrom('events')
        .select((eb) => eb.fn.countAll<number>().as('count'))
        .where('type', '=', 'admin.sign_in_failed')
        .executeTakeFirstOrThrow();
      return Number(count);
    };
    for (let i = 0; i < 5; i++) await sendAndReset(wrong);
    await vi.waitFor(async () => expect(await counted()).toBe(5), { timeout: 5_000 });
    const events = await server.app.database.reader
      .selectFrom('events')
      .select('data')
      .where('type', '=', 'admin.sign_in_failed')
      .execute();
    for (const { data } of events) expect(String(data)).toMatch(/127\.0\.0\.1|unknown/);
    const unknown = events.filter(({ data }) => String(data).includes('unknown')).length;
    await server.clock.advance(1_000);
    const row = await server.app.database.reader
      .selectFrom('rate_limits')
      .select('count')
      .where('key', '=', 'address:unknown')
      .executeTakeFirst();
    expect(row?.count ?? 0).toBe(unknown);
  });
});

describe('a connection with more than 100 requests that wait for an answer', () => {
  test('is refused and closed, after the 100 have been answered', async () => {
    const connection = await openRaw(server.address);
    connection.write(get('/api/v1/health').repeat(1_000));
    const answers = (await connection.closed()).split(/(?=HTTP\/1\.1 )/);
    const statuses = answers.map((answer) => answer.split(' ')[1]);
    expect(statuses.slice(0, 100)).toEqual(Array<string>(100).fill('200'));
    expect(statuses.slice(100)).toEqual(['429']);
    expect(answers[100]).toMatch(/\r\nconnection: close\r\n/i);
    expect(answers[100]).toMatch(/\r\nretry-after: 1\r\n/i);
    expect(answers[100]).toContain('RATE_LIMIT_EXCEEDED');
  });

  test('does not take a request more than it may leave unanswered, however many follow', async () => {
    const before = server.logLines.length;
    const connection = await openRaw(server.address);
    for (let i = 0; i < 20; i++) connection.write(get('/api/v1/health').repeat(1_000));
    await connection.closed();
    const paths = server.logLines.slice(before).filter((line) => line.includes('/api/v1/health'));
    expect(paths.length).toBeLessThanOrEqual(101);
  });

  test('is none while the answers are read: a thousand on one connection, one after another', async () => {
    const socket = await open();
    let answered = 0;
    const done = new Promise<void>((resolve) => {
      socket.on('data', (chunk) => {
        answered += chunk.toString().split('HTTP/1.1 200').length - 1;
        if (answered < 1_000) socket.write(get('/api/v1/health/live'));
        else resolve();
      });
    });
    socket.write(get('/api/v1/health/live'));
    await done;
    socket.destroy();
    expect(answered).toBe(1_000);
  });
});

describe('a client that does not read its answers', () => {
  /** 30 clients that ask for more than the system holds for them, and read nothing. */
  async function openUnread(): Promise<Socket[]> {
    const sockets: Socket[] = [];
    for (let i = 0; i < 30; i++) {
      const socket = await open();
      socket.pause();
      socket.write(get('/openapi.json').repeat(60));
      sockets.push(socket);
    }
    // As much has been answered as fits.
    await vi.waitFor(() => expect(requests.length).toBe(30 * 60), { timeout: 10_000 });
    return sockets;
  }
  let requests: unknown[] = [];
  const count = (request: unknown) => void requests.push(request);
  beforeEach(async () => {
    http().closeIdleConnections();
    await untilAllAreGone();
    requests = [];
    http().on('request', count);
  });
  afterEach(() => void http().off('request', count));

  test('is dropped after 15 seconds: 30 connections', async () => {
    await openUnread();
    await server.clock.advance(14_000);
    expect(await connectionsOfServer()).toBe(30);
    await server.clock.advance(2_000);
    await untilAllAreGone();
  });

  test('is dropped as well when it goes on sending', async () => {
    for (const socket of await openUnread()) {
      socket.write('GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
    }
    await server.clock.advance(16_000);
    await untilAllAreGone();
  });

  test('is not one that waits for us, however long that takes', async () => {
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const blocking = server.app.database.transaction(() => held);
    const connection = await openRaw(server.address);
    const headers = [`Authorization: Bearer ${server.key}`, 'Content-Type: application/json'];
    connection.write(requestText('POST /api/v1/otp/send', headers, JSON.stringify({ phone: newPhone() })));
    await vi.waitFor(() => expect(requests).toHaveLength(1));
    await server.clock.advance(60_000);
    release();
    await blocking;
    expect((await connection.answer()).status).toBe(201);
    connection.destroy();
  });
});
