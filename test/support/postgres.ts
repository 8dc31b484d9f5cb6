import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { runOn } from '../../bench/local-postgres.js';

/** The database with the newest schema that the others are copied from. */
export const TEMPLATE = 'wotp_template';

/** A database of the tests on the shared PostgreSQL server. */
export interface TestPostgres {
  url: string;
  /** Removes it, whoever is still connected. */
  drop(): Promise<void>;
}

/** Makes a database; with the newest schema unless it shall be empty. */
export async function createPostgres({ empty = false } = {}): Promise<TestPostgres> {
  const server = inject('postgresUrl');
  const name = `wotp_${randomBytes(8).toString('hex')}`;
  await runOn(server, `create database ${name} template ${empty ? 'template1' : TEMPLATE}`);
  return {
    url: server.replace('/postgres?', `/${name}?`),
    drop: async () => void (await runOn(server, `drop database if exists ${name} with (force)`)),
  };
}
