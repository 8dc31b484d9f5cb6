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

/**
 * Makes a database; with the newest schema and the keys of the tests' master key, unless it shall be empty or is for
 * another master key.
 */
export async function createPostgres({ empty = false, ownKey = false } = {}): Promise<TestPostgres> {
  const server = inject('postgresUrl');
  const name = `wotp_${randomBytes(8).toString('hex')}`;
  await runOn(server, `create database ${name} template ${empty ? 'template1' : TEMPLATE}`);
  const url = server.replace('/postgres?', `/${name}?`);
  if (ownKey) await runOn(url, 'delete from key_versions');
  return {
    url,
    drop: async () => void (await runOn(server, `drop database if exists ${name} with (force)`)),
  };
}
