import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DEFAULT_PROJECT } from '../../src/database/project.ts';
import { newId } from '../../src/lib/id.ts';
import { makeKey } from '../support/keys.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { QUICK_ADMIN } from '../support/verifications.ts';

const NDJSON = 'application/x-ndjson';
/** Many times what the buffers between server and client take. */
const MANY = 30_000;
const AT_ONCE = 500;

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  await addEvents(MANY);
}, 120_000);
afterAll(() => server.stop());

async function addEvents(count: number): Promise<void> {
  const at = server.clock.now();
  const row = () => ({
    project_id: DEFAULT_PROJECT,
    type: 'otp.failed',
    at,
    subject: newId('ver', at),
    data: JSON.stringify({ reason: 'a long reason, so that the lines are long. '.repeat(20) }),
  });
  for (let i = 0; i < count; i += AT_ONCE) {
    const rows = Array.from({ length: AT_ONCE }, row);
    await server.app.database.transaction((trx) => trx.insertInto('events').values(rows).execute());
  }
}

/** Begins an export, of which nothing is read yet. */
function open(query: string, key: string): Promise<IncomingMessage> {
  const headers = { accept: NDJSON, authorization: `Bearer ${key}` };
  const url = new URL(`/api/v1/logs${query}`, server.address);
  return new Promise((resolve, reject) => {
    get(url, { headers, agent: false }, (response) => resolve(response.pause())).on('error', reject);
  });
}

/** Lets the server do all that it can do without the client. */
async function others(): Promise<void> {
  for (let i = 0; i < 100; i++) await server.call('GET', 'health/live', { key: null });
}

const linesOf = (text: string) =>
  text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

describe('an export', () => {
  test('has every entry that matches, a line each, newest first', async () => {
    const { text, headers, status } = await server.call('GET', 'logs?type=otp.failed&limit=3', {
      asAdmin: true,
      headers: { accept: NDJSON },
    });
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe(NDJSON);
    const lines = linesOf(text);
    expect(lines).toHaveLength(MANY);
    const { body } = await server.call('GET', 'logs?type=otp.failed&limit=200', { asAdmin: true });
    expect(lines.slice(0, 200)).toEqual(body.data);
    expect(new Set(lines.map(({ id }) => id)).size).toBe(MANY);
  }, 60_000);

  test('of nothing is empty', async () => {
    const { text, status } = await server.call('GET', 'logs?actor=nobody-at-all', {
      asAdmin: true,
      headers: { accept: NDJSON },
    });
    expect({ text, status }).toEqual({ text: '', status: 200 });
  });

  test('is in the audit log, without the phone that it was narrowed to', async () => {
    const phone = '+6283834946034';
    await server.call('GET', `logs?type=key.*&phone=${encodeURIComponent(phone)}`, {
      asAdmin: true,
      headers: { accept: NDJSON },
    });
    const { body, text } = await server.call('GET', 'logs?type=logs.exported&limit=1', { asAdmin: true });
    expect(body.data[0]).toMatchObject({
      actor: 'admin',
      data: { filter: { type: 'key.*', phone: 'given' }, address: '127.0.0.1' },
    });
    expect(text).not.toContain(phone);
  });

  test('is read from the database as fast as the client takes it, and no faster', async () => {
    const { key } = await makeKey(server, ['logs:read']);
    const response = await open('?type=otp.failed', key);
    await others();
    await server.app.database.transaction((trx) =>
      trx.deleteFrom('events').where('type', '=', 'otp.failed').execute(),
    );
    let text = '';
    response.setEncoding('utf8').resume();
    for await (const chunk of response) text += chunk;
    const { length } = linesOf(text);
    expect(length).toBeGreaterThan(0);
    expect(length).toBeLessThan(MANY / 2);
    await addEvents(MANY);
  }, 120_000);

  test('ends when its client leaves', async () => {
    const { key } = await makeKey(server, ['logs:read']);
    const response = await open('?type=otp.failed', key);
    await others();
    response.destroy();
    await vi.waitFor(() => {
      const aborted = server.logLines.filter(
        (line) => line.includes('/api/v1/logs') && line.includes('"aborted":true'),
      );
      expect(aborted.length).toBeGreaterThan(0);
    });
  });

  test('is cut off when its key is revoked', async () => {
    const { id, key } = await makeKey(server, ['logs:read']);
    const response = await open('?type=otp.failed', key);
    await others();
    await server.call('DELETE', `keys/${id}`, { asAdmin: true });
    const read = (async () => {
      for await (const _chunk of response);
    })();
    await expect(read).rejects.toThrow(/aborted/);
  });
});
