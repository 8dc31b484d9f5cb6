import type { TestProject } from 'vitest/node';
import { LocalPostgres } from '../../bench/local-postgres.js';
import { openKeyring } from '../../src/database/keyring.ts';
import { openPostgres } from '../../src/database/postgres/open.ts';
import { TEMPLATE } from './postgres.ts';
import { testClock } from './test-clock.ts';
import { MASTER_KEY } from './wodb.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The address of the PostgreSQL server's own database. */
    postgresUrl: string;
  }
}

/**
 * Starts the one PostgreSQL server that all tests share, with a database of the newest schema to copy from. It keeps
 * nothing: what is on disk after a crash is the matter of tests that start a server of their own.
 */
export default async function startPostgres(project: TestProject): Promise<() => Promise<void>> {
  const server = await LocalPostgres.start({ fsync: false });
  await server.query('postgres', `create database ${TEMPLATE}`);
  const database = await openPostgres({ url: server.url(TEMPLATE), poolSize: 2 });
  // With the keys of the tests' master key, which stretch it once for all databases.
  await openKeyring(database, MASTER_KEY, testClock());
  await database.close();
  project.provide('postgresUrl', server.url('postgres'));
  return () => server.remove();
}
