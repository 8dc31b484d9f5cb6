import type { Compilable } from 'kysely';
import type { Database, Executor, Parameters } from './database.ts';

/** Stands in a compiled query where a value is given at each run. */
class Placeholder {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** A compiled query, and what it binds at a run. */
interface Compiled<P> {
  sql: string;
  bind: (values: P) => unknown[];
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
    let compiled: Compiled<P> | undefined;
    return (executor: Executor, values: P): Promise<Result> => {
      compiled ??= compile<P>(build(compileWith, ((name: string) => new Placeholder(name)) as Parameters<P>));
      return runIt(executor, compiled.sql, compiled.bind(values));
    };
  }
  return {
    prepare: <P, Row>(build: (db: Executor, value: Parameters<P>) => Compilable<Row>) =>
      prepared(build, run.rows as Run<Row[]>),
    prepareChange: <P>(build: (db: Executor, value: Parameters<P>) => Compilable<unknown>) =>
      prepared(build, run.changes),
  };
}

function compile<P>(query: Compilable<unknown>): Compiled<P> {
  const { sql, parameters } = query.compile();
  // Written out, since a look-up by a name that varies costs ten times as much.
  const values = parameters.map((parameter, at) =>
    parameter instanceof Placeholder ? `values[${JSON.stringify(parameter.name)}]` : `fixed[${at}]`,
  );
  const binder = new Function('fixed', `return (values) => [${values}]`);
  return { sql, bind: binder(parameters) };
}
