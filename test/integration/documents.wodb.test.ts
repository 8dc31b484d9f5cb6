import { readFileSync } from 'node:fs';
import newman, { type NewmanRunSummary } from 'newman';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { apiPage } from '../../src/http/openapi/api-page.ts';
import type { OpenApiDocument } from '../../src/http/openapi/document.ts';
import { postmanCollection } from '../../src/http/openapi/postman-collection.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { startDocumentedApp } from '../support/openapi.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { QUICK_ADMIN } from '../support/verifications.ts';

const file = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

let server: TestApp;
let document: OpenApiDocument;
beforeAll(async () => {
  const documented = await startDocumentedApp();
  server = documented.server;
  document = documented.document as unknown as OpenApiDocument;
});
afterAll(() => server.stop());

test('docs/openapi.yaml, docs/API.md and docs/postman_collection.json are those of this version (npm run docs)', async () => {
  const { text: yaml } = await server.call('GET', '/openapi.yaml', { key: null });
  expect(file('openapi.yaml')).toBe(yaml);
  expect(file('API.md')).toBe(apiPage(document));
  expect(JSON.parse(file('postman_collection.json'))).toEqual(postmanCollection(document));
});

test('the Postman collection runs green against a fresh server, and asks for every operation that it can', async () => {
  const fresh = await startTestApp({ env: QUICK_ADMIN, clock: systemClock() });
  const summary = await run({
    baseUrl: fresh.address,
    apiKey: fresh.key,
    adminPassword: fresh.adminPassword,
  });
  await fresh.stop();
  const failures = summary.run.failures.map(({ source, error }) => `${source?.name}: ${error.message}`);
  expect(failures).toEqual([]);
  const { assertions, requests } = summary.run.stats;
  const operations = Object.values(document.paths ?? {}).flatMap((item) => Object.keys(item));
  expect(assertions.total).toBeGreaterThan(operations.length - 5);
  expect(requests.failed).toBe(0);
}, 120_000);

function run(variables: Record<string, string>): Promise<NewmanRunSummary> {
  const values = Object.entries(variables).map(([key, value]) => ({ key, value, enabled: true }));
  return new Promise((resolve, reject) => {
    const options = {
      collection: JSON.parse(file('postman_collection.json')),
      environment: { values },
      timeoutRequest: 20_000,
    };
    newman.run(options, (error, summary) => (error ? reject(error) : resolve(summary)));
  });
}
