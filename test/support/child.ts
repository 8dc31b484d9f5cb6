import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export { ensureBuilt } from '../../bench/ensure-built.js';

const ROOT = new URL('../../', import.meta.url);

/** Another process that says what it does in lines of JSON. */
export interface Child {
  /** What it says next; undefined once it has ended. */
  next(): Promise<Record<string, unknown> | undefined>;
  /** Ends it without a chance to do anything more. */
  kill(): Promise<void>;
}

/** Starts `wodb-child.js`; `fileBlocksMax` is the largest file it may write, in blocks of 512 bytes. */
export function startChild(command: string, dir: string, fileBlocksMax?: number): Child {
  const script = fileURLToPath(new URL('test/support/wodb-child.js', ROOT));
  const args = [process.execPath, script, command, dir];
  const shell = fileBlocksMax === undefined ? 'exec "$@"' : `ulimit -f ${fileBlocksMax}; exec "$@"`;
  const child: ChildProcess = spawn('sh', ['-c', shell, 'sh', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  onTestFinished(kill);
  return {
    async next() {
      const { value, done } = await lines.next();
      return done ? undefined : JSON.parse(value);
    },
    kill,
  };
}
