import type { CompiledQuery, DatabaseConnection, QueryResult } from 'kysely';
import type { ClientBase, Pool } from 'pg';
import { ValidationError } from '../../errors/errors.ts';
import { asDatabaseError, isNulCharacter } from './errors.ts';

/** Rows and how many were changed. */
interface Outcome<Row> {
  rows: Row[];
  changes: number;
}

/** Where queries run: on any connection of the pool, or on the one that a transaction holds. */
export class PostgresConnection implements DatabaseConnection {
  readonly #runner: Pick<ClientBase | Pool, 'query'>;
  #isOver = false;

  constructor(runner: Pick<ClientBase | Pool, 'query'>) {
    this.#runner = runner;
  }

  /**
   * Runs one query; under a `name` the server keeps it prepared.
   * @throws DatabaseError for outages; ValidationError for a text with a NUL character, which PostgreSQL cannot hold
   */
  async run<Row>(text: string, values: readonly unknown[], name?: string): Promise<Outcome<Row>> {
    if (this.#isOver) throw new Error('A query was run after its transaction had ended.');
    try {
      const { rows, rowCount } = await this.#runner.query({ text, values: values as unknown[], name });
      return { rows, changes: rowCount ?? 0 };
    } catch (error) {
      if (isNulCharacter(error)) throw new ValidationError('A text in the request has a NUL character.');
      throw asDatabaseError(error);
    }
  }

  /** A query that outlives its transaction must not run in another one. */
  end(): void {
    this.#isOver = true;
  }

  async executeQuery<Row>({ sql, parameters }: CompiledQuery): Promise<QueryResult<Row>> {
    const { rows, changes } = await this.run<Row>(sql, parameters);
    return { rows, numAffectedRows: BigInt(changes) };
  }

  // biome-ignore lint/correctness/useYield: Kysely asks for it; no query here is streamed.
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error('Queries are not streamed on PostgreSQL.');
  }
}
