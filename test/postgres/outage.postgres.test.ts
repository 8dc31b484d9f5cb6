import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { runOn } from '../../bench/local-postgres.js';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN } from '../support/verifications.ts';

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
});
afterAll(() => server.stop());

/** Changes what sessions begin with, and ends those that have begun. */
async function setForAll(change: string): Promise<void> {
  const name = new URL(server.app.config.database.url!).pathname.slice(1);
  const url = inject('postgresUrl');
  await runOn(url, `alter database ${name} ${change}`);
  const others = `from pg_stat_activity where datname = '${name}'`;
  await runOn(url, `select pg_terminate_backend(pid) ${others}`);
}

const send = () => server.call('POST', 'otp/send', { body: { phone: newPhone() } });

test('a database that takes no writes is a 503 without SQL, health says so, and all is well again by itself', async () => {
  await setForAll('set default_transaction_read_only = on');
  const problem = expectProblem(await send(), 'SERVICE_UNAVAILABLE');
  expect(problem.detail).toBe('The database cannot be used at the moment; nothing was changed.');
  // What cannot be counted against the limit of its key is not let through either.
  expectProblem(await server.call('GET', 'otp'), 'SERVICE_UNAVAILABLE');
  const sick = await server.call('GET', 'health', { key: null });
  expect(sick.status).toBe(503);
  expect(sick.body.checks.database).toMatchObject({ status: 'unhealthy', engine: 'postgres' });
  expect((await server.call('GET', 'health/ready', { key: null })).status).toBe(503);
  expect((await server.call('GET', 'health/live', { key: null })).status).toBe(200);

  await setForAll('reset default_transaction_read_only');
  // Until each connection has noticed that it was ended.
  const engineNow = async () =>
    (await server.call('GET', 'health', { key: null })).body.checks.database.status;
  await expect.poll(engineNow).toBe('healthy');
  expect((await send()).status).toBe(201);
});
