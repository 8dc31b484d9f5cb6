import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { launchBrowser } from '../support/browser.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDE = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

let server: TestApp;
let browser: Browser;
beforeAll(async () => {
  server = await startTestApp({ clock: systemClock(), env: { ADDRESS_LIMIT_PER_MINUTE: '100000' } });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

/** Opens an address, lets the test look at it, and holds the browser to no complaint and no request elsewhere. */
async function visit(
  path: string,
  look: (page: Page) => Promise<void>,
  options: Parameters<Browser['newContext']>[0] = { viewport: WIDE },
): Promise<void> {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  try {
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on('console', (message) => {
      const isNotFound = /^Failed to load resource.*404/.test(message.text());
      if (['error', 'warning'].includes(message.type()) && !isNotFound) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (!request.url().startsWith(server.address)) complaints.push(`a request to ${request.url()}`);
    });
    await page.goto(new URL(path, server.address).href);
    await look(page);
    expect(complaints).toEqual([]);
  } finally {
    await context.close();
  }
}

describe('the reference', () => {
  test('begins with the first request, has every group, and leads to an operation and what it answers', () =>
    visit('/docs', async (page) => {
      expect(await page.title()).toBe('API reference · WOTP');
      expect(await page.locator('main h2').first().textContent()).toBe('Your first request');
      const groups = await page.locator('.group > h2').allTextContents();
      expect(groups.slice(0, 3)).toEqual(['Verifications', 'API keys', 'Simulator']);
      expect(groups).toEqual(expect.arrayContaining(['WhatsApp sessions', 'Limits', 'Database', 'Health']));
      await page.locator('.contents a', { hasText: 'Send a verification code' }).click();
      const operation = page.locator('.operation:target');
      expect(await operation.textContent()).toContain('A send while one is pending');
      expect(await operation.locator('.access').textContent()).toContain('otp:send');
      await operation.locator('summary', { hasText: '201' }).click();
      await operation.locator('details[open] table', { hasText: 'data.attemptsRemaining' }).waitFor();
      await operation.locator('summary', { hasText: 'Errors' }).click();
      await operation.locator('a[href="/docs/errors#PHONE_INVALID"]').waitFor();
    }));

  test('gives commands and a program that work as they stand, once a key is put in', async () => {
    await visit('/docs', async (page) => {
      const [send = '', check = '', program = ''] = await page.locator('figure.code code').allTextContents();
      for (const command of [send, check]) expect(command).toContain(`curl ${server.address}/api/v1/otp/`);
      const said: string[] = [];
      const source = program.replaceAll('YOUR_API_KEY', server.key).replace('console.log', 'say');
      const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor;
      await new AsyncFunction('say', source)((words: string) => said.push(words));
      expect(said).toEqual(['OTP_INCORRECT']);
    });
  });

  test('copies code at a click', () =>
    visit(
      '/docs',
      async (page) => {
        await page.getByRole('button', { name: 'Copy: Send' }).click();
        await page.getByRole('button', { name: 'Copy: Send' }).getByText('Copied').waitFor();
        expect(await page.evaluate('navigator.clipboard.readText()')).toMatch(/^curl /);
      },
      { viewport: WIDE, permissions: ['clipboard-read', 'clipboard-write'] },
    ));

  test('is whole without scripts', () =>
    visit(
      '/docs',
      async (page) => {
        expect(await page.locator('.operation').count()).toBeGreaterThan(40);
        await page.locator('.contents summary').click();
        await page.locator('.contents a', { hasText: 'Create an API key' }).click();
        expect(await page.locator('.operation:target').textContent()).toContain('keys:manage');
      },
      { viewport: WIDE, javaScriptEnabled: false },
    ));

  test('folds its contents on a phone and shows them on a wide screen', async () => {
    const isOpen = (page: Page) =>
      page.locator('#contents').evaluate((element) => element.hasAttribute('open'));
    await visit('/docs', async (page) => expect(await isOpen(page)).toBe(true));
    await visit('/docs', async (page) => expect(await isOpen(page)).toBe(false), { viewport: PHONE });
  });
});

describe.each([
  ['on a wide screen', { viewport: WIDE }],
  ['on a phone, in the dark', { viewport: PHONE, colorScheme: 'dark' }],
] as const)('%s', (_what, options) => {
  test.each(['/docs', '/docs/errors', '/nothing'])(
    '%s has no fault that axe finds and needs no scrolling to the side',
    (path) =>
      visit(
        path,
        async (page) => {
          // All are made alike; with every one open axe would need a minute.
          await page.evaluate(
            "for (const part of [...document.querySelectorAll('main details')].slice(0, 3)) part.open = true",
          );
          await page.evaluate(AXE);
          const { violations } = await page.evaluate<AxeResults>('axe.run()');
          expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
          expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(options.viewport.width);
        },
        options,
      ),
  );
});

test('an error describes itself at the place that it names', () =>
  visit('/docs/errors#RESOURCE_NOT_FOUND', async (page) => {
    const named = page.locator(':target');
    expect(await named.textContent()).toMatch(/RESOURCE_NOT_FOUND/);
    expect(await named.locator('p').count()).toBeGreaterThan(0);
  }));

test('the way back to all codes stays in view beside an error', () =>
  visit('/docs/errors#OTP_INCORRECT', async (page) => {
    const named = await page.locator(':target').boundingBox();
    const top = await page.locator('header.top').boundingBox();
    expect(top?.y).toBe(0);
    expect(named?.y).toBeGreaterThanOrEqual(top!.height);
    await page.getByRole('link', { name: 'All codes' }).click();
    expect(await page.locator('h1').evaluate((title) => title.getBoundingClientRect().top)).toBeGreaterThan(
      0,
    );
  }));

test('a code breaks at its underscores only, and a command scrolls in place of breaking, on a phone', async () => {
  await visit(
    '/docs/errors',
    async (page) => {
      // Each text node, the parts between underscores, is laid out on one line.
      const broken = await page.evaluate(`[...document.querySelectorAll('td code')]
        .filter((code) => [...code.childNodes].some((part) => {
          const range = document.createRange();
          range.selectNodeContents(part);
          return range.getClientRects().length > 1;
        }))
        .map((code) => code.textContent)`);
      expect(broken).toEqual([]);
    },
    { viewport: PHONE },
  );
  await visit(
    '/docs',
    async (page) => {
      const style = "getComputedStyle(document.querySelector('figure.code pre')).whiteSpace";
      expect(await page.evaluate(style)).toBe('pre');
    },
    { viewport: PHONE },
  );
});

test('what is deprecated is marked as such and is not in the contents', () =>
  visit('/docs', async (page) => {
    const old = page.locator('.operation', { hasText: '/api/v1/bot/opt-outs' });
    expect(await old.count()).toBe(3);
    for (const operation of await old.all()) {
      expect(await operation.locator('.deprecated').textContent()).toBe('Deprecated');
      expect(await operation.textContent()).toContain('Use /api/v1/opt-outs.');
    }
    const listed = await page.locator('.contents a', { hasText: 'List opted-out numbers' }).count();
    expect(listed).toBe(1);
  }));

test('an address that leads nowhere shows a person the way on', () =>
  visit('/nothing', async (page) => {
    expect(await page.locator('h1').textContent()).toBe('Page not found');
    await page.locator('main').getByRole('link', { name: 'API reference' }).click();
    await page.locator('h1', { hasText: 'API reference' }).waitFor();
  }));
