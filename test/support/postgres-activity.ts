import pg from 'pg';

let underWay = 0;

/** Whether any connection of this process waits for PostgreSQL. */
export function isPostgresBusy(): boolean {
  return underWay > 0;
}

type Method = 'connect' | 'query' | 'end';

/** Counts the calls of the driver that have not come back; they do all the same what they did. */
function count(method: Method): void {
  const original = pg.Client.prototype[method] as (...args: unknown[]) => unknown;
  const counting = function (this: pg.Client, ...args: unknown[]) {
    underWay += 1;
    const isDone = () => {
      underWay -= 1;
    };
    const callback = args.at(-1);
    if (typeof callback === 'function') {
      args[args.length - 1] = (...results: unknown[]) => {
        isDone();
        return callback(...results);
      };
      return original.apply(this, args);
    }
    const result = original.apply(this, args);
    Promise.resolve(result).then(isDone, isDone);
    return result;
  };
  Object.assign(pg.Client.prototype, { [method]: counting });
}

for (const method of ['connect', 'query', 'end'] as const) count(method);
