import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { VERSION } from '../../src/lib/version.ts';
import { tempFolder } from '../support/temp-folder.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a program and resolves to what it printed. @throws when it fails */
function run(program: string, args: string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

test('the packed client installs into an empty project, loads, and checks the types of what calls it', () => {
  const dir = tempFolder();
  // A copy, as packing builds it.
  const source = join(dir, 'sdk');
  cpSync(join(ROOT, 'sdk'), source, { recursive: true, filter: (path) => !path.endsWith('/dist') });
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  run('npm', ['pack', '--pack-destination', dir], source);
  const tarball = readdirSync(dir).find((name) => name.endsWith('.tgz'));
  expect(tarball).toBe(`wotp-client-${VERSION}.tgz`);

  const project = tempFolder();
  writeFileSync(join(project, 'package.json'), '{ "type": "module", "private": true }');
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(dir, tarball!)], project);
  const wrong = `import { Wotp } from 'wotp-client';
const wotp = new Wotp({ baseUrl: 'https://verify.example.com', apiKey: 'wotp_1' });
// @ts-expect-error a field that does not exist
wotp.otp.send({ fone: '+6283834946034' });
`;
  const examples = [...readFileSync(join(ROOT, 'sdk/README.md'), 'utf8').matchAll(/```ts\n(.*?)```/gs)];
  expect(examples.length).toBeGreaterThan(2);
  const sources = [...examples.map(([, text]) => text!), wrong];
  const files = sources.map((text, i) => {
    writeFileSync(join(project, `use-${i}.ts`), text);
    return `use-${i}.ts`;
  });
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const options = [
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--lib',
    'es2022,dom,dom.iterable',
    '--noEmit',
  ];
  run(process.execPath, [tsc, ...options, ...files], project);
  const names = "import('wotp-client').then((client) => console.log(Object.keys(client).sort().join()))";
  expect(run(process.execPath, ['-e', names], project).trim()).toBe(
    'WebhookVerificationError,Wotp,WotpConnectionError,WotpError,verifyWebhook',
  );
}, 120_000);
