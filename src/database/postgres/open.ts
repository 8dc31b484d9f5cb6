import { createHash } from 'node:crypto';
import pg, { type ClientBase, type PoolClient } from 'pg';
import { DatabaseError, StoppingError } from '../../errors/errors.ts';
import type { Database, Executor, Transaction } from '../database.ts';
import { migrateToLatest } from '../migrate.ts';
import { preparedQueries } from '../prepared.ts';
import { PostgresConnection } from './connection.ts';
import { kyselyOver } from './dialect.ts';
import {
  asDatabaseError,
  isWorthARetry,
  leavesConnectionGood,
  openError,
  PostgresOpenError,
} from './errors.ts';
import { beginEventEpoch, eventOrigin } from './event-epoch.ts';
import { checkTlsFiles } from './tls-files.ts';

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with `sslmode` and the like as parameters. */
  url: string;
  /** Connections this process opens at most. */
  poolSize: number;
  /** Transactions and queries that may wait for a connection; one more transaction is refused with QUEUE_FULL. */
  maxWaiting?: number;
}

/** How long connecting, or waiting for a free connection, may take. */
const CONNECT_MAX_MS = 5_000;
/** How long one statement may take, waiting for locks included; the server ends it. */
const STATEMENT_MAX_MS = 10_000;
/** Without an answer for so long the connection is given up: the server, or the way to it, is gone. */
const ANSWER_MAX_MS = 12_000;
/** A transaction whose process has stopped working is ended by the server, and its locks with it. */
const IDLE_IN_TRANSACTION_MAX_MS = 10_000;
const IDLE_CONNECTION_MS = 60_000;
/** A transaction that lost a deadlock is run so often in all, with a random wait of up to this between. */
const ATTEMPTS_MAX = 5;
const RETRY_WAIT_MAX_MS = 20;
const OLDEST_VERSION = 140_000;

const INT8 = 20;
const NUMERIC = 1700;

/** Counts, sums and times in ms are whole numbers below 2^53, as they are on WODB. */
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    oid === INT8 || oid === NUMERIC ? Number : pg.types.getTypeParser(oid, format as 'text'),
};

/**
 * Opens a database on a PostgreSQL server that several processes may share, and brings its schema up to date.
 * @throws PostgresOpenError when the server cannot be reached or used; the message says what to do
 * @throws NewerSchemaError when a newer WOTP has written it
 */
export async function openPostgres(options: PostgresOptions): Promise<Database> {
  checkTlsFiles(options.url);
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize,
    application_name: 'wotp',
    connectionTimeoutMillis: CONNECT_MAX_MS,
    idleTimeoutMillis: IDLE_CONNECTION_MS,
    query_timeout: ANSWER_MAX_MS,
    keepAlive: true,
    types,
    onConnect: beginSession,
  });
  // A connection that breaks is taken out of the pool; whoever used it gets the error by its query.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  try {
    await bringUpToDate(pool);
  } catch (error) {
    await pool.end();
    throw openError(error, placeOf(options.url));
  }
  return postgresDatabase(pool, options.maxWaiting ?? 10_000);
}

/**
 * Reads from a database on a PostgreSQL server as it is, without bringing its schema up to date.
 * @throws PostgresOpenError when the server cannot be reached or used
 */
export async function readPostgres<T>(url: string, read: (db: Executor) => Promise<T>): Promise<T> {
  checkTlsFiles(url);
  const pool = new pg.Pool({ connectionString: url, max: 1, connectionTimeoutMillis: CONNECT_MAX_MS, types });
  pool.on('error', () => {});
  try {
    return await read(kyselyOver(new PostgresConnection(pool)));
  } catch (error) {
    throw openError(error, placeOf(url));
  } finally {
    await pool.end();
  }
}

/**
 * Sets what holds for a session, once it is there: not every pooler takes settings with the connection. An acknowledged
 * commit has to be on the server's disk, whatever is set for the role or the database.
 */
