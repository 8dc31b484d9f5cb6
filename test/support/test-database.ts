import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '../../src/database/database.ts';
import { keyCheckPathIn } from '../../src/database/wodb/key-check.ts';
import { openWodb } from '../../src/database/wodb/open.ts';

/** A database file of its own, for tests of what stands right above it; `close` removes it. */
export async function openTestDatabase(): Promise<{ database: Database; close(): Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'wotp-test-'));
  const database = await openWodb({
    path: join(dir, 'wotp.wodb'),
    keyCheckPath: keyCheckPathIn(dir),
    masterKey: 'a master key of the tests, long enough',
    onFatal: (error) => {
      throw error;
    },
  });
  return {
    database,
    async close() {
      await database.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
