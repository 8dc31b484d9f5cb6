import { existsSync, readdirSync, statSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { holdWrites } from '../support/obstacles.ts';
import { expectProblem } from '../support/problem.ts';
import { openRaw, requestText } from '../support/raw-http.ts';
import { startTestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

// A stop has to be over within 10 seconds.
vi.setConfig({ testTimeout: 12_000 });

/** So many connections that every send of a test can wait on one of its own. */
const ENOUGH = { ...QUICK_ADMIN, DATABASE_POOL_SIZE: '40' };

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a stop finishes the requests that run, and what they were answered is on the disk', async () => {
  const server = await startTestApp({ env: ENOUGH });
  const phones = Array.from({ length: 20 }, newPhone);
  const writes = await holdWrites(server.app.database);
  const sends = phones.map((phone) => server.call('POST', 'otp/send', { body: { phone } }));
  await writes.waiting(20);
  const stopped = server.stop({ keepFiles: true });
  await turn();
  await writes.release();
  const answers = await Promise.all(sends);
  expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(201));
  const answered = performance.now();
  await stopped;
  // Clients like this one keep their connections for later; nothing comes over them any more.
  expect(performance.now() - answered).toBeLessThan(2_000);

  const again = await startTestApp({
    env: QUICK_ADMIN,
    dir: server.dir,
    key: server.key,
    clock: server.clock,
  });
  try {
    for (const { body } of answers) {
      expect((await again.call('GET', `otp/${body.data.id}`)).body.data.status).toBe('pending');
    }
    await verificationsOf(again).deliver();
    for (const phone of phones) expect(await verificationsOf(again).inbox(phone)).toHaveLength(1);
  } finally {
    await again.stop();
  }
});

test('a stop takes no new connections, and refuses on the old ones with 503 and a time to retry', async () => {
  const server = await startTestApp({ env: QUICK_ADMIN });
  const connection = await openRaw(server.address);
  const writes = await holdWrites(server.app.database);
  const body = JSON.stringify({ phone: newPhone() });
  const headers = [`Authorization: Bearer ${server.key}`, 'Content-Type: application/json'];
  // Two requests on one connection: the first runs when the stop begins, the second is read after it.
  connection.write(requestText('POST /api/v1/otp/send', headers, body));
  await writes.waiting(1);
  const stopped = server.stop();
  await turn();
  connection.write(requestText('POST /api/v1/otp/send', headers, body));
  await expect(fetch(`${server.address}/api/v1/health/live`)).rejects.toThrow();
  await turn();
  await writes.release();
  expect((await connection.answer()).status).toBe(201);
  const everything = await connection.closed();
  await stopped;
  const second = everything.slice(everything.indexOf('HTTP/1.1', 1));
  if (second.startsWith('HTTP/1.1')) {
    expect(second).toMatch(/^HTTP\/1\.1 503 /);
    expect(second.toLowerCase()).toContain('retry-after: ');
    expect(second).toContain('"code":"SERVICE_UNAVAILABLE"');
  }
});

test('a stop, asked for twice, leaves the database closed: no WAL beside it, no socket, and the next process may open it', async () => {
  const server = await startTestApp({ env: QUICK_ADMIN });
  await verificationsOf(server).sent({ phone: newPhone() });
  const socket = join(server.dir, 'wotp.sock');
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  await Promise.all([server.app.stop(), server.stop({ keepFiles: true })]);
  expect(existsSync(socket)).toBe(false);
  expect(readdirSync(server.dir).filter((file) => /-(wal|shm)$/.test(file))).toEqual([]);
  const next = await startTestApp({ env: QUICK_ADMIN, dir: server.dir, key: server.key });
  expect((await next.call('GET', 'otp')).body.data).toHaveLength(1);
  await next.stop();
});

test('a stop waits for nobody who says nothing: idle, silent and half-sent connections are closed', async () => {
  const server = await startTestApp({ env: QUICK_ADMIN, clock: systemClock() });
  const silent = await openRaw(server.address);
  const half = await openRaw(server.address);
  half.write('POST /api/v1/otp/send HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
  const halfBody = await openRaw(server.address);
  const headers = [
    `Authorization: Bearer ${server.key}`,
    'Content-Type: application/json',
    'Content-Length: 99',
  ];
  halfBody.write(requestText('POST /api/v1/otp/send', headers));
  halfBody.write('{"phone":');
  const idle = await openRaw(server.address);
  idle.write(requestText('GET /api/v1/health/live', []));
  await idle.answer();

  const begun = performance.now();
  await server.stop();
  expect(performance.now() - begun).toBeLessThan(8_000);
  await Promise.all([silent, half, halfBody, idle].map((connection) => connection.closed()));
});

test('the counts of limits and of uses are written by a stop', async () => {
  const server = await startTestApp({ env: { ...QUICK_ADMIN, RATE_LIMIT_MAX: '3' } });
  for (let i = 0; i < 3; i++) await server.call('GET', 'otp');
  await server.stop({ keepFiles: true });
  const next = await startTestApp({
    env: { ...QUICK_ADMIN, RATE_LIMIT_MAX: '3' },
    dir: server.dir,
    key: server.key,
    clock: server.clock,
  });
  expectProblem(await next.call('GET', 'otp'), 'RATE_LIMIT_EXCEEDED');
  const { data } = (await next.call('GET', 'keys', { asAdmin: true })).body;
  expect(data[0].usageCount).toBe(3);
  await next.stop();
});

test('the control socket answers as the administrator, without a key, and every route like any other', async () => {
  const server = await startTestApp({ env: QUICK_ADMIN });
  const ask = (method: string, path: string, body?: object) =>
    new Promise<number | undefined>((resolve, reject) => {
      const socketPath = join(server.dir, 'wotp.sock');
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const call = httpRequest({ socketPath, method, path, headers, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      call.on('error', reject);
      call.end(body && JSON.stringify(body));
    });
  try {
    expect(await ask('GET', '/api/v1/limits/+6283834946034')).toBe(200);
    expect(await ask('GET', '/api/v1/health')).toBe(200);
    expect(await ask('GET', '/openapi.json')).toBe(200);
    expect(await ask('GET', '/nothing')).toBe(404);
    expect(await ask('PUT', '/api/v1/keys')).toBe(405);
    expect(await ask('POST', '/api/v1/session')).toBe(400);
    expect(await ask('POST', '/api/v1/keys', { name: 'by command', permissions: ['*'] })).toBe(201);
    const events = await server.app.database.reader
      .selectFrom('events')
      .select(['type', 'data'])
      .orderBy('seq')
      .execute();
    expect(events.at(-1)?.type).toBe('key.created');
    expect(JSON.parse(events.at(-1)?.data ?? '{}')).toMatchObject({ actor: 'cli' });
    expect((await server.call('GET', 'limits/+6283834946034', { key: null })).status).toBe(401);
  } finally {
    await server.stop();
  }
});
