import type { TestProject } from 'vitest/node';
import { LocalPostgres } from '../../bench/local-postgres.js';
import { openPostgres } from '../../src/database/postgres/open.ts';
import { TEMPLATE } from './postgres.ts';

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
  await (await openPostgres({ url: server.url(TEMPLATE), poolSize: 2 })).close();
  project.provide('postgresUrl', server.url('postgres'));
  return () => server.remove();
}