async function beginSession(client: ClientBase): Promise<void> {
  const { rows } = await client.query(
    `select set_config('statement_timeout', '${STATEMENT_MAX_MS}', false),
       set_config('idle_in_transaction_session_timeout', '${IDLE_IN_TRANSACTION_MAX_MS}', false),
       set_config('synchronous_commit',
         case current_setting('synchronous_commit') when 'off' then 'on' else current_setting('synchronous_commit') end,
         false) as commit`,
  );
  if (rows[0]?.commit !== 'off') return;
  throw new DatabaseError('PostgreSQL does not keep synchronous_commit = on, so no commit is safe.');
}

/** Applies the missing migrations in one transaction; of several processes that start together one does it. */
async function bringUpToDate(pool: pg.Pool): Promise<void> {
  const client = await connectTo(pool);
  const connection = new PostgresConnection(client);
  try {
    await requireServer(connection);
    const origin = await eventOrigin(connection);
    await connection.run('begin isolation level read committed', []);
    await connection.run('set local statement_timeout = 0', []);
    await connection.run(`select pg_advisory_xact_lock(hashtextextended('WOTP migrations', 0))`, []);
    await migrateToLatest(kyselyOver(connection));
    await beginEventEpoch(connection, origin);
    await connection.run('commit', []);
    client.release();
  } catch (error) {
    // Ends the transaction with it.
    client.release(true);
    throw error;
  }
}

async function connectTo(pool: pg.Pool): Promise<PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw asDatabaseError(error);
  }
}

interface ServerFacts {
  version: number;
  name: string;
  encoding: string;
  mayCreate: boolean;
  isMade: boolean;
}

async function requireServer(connection: PostgresConnection): Promise<void> {
  const { rows } = await connection.run<ServerFacts>(
    `select current_setting('server_version_num')::int as version, current_setting('server_version') as name,
       pg_encoding_to_char(encoding) as encoding,
       coalesce(has_schema_privilege(current_schema(), 'create'), false) as "mayCreate",
       to_regclass('kysely_migration') is not null as "isMade"
     from pg_database where datname = current_database()`,
    [],
  );
  const { version, name, encoding, mayCreate, isMade } = rows[0]!;
  if (version < OLDEST_VERSION) {
    throw new PostgresOpenError(`PostgreSQL ${name} is too old for WOTP. Use PostgreSQL 14 or a newer one.`);
  }
  if (encoding !== 'UTF8') {
    throw new PostgresOpenError(
      `The database's encoding is ${encoding}, and texts need UTF8. Create it again: createdb --encoding=UTF8 --template=template0.`,
    );
  }
  if (!mayCreate && !isMade) {
    throw new PostgresOpenError(
      'The user of DATABASE_URL may not create tables in this database. Make it the owner of the database, or grant it CREATE on the schema.',
    );
  }
}

/** Host, port and database of a URL, without user and password. */
function placeOf(url: string): string {
  const { host, port, database } = new pg.Client({ connectionString: url });
  return `${host}:${port}/${database}`;
}

