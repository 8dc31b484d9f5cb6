import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { testClock } from '../support/test-clock.ts';
import { newPhone, verificationsOf } from '../support/verifications.ts';
import { TO_THIS_MACHINE, webhooksOf } from '../support/webhook-receiver.ts';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/EXAMPLES.md'), 'utf8');

/** The programs of the page, by language; each is tried where its language is installed. */
const LANGUAGES = [
  { name: 'JavaScript', run: ['node'], verify: 'verify.mjs', receive: 'receive.mjs' },
  { name: 'Python', run: ['python3'], verify: 'verify.py', receive: 'receive.py' },
  { name: 'PHP', run: ['php'], verify: 'verify.php', receive: 'receive.php' },
  { name: 'Go', run: ['go', 'run'], verify: 'verify.go', receive: 'receive.go' },
] as const;

let server: TestApp;
let dir: string;
let programs: Map<string, string>;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  server = await startTestApp({ env: TO_THIS_MACHINE, clock: testClock(Date.now()) });
  dir = mkdtempSync(join(tmpdir(), 'wotp-examples-'));
  programs = new Map(
    [...PAGE.matchAll(/^```\w+ (\S+)\n(.*?)^```/gms)].map(([, name, text]) => [name!, text!]),
  );
  for (const [name, text] of programs) writeFileSync(join(dir, name), text);
  const client = join(dir, 'node_modules/wotp-client');
  mkdirSync(client, { recursive: true });
  cpSync(join(ROOT, 'sdk/package.json'), join(client, 'package.json'));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  spawnSync(process.execPath, [tsc, '-p', join(ROOT, 'sdk'), '--outDir', join(client, 'dist')]);
});
afterAll(async () => {
  for (const { pid } of running) process.kill(-pid!, 'SIGKILL');
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});

function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/** A program of the page that runs, and the lines that it prints. */
function start(command: readonly string[], env: Record<string, string>) {
  const [program, ...args] = command;
  const child = spawn(program!, args, { cwd: dir, env: { ...process.env, ...env }, detached: true });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      printed += chunk;
    });
  }
  return {
    /** Resolves once it has printed this, to what matched. Time goes on for the server meanwhile. */
    async prints(wanted: RegExp): Promise<RegExpExecArray> {
      for (;;) {
        const found = wanted.exec(printed);
        if (found) {
          printed = printed.slice(found.index + found[0].length);
          return found;
        }
        if (child.exitCode !== null) throw new Error(`It ended with ${child.exitCode}: ${printed}`);
        await server.clock.advance(20);
      }
    },
    type: (line: string) => child.stdin.write(`${line}\n`),
    ended: async () =>
      child.exitCode === null ? ((await once(child, 'exit'))[0] as number) : child.exitCode,
    // With what it has started: `go run` is the parent of the program.
    end: () => process.kill(-child.pid!, 'SIGKILL'),
  };
}

async function codeOn(phone: string): Promise<string> {
  await server.clock.advance(1_000);
  const [message] = await verificationsOf(server).inbox(phone);
  return /\d{6}/.exec(message!.text)![0];
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const wrong = (code: string) => (code === '000000' ? '111111' : '000000');
const here = () => ({ WOTP_URL: server.address, WOTP_KEY: server.key });

test('the examples for curl send, check and send again', async () => {
  const phone = newPhone();
  const sh = async (name: string, ...args: string[]) => {
    const child = spawn('sh', [name, ...args], { cwd: dir, env: { ...process.env, ...here() } });
    let printed = '';
    child.stdout.on('data', (chunk) => {
      printed += chunk;
    });
    await once(child, 'close');
    return JSON.parse(printed);
  };
  const sent = await sh('send.sh', phone);
  expect(sent).toMatchObject({ success: true, data: { phone, purpose: 'login' } });
  await server.clock.advance(31_000);
  const { id } = sent.data;
  expect(await sh('resend.sh', id)).toMatchObject({ success: true, data: { id } });
  const code = await codeOn(phone);
  expect(await sh('check.sh', id, wrong(code))).toMatchObject({ code: 'OTP_INCORRECT' });
  expect(await sh('check.sh', id, code)).toMatchObject({ success: true, data: { valid: true } });
});

describe.each(LANGUAGES.map((language) => ({ ...language, skipped: !isInstalled(language.run[0]) })))(
  'in $name',
  ({ run, verify, receive, skipped }) => {
    test.skipIf(skipped)('a code is sent, sent again, refused when it is wrong, and verified', async () => {
      const phone = newPhone();
      const program = start([...run, verify, phone], here());
      await program.prints(/sent ver_\w+/);
      program.type('');
      await program.prints(/RATE_LIMIT_EXCEEDED/);
      await server.clock.advance(31_000);
      program.type('');
      await program.prints(/sent again/);
      const code = await codeOn(phone);
      program.type(wrong(code));
      await program.prints(/OTP_INCORRECT 4/);
      program.type(` ${code}`);
      expect((await program.prints(/verified (\S+)/))[1]).toBe(phone);
      expect(await program.ended()).toBe(0);
    });

    test.skipIf(skipped)('webhooks are verified, and what was forged is refused', async () => {
      const port = await freePort();
      const webhooks = webhooksOf(server);
      const { id, secret } = await webhooks.create(`http://127.0.0.1:${port}/`, { events: ['otp.created'] });
      const isPhp = receive.endsWith('.php');
      const command = isPhp ? ['php', '-S', `127.0.0.1:${port}`, receive] : [...run, receive];
      const program = start(command, { PORT: String(port), WEBHOOK_SECRET: secret });
      await program.prints(isPhp ? /started/ : /ready/);
      const sent = await verificationsOf(server).sent({ phone: newPhone() });
      expect((await program.prints(/otp\.created (\{.*\})/))[1]).toContain(sent.id);
      await webhooks.until('it is delivered', async () => {
        const [delivery] = await webhooks.deliveries(id);
        return delivery.status === 'delivered';
      });
      const forged = await fetch(`http://127.0.0.1:${port}/`, {
        method: 'POST',
        body: '{"type":"otp.verified"}',
        headers: {
          'webhook-id': 'evt_1',
          'webhook-timestamp': String(Math.floor(Date.now() / 1000)),
          'webhook-signature': 'v1,AAAA',
        },
      });
      expect(forged.status).toBe(401);
      program.end();
      await webhooks.call('DELETE', `/${id}`);
    });
  },
);
