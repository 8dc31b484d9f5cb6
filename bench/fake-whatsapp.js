// @ts-check
// The fake WhatsApp of the tests in a process of its own, so that its work is not counted with the client's.
import { execFile, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { answerQuestions, questionsTo } from './questions.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'node_modules', '.cache', 'wotp-bench');
const SUPPORT = 'test/support/fake-whatsapp';

/** Compiles the fake server and bare Baileys, and resolves to the folder they are in. */
export async function compileFake() {
  rmSync(OUT, { recursive: true, force: true });
  const files = ['server.ts', 'bare-baileys.ts'].map((name) => `${SUPPORT}/${name}`);
  const options = '--target es2023 --module nodenext --types node --skipLibCheck --strict --rootDir .';
  const args = [
    ...options.split(' '),
    '--rewriteRelativeImportExtensions',
    '--ignoreConfig',
    '--outDir',
    OUT,
  ];
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  await promisify(execFile)(process.execPath, [tsc, ...files, ...args], { cwd: ROOT });
  return pathToFileURL(join(OUT, SUPPORT, '/')).href;
}

/**
 * Starts the fake server in a child process.
 * @param {string} compiled what `compileFake` resolved to
 */
export async function startFake(compiled) {
  const child = fork(fileURLToPath(import.meta.url), [compiled], {
    stdio: ['ignore', 'inherit', 'ignore', 'ipc'],
  });
  // Nothing is left behind when the benchmark itself fails.
  process.once('exit', () => child.kill('SIGKILL'));
  const ask = questionsTo(child);
  return { url: await ask('start'), ask, stop: () => child.kill('SIGKILL') };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // libsignal writes private keys to the console.
  for (const method of /** @type {const} */ (['log', 'info', 'warn', 'error'])) console[method] = () => {};
  const { startFakeWhatsApp } = await import(new URL('server.js', process.argv[2]).href);
  /** @type {any} */
  let whatsapp;
  /** @type {Record<string, (...args: any[]) => any>} */
  const verbs = {
    async start() {
      whatsapp = await startFakeWhatsApp();
      return whatsapp.url;
    },
    /** Gives people with these numbers phones, so that making their keys is not measured. */
    phones(/** @type {string[]} */ numbers) {
      for (const number of numbers) whatsapp.phone(number);
    },
    async scan(/** @type {string} */ number, /** @type {string} */ qr) {
      await whatsapp.phone(number).scanQr(qr);
    },
    /** Processor time of this process so far, in ms. */
    cpu() {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    /** How many of these phones show this many messages, and how many copies could not be read. */
    shown: (/** @type {string[]} */ numbers, /** @type {number} */ count) => ({
      complete: numbers.filter((number) => whatsapp.phone(number).messages.length >= count).length,
      unreadable: numbers.reduce((sum, number) => sum + whatsapp.phone(number).unreadable.length, 0),
    }),
  };
  answerQuestions(verbs);
}
