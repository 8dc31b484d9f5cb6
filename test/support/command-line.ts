import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** The administrator's password of the servers that `call` is for. */
export const PASSWORD = 'a password only tests know';

const PROGRAM = fileURLToPath(new URL('../../bin/wotp.js', import.meta.url));

/** What a command came to. */
export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A running `wotp serve`. */
export interface ServeProcess {
  address: string;
  /** Everything it has printed so far. */
  output(): string;
  signal(signal: NodeJS.Signals): void;
  /** Sends a signal and resolves to the exit code and how long the end took, in ms. */
  stop(signal?: NodeJS.Signals): Promise<{ code: number | null; tookMs: number }>;
}

type Settings = Record<string, string>;

// Nothing of the outer environment but what a program needs to run at all.
const BASE: Settings = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' };

const running = new Set<ChildProcess>();

/** Ends whatever a failed test has left running. */
export async function endCommands(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    }),
  );
}

/** How a program is run where not as usual. */
export interface Circumstances {
  /** The user to run it as, where this process may choose. */
  uid?: number;
  /** How many files it may have open. */
  openFiles?: number;
  /** Shell that is run before it in the same process, such as one that changes where the output goes. */
  before?: string;
}

interface StartOptions extends Circumstances {
  input?: string;
  program?: string;
}

function start(
  cwd: string,
  args: readonly string[],
  settings: Settings,
  { input = '', program = PROGRAM, uid, openFiles, before = '' }: StartOptions = {},
): ChildProcess {
  const limit = openFiles === undefined ? '' : `ulimit -n ${openFiles}; `;
  const child = spawn('sh', ['-c', `${limit}${before}exec "$@"`, 'sh', process.execPath, program, ...args], {
    cwd,
    env: { ...BASE, ...settings },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  // A command that does not read its input may have ended before all of it was written.
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** Runs `node bin/wotp.js …` in a folder, with just these settings and this on its standard input, to its end. */
export async function wotp(
  cwd: string,
  args: readonly string[],
  settings: Settings = {},
  input = '',
  program = PROGRAM,
  circumstances: Circumstances = {},
): Promise<CommandResult> {
  return resultOf(start(cwd, args, settings, { input, program, ...circumstances }));
}

/** Runs a command until it has printed something, then sends it a signal, and resolves to what it came to. */
export async function interrupted(
  cwd: string,
  args: readonly string[],
  settings: Settings,
  { after, signal }: { after: RegExp; signal: NodeJS.Signals },
): Promise<CommandResult> {
  const child = start(cwd, args, settings);
  let printed = '';
  const look = (chunk: unknown) => {
    printed += chunk;
    if (!after.test(printed)) return;
    for (const stream of [child.stdout, child.stderr]) stream?.off('data', look);
    child.kill(signal);
  };
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', look);
  return resultOf(child);
}

async function resultOf(child: ChildProcess): Promise<CommandResult> {
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

/** Starts the server on a free port and resolves when it says that it listens; rejects when it ends before. */
export async function serve(
  cwd: string,
  settings: Settings = {},
  options: readonly string[] = [],
  program = PROGRAM,
): Promise<ServeProcess> {
  const child = start(cwd, ['serve', ...options], { PORT: '0', ...settings }, { program });
  let output = '';
  const address = await new Promise<string>((resolve, reject) => {
    const take = (chunk: Buffer) => {
      output += chunk;
      // The sign-in link is the last address that is printed.
      const [, found] = /(?:^ {2}Sign in +|"signIn":")(https?:\/\/[^/]+)\/#/m.exec(output) ?? [];
      if (found) resolve(found);
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    child.once('close', (code) => reject(new Error(`serve ended with ${code}: ${output}`)));
  });
  return {
    address,
    output: () => output,
    signal: (signal) => void child.kill(signal),
    async stop(signal = 'SIGTERM') {
      const begun = performance.now();
      const closed = once(child, 'close');
      child.kill(signal);
      const [code] = (await closed) as [number | null];
      return { code, tookMs: performance.now() - begun };
    },
  };
}

/** The object in the last line that was printed. */
export function lastLine<T = Record<string, unknown>>(stdout: string): T {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
}

/** A call to a running server, with a key or as the administrator. */
export function call(
  address: string,
  method: string,
  path: string,
  { key, body }: { key?: string; body?: object } = {},
): Promise<Response> {
  const headers: Record<string, string> = key
    ? { authorization: `Bearer ${key}` }
    : { 'x-master-key': PASSWORD };
  if (body) headers['content-type'] = 'application/json';
  return fetch(`${address}/api/v1/${path}`, { method, headers, body: body && JSON.stringify(body) });
}
