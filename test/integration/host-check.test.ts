import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { controlSocketPath } from '../../src/http/control-socket.ts';
import { makeKey } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { sendRaw } from '../support/raw-http.ts';
import { type Answer, startTestApp, type TestApp } from '../support/test-app.ts';

const PASSWORD = 'a password only tests know';
const STRANGE = [
  'evil.example#.localhost',
  'evil.example/.localhost',
  '[evil.example].localhost',
  '[localhost]',
  'evil.example',
  'evil.example:3000',
  '127.0.0.1.evil.example',
  'localhost.evil.example',
  '',
];
const JSON_TYPE = 'Content-Type: application/json';

/** Calls a server under a host name, as a page does whose name is pointed at it. */
function callAs(
  server: TestApp,
  host: string,
  path: string,
  { method = 'GET', headers = [], body = '' }: { method?: string; headers?: string[]; body?: string } = {},
): Promise<Answer> {
  const length = body === '' ? [] : [`Content-Length: ${Buffer.byteLength(body)}`];
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, ...headers, ...length, '', body];
  return sendRaw(server.address, lines.join('\r\n'));
}

describe('a server that listens on loopback only', () => {
  let server: TestApp;
  beforeAll(async () => {
    server = await startTestApp({ env: { MASTER_PASSWORD: PASSWORD, ADDRESS_LIMIT_PER_MINUTE: '100000' } });
  });
  afterAll(() => server.stop());

  test.each([
    'localhost',
    'LOCALHOST:3000',
    'wotp.localhost',
    'localhost.',
    '127.0.0.1:8080',
    '127.9.9.9',
    '[::1]:3000',
  ])('answers as %s', async (host) => {
    expect((await callAs(server, host, '/api/v1/health')).status).toBe(200);
    expect((await callAs(server, host, '/')).status).toBe(200);
  });

  test.each(STRANGE)('shows nothing as %j, and names the setting that would allow it', async (host) => {
    const paths = [
      '/',
      '/assets/phone.css',
      '/docs',
      '/openapi.json',
      '/api/v1/health',
      '/api/v1/health/live',
    ];
    for (const path of [...paths, '/api/v1/health/metrics', '/api/v1/otp', '/nothing', '/api/v1/channelsx']) {
      const refused = await callAs(server, host, path);
      expect(expectProblem(refused, 'MISDIRECTED_REQUEST').detail, path).toContain('PUBLIC_URL');
    }
  });

  test('lets a page of such a name neither guess the password nor lock the administrator out', async () => {
    for (let i = 0; i < 12; i++) {
      const body = JSON.stringify({ password: `wrong ${i}` });
      const signIn = await callAs(server, 'evil.example', '/api/v1/session', {
        method: 'POST',
        headers: [JSON_TYPE],
        body,
      });
      expectProblem(signIn, 'MISDIRECTED_REQUEST');
      const wrong = [`X-Master-Key: wrong ${i}`, 'Authorization: Bearer wotp_0'];
      const byHeader = await callAs(server, 'evil.example', '/api/v1/keys', { headers: wrong });
      expectProblem(byHeader, 'MISDIRECTED_REQUEST');
    }
    expect((await server.call('GET', 'keys', { asAdmin: true })).status).toBe(200);
  });

  test('serves a good API key under any name, and nothing for a made-up one', async () => {
    const { key } = await makeKey(server, ['otp:read']);
    const good = [`Authorization: Bearer ${key}`];
    for (const path of ['/api/v1/otp', '/api/v1/health', '/openapi.json']) {
      expect((await callAs(server, 'wotp.internal', path, { headers: good })).status, path).toBe(200);
    }
    const madeUp = [`Authorization: Bearer wotp_${'0'.repeat(64)}`];
    expectProblem(await callAs(server, 'wotp.internal', '/api/v1/otp', { headers: madeUp }), 'UNAUTHORIZED');
    for (const path of ['/api/v1/health', '/', '/api/v1/session', '/api/v1/nothing']) {
      const method = path.endsWith('session') ? 'POST' : 'GET';
      const refused = await callAs(server, 'wotp.internal', path, { method, headers: madeUp });
      expectProblem(refused, 'MISDIRECTED_REQUEST');
    }
  });

  test("leaves a provider's callback to its signature, but takes no password there", async () => {
    const path = '/api/v1/channels/cloud-api/webhook';
    expectProblem(await callAs(server, 'wotp.internal', path), 'FORBIDDEN');
    expectProblem(await callAs(server, 'wotp.internal', path, { method: 'POST' }), 'UNAUTHORIZED');
    const headers = ['X-Master-Key: wrong'];
    expectProblem(await callAs(server, 'wotp.internal', path, { headers }), 'MISDIRECTED_REQUEST');
  });

  test('answers the control socket under any name', async () => {
    const socketPath = controlSocketPath(server.dir);
    const status = await new Promise((resolve, reject) => {
      const headers = { host: 'wotp' };
      httpRequest({ socketPath, path: '/api/v1/keys', headers }, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(200);
  });
});

test('what comes under another name counts apart from what comes under its own, refused or let through', async () => {
  const server = await startTestApp({ env: { ADDRESS_LIMIT_PER_MINUTE: '4' } });
  onTestFinished(() => server.stop());
  const madeUp = ['Authorization: Bearer x'];
  const statuses: number[] = [];
  for (let i = 0; i < 2; i++) {
    statuses.push((await callAs(server, 'evil.example', '/')).status);
    statuses.push((await callAs(server, 'evil.example', '/api/v1/channels/x/y')).status);
    statuses.push((await callAs(server, 'evil.example', '/api/v1/otp', { headers: madeUp })).status);
  }
  expect(statuses).toEqual([421, 404, 401, 421, 429, 429]);
  expect((await callAs(server, 'localhost', '/')).status).toBe(200);
  expect((await callAs(server, 'localhost', '/nothing')).status).toBe(404);
});

test('PUBLIC_URL adds its own name, and the refusal of any other names its address', async () => {
  const env = { PUBLIC_URL: 'https://verify.example.com:8443/' };
  const server = await startTestApp({ env });
  onTestFinished(() => server.stop());
  for (const host of ['verify.example.com', 'Verify.Example.com:8443', 'verify.example.com:3000']) {
    expect((await callAs(server, host, '/api/v1/health')).status).toBe(200);
  }
  for (const host of ['example.com', 'verify.example.com.evil.example', 'a.verify.example.com']) {
    const { detail } = expectProblem(await callAs(server, host, '/api/v1/health'), 'MISDIRECTED_REQUEST');
    expect(detail).toContain('PUBLIC_URL (https://verify.example.com:8443)');
  }
});

test('a server that listens on loopback in another spelling takes no other name either', async () => {
  const server = await startTestApp({ env: { HOST: '::ffff:127.0.0.1' } });
  onTestFinished(() => server.stop());
  const address = `http://127.0.0.1:${/\d+$/.exec(server.address)![0]}`;
  const request = (host: string) => sendRaw(address, `GET /api/v1/health HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  expect((await request('evil.example')).status).toBe(421);
  expect((await request('localhost')).status).toBe(200);
});

test('a server that listens on every address answers under any name', async () => {
  const server = await startTestApp({ env: { HOST: '0.0.0.0' } });
  onTestFinished(() => server.stop());
  const address = server.address.replace('0.0.0.0', '127.0.0.1');
  const answer = await sendRaw(address, 'GET /api/v1/health HTTP/1.1\r\nHost: any.example\r\n\r\n');
  expect(answer.status).toBe(200);
});
