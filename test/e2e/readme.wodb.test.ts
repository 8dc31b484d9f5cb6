import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ensureBuilt } from '../../bench/ensure-built.js';
import { call, endCommands, PASSWORD, serve } from '../support/command-line.ts';
import { tempFolder } from '../support/temp-folder.ts';

vi.setConfig({ testTimeout: 60_000 });

beforeAll(ensureBuilt, 120_000);
afterAll(endCommands);

const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const BIN = fileURLToPath(new URL('../../bin/wotp.js', import.meta.url));
const PORT = 'http://127.0.0.1:3000';

const fenced = (language: string) =>
  [...README.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text]) => text!);

/** What the virtual phone shows to the administrator. */
async function codeOn(address: string, to: string): Promise<string> {
  for (;;) {
    const answer = await call(address, 'GET', `simulator/messages?to=${to}&limit=1`);
    const [message] = ((await answer.json()) as { data: { text: string }[] }).data;
    const [, code] = /(\d{6})/.exec(message?.text ?? '') ?? [];
    if (code) return code;
  }
}

test('the program of the README sends a code and checks the one that is typed', async () => {
  const cwd = tempFolder();
  const server = await serve(cwd, { MASTER_PASSWORD: PASSWORD });
  const [, key = ''] = /API key {9}(\S+)/.exec(server.output()) ?? [];
  writeFileSync(join(cwd, 'verify.mjs'), fenced('js')[0]!.replace(PORT, server.address));
  const program = spawn(process.execPath, ['verify.mjs', key, '+49 1512 3456789'], { cwd });
  let printed = '';
  program.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  program.stdin.write(`${await codeOn(server.address, '4915123456789')}\n`);
  await once(program, 'close');
  expect(printed).toContain("status: 'pending'");
  expect(printed).toContain('valid: true');
  await server.stop();
});

test('the program of the README ends at a refusal, before it asks for a code', async () => {
  const cwd = tempFolder();
  const server = await serve(cwd, { MASTER_PASSWORD: PASSWORD });
  writeFileSync(join(cwd, 'verify.mjs'), fenced('js')[0]!.replace(PORT, server.address));
  const program = spawn(process.execPath, ['verify.mjs', 'wrong', '+49 1512 3456789'], { cwd });
  let printed = '';
  program.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  const [code] = await once(program, 'close');
  expect(code).toBe(1);
  expect(printed).toContain("code: 'UNAUTHORIZED'");
  expect(printed).not.toContain('Code:');
  await server.stop();
});

test('every command of the README, one after the other in a shell, answers what it says', async () => {
  const cwd = tempFolder();
  const server = await serve(cwd, { MASTER_PASSWORD: PASSWORD });
  const [, key = ''] = /API key {9}(\S+)/.exec(server.output()) ?? [];
  const script = fenced('sh')
    .filter((block) => !block.startsWith('npm '))
    .join('\n')
    .replaceAll(PORT, server.address)
    .replaceAll('bin/wotp.js', `'${BIN}'`)
    .replaceAll('paste the API key here', key)
    .replaceAll('paste the admin password here', PASSWORD);
  const shell = spawn('sh', ['-eu'], { cwd, env: { ...process.env, HOME: cwd } });
  let printed = '';
  shell.stdout.on('data', (chunk) => {
    printed += chunk;
  });
  shell.stdin.end(script);
  const [code] = await once(shell, 'close');
  expect(code).toBe(0);
  expect(printed.match(/^\d{3}$/gm)).toEqual(['201', '200', '404', '201', '422']);
  expect(printed).toContain('"valid":true');
  expect(printed).toContain('"code":"OTP_NOT_FOUND"');
  expect(printed).toContain('"attemptsRemaining":4');
  await server.stop();
});

test('every page and picture that the README leads to is there', () => {
  const links = [...README.matchAll(/\]\(((?:docs|bench)\/[^)#]+|[A-Z][\w.]+)\)/g)].map(([, file]) => file!);
  expect(links.length).toBeGreaterThan(15);
  for (const file of links)
    expect(() => readFileSync(new URL(`../../${file}`, import.meta.url)), file).not.toThrow();
});
