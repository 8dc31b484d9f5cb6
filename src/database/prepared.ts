import type { Compilable } from 'kysely';
import type { Database, Executor, Parameters } from './database.ts';

/** Stands in a compiled query where a value is given at each run. */
class Placeholder {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A compiled query: what is bound at each run is named, the rest is fixed. */
interface Compiled {
  sql: string;
  names: (string | undefined)[];
  fixed: readonly unknown[];
}

/** Runs a compiled query, and resolves to what is asked of it. */
type Run<Result> = (executor: Executor, sql: string, parameters: unknown[]) => Promise<Result>;

/**
 * Makes a database's `prepare` and `prepareChange`: the query is built and compiled on its first run, later runs only
 * bind values. Building and compiling a query costs several times what running it does.
 */
export function preparedQueries(
  compileWith: Executor,
  run: { rows: Run<unknown[]>; changes: Run<number> },
): Pick<Database, 'prepare' | 'prepareChange'> {
  function prepared<P, Result>(
    build: (db: Executor, value: Parameters<P>) => Compilable<unknown>,
    runIt: Run<Result>,
  ) {
    let compiled: Compiled | undefined;
    return (executor: Executor, values: P): Promise<Result> => {
      compiled ??= compile(build(compileWith, ((name: string) => new Placeholder(name)) as Parameters<P>));
      const { sql, names, fixed } = compiled;
      const parameters = new Array<unknown>(names.length);
      for (let i = 0; i < names.length; i++) {
        const name = names[i];
        parameters[i] = name === undefined ? fixed[i] : values[name as keyof P];
      }
      return runIt(executor, sql, parameters);
    };
  }
  return {
    prepare: <P, Row>(build: (db: Executor, value: Parameters<P>) => Compilable<Row>) =>
      prepared(build, run.rows as Run<Row[]>),
    prepareChange: <P>(build: (db: Executor, value: Parameters<P>) => Compilable<unknown>) =>
      prepared(build, run.changes),
  };
}

function compile(query: Compilable<unknown>): Compiled {
  const { sql, parameters } = query.compile();
  const names = parameters.map((parameter) =>
    parameter instanceof Placeholder ? parameter.name : undefined,
  );
  return { sql, names, fixed: parameters };
}
