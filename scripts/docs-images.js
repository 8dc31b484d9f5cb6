// @ts-check
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { prepare } from './prepare.js';

const IMAGE = new URL('../docs/images/virtual-phone.webp', import.meta.url);
const PROGRAM = fileURLToPath(new URL('../bin/wotp.js', import.meta.url));

/** Numbers as documentation shows them. */
const PHONES = [
  '+62 838 3494 6034',
  '+44 7400 123456',
  '+1 201 555 0123',
  '+55 11 96123 4567',
  '+49 1512 3456789',
];

await prepare({ dev: true });
const { default: chromium } = await import('@sparticuz/chromium');
const { chromium: playwright } = await import('playwright-core');

const folder = mkdtempSync(join(tmpdir(), 'wotp-images-'));
const env = { PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'error' };
const server = spawn(process.execPath, [PROGRAM, 'serve', '--json'], {
  cwd: folder,
  env,
  stdio: ['ignore', 'pipe', 'inherit'],
});
const browser = await playwright.launch({
  executablePath: await chromium.executablePath(),
  args: chromium.args.filter((argument) => !/single-process|no-zygote/.test(argument)),
});
try {
  const { api, signIn, firstRun } = JSON.parse(await firstLine());
  /** @param {string} path @param {object} body */
  const call = async (path, body) => {
    const headers = { authorization: `Bearer ${firstRun.apiKey}`, 'content-type': 'application/json' };
    const answer = await fetch(`${api}/otp/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(await answer.text());
  };
  for (const phone of [...PHONES].reverse()) {
    await call('send', { phone, code: phone === PHONES[0] ? '482913' : undefined });
    await pause(400);
  }
  const page = await browser.newPage({
    viewport: { width: 1120, height: 700 },
    deviceScaleFactor: 2,
    reducedMotion: 'reduce',
  });
  await page.goto(signIn);
  await page.locator('#desk').waitFor();
  // Until the receipts of all of them have come.
  await pause(2_500);
  await shoot(page);
} finally {
  await browser.close();
  server.kill();
  rmSync(folder, { recursive: true, force: true });
}

/** The line in which the server says where it is. */
async function firstLine() {
  for await (const text of createInterface({ input: server.stdout }))
    if (text.includes('"signIn"')) return text;
  throw new Error('The server ended without a message.');
}

/** @param {import('playwright-core').Page} page */
async function shoot(page) {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 82 });
  mkdirSync(new URL('.', IMAGE), { recursive: true });
  writeFileSync(IMAGE, Buffer.from(data, 'base64'));
  process.stdout.write(`Wrote docs/images/virtual-phone.webp\n`);
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
