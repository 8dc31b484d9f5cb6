import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const ROOT = new URL('../../', import.meta.url);

/** Builds dist/ when it is not what the sources are now; for tests that need another process of the program. */
export function ensureBuilt(): void {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/build.js'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
}

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
