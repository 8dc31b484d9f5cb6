import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Database } from '../../src/database/database.ts';
import { openPostgres } from '../../src/database/postgres/open.ts';
import { keyCheckPathIn } from '../../src/database/wodb/key-check.ts';
import { openWodb } from '../../src/database/wodb/open.ts';
import { copyTemplateTo } from './copied-template.ts';
import { ENGINE } from './engine.ts';
import { createPostgres } from './postgres.ts';
import { databasePathIn, MASTER_KEY } from './wodb.ts';

interface TestDatabase {
  database: Database;
  close(): Promise<void>;
}

/** A database of its own on the engine of this run, for tests of what stands right above it; `close` removes it. */
export function openTestDatabase(): Promise<TestDatabase> {
  return ENGINE === 'postgres' ? openOnPostgres() : openOnWodb();
}

async function openOnPostgres(): Promise<TestDatabase> {
  const postgres = await createPostgres();
  const database = await openPostgres({ url: postgres.url, poolSize: 5 });
  return {
    database,
    async close() {
      await database.close();
      await postgres.drop();
    },
  };
}

async function openOnWodb(): Promise<TestDatabase> {
  const dir = mkdtempSync(join(tmpdir(), 'wotp-test-'));
  copyTemplateTo(dir);
  const database = await openWodb({
    path: databasePathIn(dir),
    keyCheckPath: keyCheckPathIn(dir),
    masterKey: MASTER_KEY,
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
