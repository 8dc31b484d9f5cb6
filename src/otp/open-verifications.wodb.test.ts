import { CompiledQuery } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestOutbox, type TestOutbox } from '../../test/support/test-outbox.ts';
import type { Database } from '../database/database.ts';
import { openVerifications } from './open-verifications.ts';

let outbox: TestOutbox;
beforeAll(async () => {
  outbox = await openTestOutbox();
});
afterAll(() => outbox.close());

test('the newest verification is found by an index alone: sorting to find it took several times as long as the reads', async () => {
  const { reader } = outbox.database;
  const queries: CompiledQuery[] = [];
  const prepare = (build: (db: typeof reader, value: () => null) => { compile(): CompiledQuery }) =>
    queries.push(build(reader, () => null).compile());
  openVerifications({ ...outbox.database, prepare } as unknown as Database);
  expect(queries).toHaveLength(4);
  for (const { sql, parameters } of queries) {
    const plan = await reader.executeQuery<{ detail: string }>(
      CompiledQuery.raw(`explain query plan ${sql}`, [...parameters]),
    );
    const steps = plan.rows.map(({ detail }) => detail).join('\n');
    expect(steps).toMatch(/SEARCH verifications USING INDEX/);
    expect(steps).not.toMatch(/LAST TERM OF ORDER BY|SCAN verifications/);
  }
});