function postgresDatabase(pool: pg.Pool, maxWaiting: number): Database {
  const connections = new WeakMap<Executor, PostgresConnection>();
  /** What each transaction that is running wants done once it is committed. */
  const afterCommit = new WeakMap<Executor, (() => void)[]>();
  const anywhere = new PostgresConnection(pool);
  const reader = kyselyOver(anywhere);
  connections.set(reader, anywhere);
  const running = new Set<Promise<unknown>>();
  let closed: DatabaseError | undefined;
  let closing: Promise<void> | undefined;
  /** Why the latest transaction that met an outage failed; undefined when a probe has succeeded since. */
  let failure: unknown;
  let onPoolWait: (ms: number) => void = () => {};

  /** Runs `work` once. What it rejects with tells whether PostgreSQL has certainly undone everything. */
  async function attempt<T>(work: (trx: Transaction) => Promise<T>): Promise<T> {
    const asked = performance.now();
    const client = await connectTo(pool);
    onPoolWait(performance.now() - asked);
    const connection = new PostgresConnection(client);
    try {
      await connection.run('begin isolation level read committed', []);
      const trx = kyselyOver(connection);
      connections.set(trx, connection);
      const followUps: (() => void)[] = [];
      afterCommit.set(trx, followUps);
      const value = await work(trx);
      connection.end();
      await commit(client);
      client.release();
      for (const followUp of followUps) followUp();
      return value;
    } catch (error) {
      connection.end();
      await undo(client, error);
      throw error;
    }
  }

  async function commit(client: PoolClient): Promise<void> {
    let command: string;
    try {
      ({ command } = await client.query('commit'));
    } catch (error) {
      const reason = asDatabaseError(error);
      if (isWorthARetry(reason)) throw reason;
      throw new DatabaseError(
        'The connection to the database was lost during the commit, so it is not known whether the change was made. Check before you repeat it, or repeat it with the same Idempotency-Key.',
        error,
      );
    }
    // A transaction in which a statement had failed is not committed, and that is no error to PostgreSQL.
    if (command !== 'COMMIT') {
      throw new DatabaseError('The database has undone the change; nothing was changed.');
    }
  }

  async function undo(client: PoolClient, error: unknown): Promise<void> {
    const isGood =
      leavesConnectionGood(error) &&
      (await client.query('rollback').then(
        () => true,
        () => false,
      ));
    client.release(!isGood);
  }

  async function transaction<T>(work: (trx: Transaction) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      try {
        return await attempt(work);
      } catch (error) {
        if (tries < ATTEMPTS_MAX && isWorthARetry(error)) {
          await new Promise((resolve) => setTimeout(resolve, Math.random() * RETRY_WAIT_MAX_MS));
          continue;
        }
        if (error instanceof DatabaseError) failure = error;
        throw error;
      }
    }
  }

  const database: Database = {
    engine: 'postgres',
    reader,
    isExclusive: false,

    transaction(work) {
      if (closed) return Promise.reject(closed);
      if (pool.waitingCount >= maxWaiting) {
        return Promise.reject(
          new DatabaseError('Too many writes are waiting; try again in a moment.', undefined, 'QUEUE_FULL'),
        );
      }
      const result = transaction(work);
      running.add(result);
      const forget = () => running.delete(result);
      result.then(forget, forget);
      return result;
    },

    afterCommit(trx, work) {
      afterCommit.get(trx)!.push(work);
    },

    async serialize(trx, key) {
      await connections.get(trx)!.run(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, [key], 'lock');
    },

    async trySerialize(trx, key) {
      const query = `select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as "isAlone"`;
      const { rows } = await connections.get(trx)!.run<{ isAlone: boolean }>(query, [key], 'try-lock');
      return rows[0]!.isAlone;
    },

    ...preparedQueries(reader, {
      rows: async (executor, sql, parameters) =>
        (await connections.get(executor)!.run(sql, parameters, nameOf(sql))).rows,
      changes: async (executor, sql, parameters) =>
        (await connections.get(executor)!.run(sql, parameters, nameOf(sql))).changes,
    }),

    watchPoolWaits(listener) {
      onPoolWait = listener;
    },

    get waitingWrites() {
      return pool.waitingCount;
    },

    async checkWritable() {
      if (!failure) return;
      const probe = { key: 'write_probe', value: String(Date.now()) };
      await database.transaction((trx) =>
        trx
          .insertInto('settings')
          .values(probe)
          .onConflict((conflict) => conflict.column('key').doUpdateSet(probe))
          .execute(),
      );
      failure = undefined;
    },

    async sharedTime() {
      const query = `select extract(epoch from clock_timestamp()) * 1000 as now`;
      const { rows } = await anywhere.run<{ now: number }>(query, []);
      return rows[0]!.now;
    },

    close() {
      closed ??= new StoppingError();
      closing ??= Promise.allSettled(running).then(() => pool.end());
      return closing;
    },
  };
  return database;
}

const names = new Map<string, string>();

/** The name under which connections keep a statement prepared: the same text, the same name. */
function nameOf(sql: string): string {
  let name = names.get(sql);
  if (!name) {
    name = createHash('sha256').update(sql).digest('base64url').slice(0, 24);
    names.set(sql, name);
  }
  return name;
}
