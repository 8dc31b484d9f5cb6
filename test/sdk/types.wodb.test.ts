import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { apiTypes } from '../../scripts/api-types.js';
import { startDocumentedApp } from '../support/openapi.ts';

test('the types of the client are those of the document (npm run docs)', async () => {
  const { server, document } = await startDocumentedApp();
  const types = await apiTypes(document as unknown as Parameters<typeof apiTypes>[0]);
  await server.stop();
  expect(readFileSync(new URL('../../sdk/src/api-types.ts', import.meta.url), 'utf8')).toBe(types);
}, 60_000);
