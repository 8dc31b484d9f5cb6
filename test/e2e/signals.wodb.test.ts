import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { call, endCommands, PASSWORD, serve, wotp } from '../support/command-line.ts';
import { smallDisk } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';

vi.setConfig({ testTimeout: 60_000 });

beforeAll(ensureBuilt, 120_000);
afterAll(endCommands);

/** Runs a command in a terminal of its own (util-linux). */
const TERMINAL = 'script';
const PROGRAM = fileURLToPath(new URL('../../bin/wotp.js', import.meta.url));

interface Line {
  msg: string;
  level: number;
  signal?: string;
  err?: object;
}

const logIn = (file: string): Line[] =>
  existsSync(file)
    ? readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line))
    : [];

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20));
}

test('SIGHUP without a terminal reopens the log files, and the server goes on', async () => {
  const cwd = tempFolder();
  const server = await serve(cwd, { LOG_DIR: './logs', MASTER_PASSWORD: PASSWORD });
  const [current, moved] = [join(cwd, 'logs/wotp.log'), join(cwd, 'logs/wotp.log.1')];
  await call(server.address, 'GET', 'otp');
  await until(() => logIn(current).length > 0);
  renameSync(current, moved);
  server.signal('SIGHUP');
  await until(() => logIn(current).some(({ msg }) => msg === 'log files reopened'));
  expect((await call(server.address, 'GET', 'otp')).status).toBe(200);
  await until(() => logIn(current).some(({ msg }) => msg === 'request'));
  expect(logIn(moved).map(({ msg }) => msg)).toEqual(['request']);
  expect((await server.stop()).code).toBe(0);
  expect(logIn(current).slice(-2)).toMatchObject([
    { msg: 'stopping', signal: 'SIGTERM' },
    { msg: 'stopped' },
  ]);
});

test('a terminal that is closed stops the server as SIGTERM does, and the log says so', async ({ skip }) => {
  if (spawnSync(TERMINAL, ['--version']).error) return skip('there is no program that makes a terminal');
  const cwd = tempFolder();
  const log = join(cwd, 'logs/wotp.log');
  // A shell passes the signal on, as an interactive one does, and says how the server ended. The first wait is cut short.
  const line = `"${process.execPath}" "${PROGRAM}" serve & trap "kill -HUP $!" HUP; wait $!; wait $!; echo $? > ended; mv ended exit-code`;
  const terminal = spawn(TERMINAL, ['-qec', line, '/dev/null'], {
    cwd,
    env: { PATH: process.env.PATH, SHELL: '/bin/sh', PORT: '0', LOG_DIR: './logs' },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  onTestFinished(() => void terminal.kill('SIGKILL'));
  let printed = '';
  terminal.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  await until(() => printed.includes('Sign in'));
  const closed = once(terminal, 'exit');
  terminal.kill('SIGKILL');
  await closed;
  await until(() => existsSync(join(cwd, 'exit-code')));
  expect(readFileSync(join(cwd, 'exit-code'), 'utf8')).toBe('0\n');
  expect(logIn(log)).toMatchObject([
    { msg: 'the terminal was closed; stopping', signal: 'SIGHUP' },
    { msg: 'stopped' },
  ]);
});

test('a start that fails says why in the log file too', async () => {
  const cwd = tempFolder();
  const first = await serve(cwd);
  const { code } = await wotp(cwd, ['serve'], { PORT: '0', LOG_DIR: './logs' });
  await first.stop();
  expect(code).toBe(1);
  expect(logIn(join(cwd, 'logs/wotp.log'))).toMatchObject([
    { level: 60, msg: 'the server did not start', err: { message: expect.stringContaining('is using') } },
  ]);
});

test('a full disk of the log files does not end the server', async ({ skip }) => {
  const disk = smallDisk(64 * 1024);
  if (disk === undefined) return skip('a disk of its own cannot be mounted here');
  const cwd = tempFolder();
  const server = await serve(cwd, { LOG_DIR: disk, MASTER_PASSWORD: PASSWORD });
  for (let n = 0; n < 1_000; n++) await (await call(server.address, 'GET', 'otp')).arrayBuffer();
  await until(() => server.output().includes('The log is not written.'));
  expect(server.output()).toMatch(/wotp: The log is not written\. .*the disk is full \(ENOSPC\)/);
  expect((await call(server.address, 'GET', 'otp')).status).toBe(200);
  expect((await server.stop()).code).toBe(0);
});
