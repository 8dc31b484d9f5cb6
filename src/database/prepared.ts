import type { Compilable, CompiledQuery } from 'kysely';
import type { Database, Executor, Parameters } from './database.ts';

/** Stands in a compiled query where a value is given at each run. */
class Placeholder {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/**
 * Makes a database's `prepare`: the query is built and compiled on its first run, later runs only bind values.
 * Building and compiling a query costs several times what running it does.
 */
export function preparedQueries(
  compileWith: Executor,
  run: (executor: Executor, sql: string, parameters: unknown[]) => Promise<unknown[]>,
): Database['prepare'] {
  return <P, Row>(build: (db: Executor, value: Parameters<P>) => Compilable<Row>) => {
    let compiled: CompiledQuery | undefined;
    return (executor: Executor, values: P): Promise<Row[]> => {
      compiled ??= build(compileWith, ((name: string) => new Placeholder(name)) as Parameters<P>).compile();
      const given = values as Record<string, unknown>;
      const parameters = compiled.parameters.map((parameter) =>
        parameter instanceof Placeholder ? given[parameter.name] : parameter,
      );
      return run(executor, compiled.sql, parameters) as Promise<Row[]>;
    };
  };
}
