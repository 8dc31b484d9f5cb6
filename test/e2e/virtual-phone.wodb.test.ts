import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { launchBrowser } from '../support/browser.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone } from '../support/verifications.ts';

vi.setConfig({ testTimeout: 40_000, hookTimeout: 60_000 });

const PASSWORD = 'a password only tests know';
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
/** Any wait on the page for something that has to happen by itself. */
const PATIENCE_MS = 15_000;

let server: TestApp;
let browser: Browser;
beforeAll(async () => {
  const env = { MASTER_PASSWORD: PASSWORD, ADDRESS_LIMIT_PER_MINUTE: '100000' };
  server = await startTestApp({ clock: systemClock(), env });
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
});

let context: BrowserContext;
let page: Page;
/** What the browser complained about: scripts that fail, policies that are violated, files that do not come. */
let complaints: string[];
/** Requests to anybody but the server. */
let strangers: string[];

beforeEach(async () => {
  complaints = [];
  strangers = [];
  context = await browser.newContext({
    viewport: { width: 1280, height: 860 },
    locale: 'en-GB',
    reducedMotion: 'reduce',
  });
  context.setDefaultTimeout(PATIENCE_MS);
  page = await context.newPage();
  page.on('console', (message) => {
    // Browsers report every answer from 400 on; those of the API are words of its own, not faults of the page.
    const isAnswer =
      /^Failed to load resource/.test(message.text()) && message.location().url.includes('/api/');
    if (['error', 'warning'].includes(message.type()) && !isAnswer) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('requestfailed', (request) => {
    const error = request.failure()?.errorText;
    // A page that is left gives up what it was still asking for.
    if (error !== 'net::ERR_ABORTED') complaints.push(`${request.url()}: ${error}`);
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(server.address) && !request.url().startsWith('data:'))
      strangers.push(request.url());
  });
});

afterEach(async () => {
  await context.close();
  expect(complaints).toEqual([]);
  expect(strangers).toEqual([]);
});

const signInLink = () => `${server.address}/#sign-in=${server.app.admin.newSignInToken()}`;
const see = (selector: string, hasText?: string | RegExp) =>
  page
    .locator(selector, hasText === undefined ? {} : { hasText })
    .first()
    .waitFor();

async function signIn(): Promise<void> {
  await page.goto(signInLink());
  await see('#desk');
}

describe('signing in', () => {
  test('the one-time link opens the virtual phone and leaves no trace of itself in the address', async () => {
    await page.goto(signInLink());
    await see('#desk');
    await see('#link-text', 'Live');
    expect(page.url()).toBe(`${server.address}/`);
    expect(await page.locator('#sign-in').isVisible()).toBe(false);
    expect(await page.locator('#mark').textContent()).toMatch(/no real messages are sent/);
    await page.reload();
    await see('#desk');
    expect(await page.evaluate('document.cookie')).toBe('');
  });

  test('a link that was used asks for the password, and the password opens the same', async () => {
    const link = signInLink();
    await page.goto(link);
    await see('#desk');
    await context.clearCookies();
    await page.goto('about:blank');
    await page.goto(link);
    await see('#sign-in-problem', 'already used or has expired');
    expect(await page.locator('#desk').isVisible()).toBe(false);

    await page.fill('#password', 'not this one');
    await page.click('#sign-in-button');
    await see('#sign-in-problem', 'The password is wrong.');
    await page.fill('#password', PASSWORD);
    await page.press('#password', 'Enter');
    await see('#desk');
    expect(await page.inputValue('#password')).toBe('');
  });

  test('without either shows no phone, no number and no message', async () => {
    const phone = newPhone();
    await server.call('POST', 'otp/send', { body: { phone } });
    await page.goto(server.address);
    await see('#sign-in');
    expect(await page.locator('#desk').isVisible()).toBe(false);
    expect(await page.content()).not.toContain(phone.slice(-6));
  });

  test('out again closes the page and the session behind it', async () => {
    await signIn();
    const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
    const stored = "sessionStorage.getItem('wotp-session-secret')";
    const headers = { cookie, 'x-session-secret': await page.evaluate<string>(stored) };
    const read = () => server.call('GET', 'simulator/messages', { key: null, headers });
    expect((await read()).status).toBe(200);
    await page.click('#sign-out');
    await see('#sign-in');
    expect((await read()).status).toBe(401);
    expect(await page.evaluate(stored)).toBeNull();
  });

  test('is needed once for all tabs, and the cookie alone opens none', async () => {
    await signIn();
    const another = await context.newPage();
    await another.goto(server.address);
    await another.locator('#desk').waitFor();
    await another.reload();
    await another.locator('#desk').waitFor();

    // A sign-in in one tab takes the place of the session that both had.
    await another.goto('about:blank');
    await another.goto(signInLink());
    await another.locator('#link-text', { hasText: 'Live' }).waitFor();
    await page.fill('#phone', newPhone());
    await page.click('#send-button');
    await see('#pending-pill', 'Pending');

    await page.goto('about:blank');
    await another.close();
    const cookies = await context.cookies();
    const apart = await context.browser()!.newContext();
    await apart.addCookies(cookies);
    const stranger = await apart.newPage();
    await stranger.goto(server.address);
    await stranger.locator('#sign-in').waitFor();
    await apart.close();
  });

  test('is asked for again when the session ends elsewhere', async () => {
    await signIn();
    await server.app.database.transaction(async (trx) => {
      await trx.deleteFrom('admin_sessions').execute();
    });
    await see('#sign-in-problem', 'Your session has ended.');
    expect(await page.locator('#bubbles li').count()).toBe(0);
  });
});

describe('the virtual phone', () => {
  test('shows a code that the page sends, lets it be verified, puts bullets in its place, and fits a phone', async () => {
    const phone = newPhone();
    await signIn();
    await page.fill('#phone', `0${phone}`);
    await page.click('#send-button');
    await see('#send-problem', 'country code');
    expect(await page.locator('#pending').isVisible()).toBe(false);

    await page.fill('#phone', phone);
    await page.click('#send-button');
    await see('#pending-pill', 'Pending');
    const code = (await page.locator('.bubble .code').textContent()) ?? '';
    expect(code).toMatch(/^\d{6}$/);
    expect(await page.locator('#attempts-left').textContent()).toBe('5');
    await see('.ticks[data-status="read"]');
    await page.click('#send-button');
    await see('#send-problem', /Next try at/);

    const wrong = code === '000000' ? '111111' : '000000';
    await page.fill('#code', wrong);
    await page.click('#verify-button');
    await see('#verify-problem', 'wrong');
    await see('#attempts-left', '4');

    await page.fill('#code', `${code.slice(0, 3)} ${code.slice(3)}`);
    await page.press('#code', 'Enter');
    await see('#pending-pill', 'Verified');
    await see('.bubble-text', '••••••');
    expect(await page.locator('#desk').textContent()).not.toContain(code);
    expect(await page.locator('#verify-form').isVisible()).toBe(false);

    await page.setViewportSize({ width: 360, height: 740 });
    const tooWide = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
    expect(await page.evaluate(tooWide)).toBe(0);
  });

  test('shows by itself what others send, and each number as a chat of its own', async () => {
    const [first, second] = [newPhone(), newPhone()];
    await signIn();
    const send = (phone: string, message: string) =>
      server.call('POST', 'otp/send', { body: { phone, code: '482913', message } });
    await send(first, 'The first: {{code}}');
    await see('.conversation-last', 'The first: 482913');
    await send(second, 'The second: {{code}}');
    const inList = page.locator('.conversation', { hasText: 'The second' });
    await inList.waitFor();
    await inList.click();
    await see('.bubble-text', 'The second: 482913');
    expect(await page.locator('#bubbles').textContent()).not.toContain('The first');
    await page.locator('.conversation', { hasText: 'The first' }).click();
    await see('.bubble-text', 'The first: 482913');
  });

  test('asks for messages when the event stream says so, and not otherwise', async () => {
    await page.clock.install();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(new URL(request.url()).pathname));
    const opened = page.waitForResponse((answer) => answer.url().endsWith('/events/stream'));
    await signIn();
    expect((await opened).status()).toBe(200);
    await see('#link-state[data-state=live]');
    // Time for what was asked before the stream was open.
    await page.clock.runFor(2_000);
    const before = asked.length;
    await page.clock.runFor(10_000);
    expect(asked.slice(before)).toEqual([]);
    await server.call('POST', 'otp/send', { body: { phone: newPhone(), code: '730184' } });
    await expect.poll(() => page.clock.runFor(100).then(() => asked.length > before)).toBe(true);
    await see('.conversation-last', '730184');
  });

  test('shows what arrives where there is no event stream, and once there is one again', async () => {
    await page.route('**/events/stream', (route) => route.fulfill({ status: 503, body: '{}' }));
    await signIn();
    const send = (code: string) => server.call('POST', 'otp/send', { body: { phone: newPhone(), code } });
    await send('730185');
    await see('.conversation-last', '730185');
    await page.unroute('**/events/stream');
    const opened = await page.waitForResponse((answer) => answer.url().endsWith('/events/stream'));
    expect(opened.status()).toBe(200);
    await send('730186');
    await see('.conversation-last', '730186');
  });

  test('shows the text of a message as text, whatever is in it', async () => {
    const phone = newPhone();
    const markup = '<img src=x onerror="document.title=`taken`"><b>{{code}}</b> <script>alert(1)</script>';
    await server.call('POST', 'otp/send', { body: { phone, code: '482913', message: markup } });
    await signIn();
    await page.locator('.conversation', { hasText: '<img' }).click();
    await see('.bubble-text', markup.replace('{{code}}', '482913'));
    expect(await page.locator('.bubble-text img, .bubble-text b, .bubble-text script').count()).toBe(0);
    expect(await page.title()).not.toBe('taken');
  });
});

describe('a route over several channels', () => {
  const fault = (body: object) => server.call('PUT', 'simulator/faults', { asAdmin: true, body });

  test('is shown: what the code went by, when the next channel follows, and the mail in a conversation of its own', async () => {
    const phone = newPhone();
    const email = `jo${phone.slice(-4)}@example.com`;
    await fault({ to: phone, channel: 'whatsapp', drop: true });
    await signIn();
    await page.fill('#phone', phone);
    await page.fill('#email', email);
    await page.click('#send-button');
    await see('#pending-route', /Sent by WhatsApp, then e-mail in 0:\d\d if it does not arrive\./);
    const id = (await page.locator('#pending-id').textContent())!;
    await server.call('POST', `otp/${id}/next`);
    await see('#pending-route', 'Sent by e-mail.');
    await page.locator('.conversation', { hasText: email }).click();
    await see('#chat-title', email);
    await see('.bubble[data-plays="email"] .bubble-channel', 'E-mail');
    await page.fill('#code', (await page.locator('.bubble .code').first().textContent())!);
    await page.press('#code', 'Enter');
    await see('#pending-pill', 'Verified');
    await page.fill('#search', email);
    expect(await page.locator('.conversation:visible').count()).toBe(1);
  });

  test('by SMS is in the chat of the phone, beside what came by WhatsApp', async () => {
    const phone = newPhone();
    await server.call('POST', 'otp/send', { body: { phone, message: 'Over {{code}}', purpose: 'one' } });
    await server.call('DELETE', `limits/${phone}`, { asAdmin: true });
    await server.call('POST', 'otp/send', {
      body: { phone, message: 'Both {{code}}', purpose: 'two', channel: 'sms' },
    });
    await signIn();
    await page.locator('.conversation', { hasText: 'Both' }).click();
    await see('.bubble[data-plays="sms"] .bubble-channel', 'SMS');
    await see('.bubble[data-plays="whatsapp"] .bubble-channel', 'WhatsApp');
  });

  test('an e-mail address alone can be verified, and axe finds no fault on a wide and a narrow page', async () => {
    const email = `only${newPhone().slice(-5)}@example.com`;
    await signIn();
    await page.fill('#email', email);
    await page.click('#send-button');
    await see('.bubble[data-plays="email"] .code');
    await see('#pending-phone', email);
    for (const [width, height] of [
      [1280, 860],
      [390, 844],
    ] as const) {
      await page.setViewportSize({ width, height });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
      expect(await page.evaluate(SMALL)).toEqual([]);
      expect(await faults()).toEqual([]);
    }
  });
});

/** What of the page a finger would miss: everything that is pressed or typed into, but for links within a sentence. */
const SMALL = `[...document.querySelectorAll('a[href], button, input')]
  .filter((node) => node.checkVisibility() && !node.matches('p a'))
  .map((node) => [node.id || node.className || node.textContent, node.getBoundingClientRect()])
  .filter(([, box]) => Math.round(box.width) < 44 || Math.round(box.height) < 44)
  .map(([name]) => name)`;

/** What axe finds wrong with the page: contrast, names, order of headings and the like. */
async function faults(): Promise<string[]> {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<AxeResults>('axe.run()');
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
}

const rowOf = (text: string) => page.locator('.conversation', { hasText: text });

describe('the list of phones', () => {
  const ARABIC = 'رمز التحقق الخاص بك هو {{code}}. صالح لمدة ٥ دقائق، فلا تشاركه مع أي شخص آخر.';
  const send = async (body: object) => (await server.call('POST', 'otp/send', { body })).body.data;

  test('shows the code and the beginning of a message in whatever direction it is written', async () => {
    const [phone, another] = [newPhone(), newPhone()];
    await send({ phone, code: '713264', message: ARABIC });
    await send({ phone: another, code: '824371', message: `${'So that you can go on, '.repeat(5)}{{code}}` });
    await signIn();
    for (const code of ['713264', '824371']) {
      const preview = rowOf(code).locator('.conversation-last');
      await preview.waitFor();
      const [row, shown] = [await preview.boundingBox(), await preview.locator('.code').boundingBox()];
      expect(shown!.x).toBeGreaterThanOrEqual(row!.x);
      expect(shown!.x + shown!.width).toBeLessThanOrEqual(row!.x + row!.width);
      const first = `(() => {
        const row = [...document.querySelectorAll('.conversation-last')].find((node) => node.textContent.includes('${code}'));
        const range = document.createRange();
        range.setStart(row.lastChild, 0);
        range.setEnd(row.lastChild, 2);
        const [word, box] = [range.getBoundingClientRect(), row.getBoundingClientRect()];
        return word.left >= box.left && word.right <= box.right;
      })()`;
      expect(await page.evaluate(first)).toBe(true);
    }
  });

  test('shows every number in full, so that two which end alike are told apart', async () => {
    for (const phone of ['+5511934566034', '+4915123456034']) await send({ phone });
    await signIn();
    const [first, second] = [rowOf('+55 11 93456 6034'), rowOf('+49 1512 3456034')];
    for (const row of [first, second]) {
      const phone = row.locator('.conversation-phone');
      const cut = await phone.evaluate((node) => node.scrollWidth > node.clientWidth);
      expect(cut).toBe(false);
    }
    const marks = await Promise.all([first, second].map((row) => row.locator('.avatar').textContent()));
    expect(marks).toEqual(['+55', '+49']);
  });

  test('and the chat stand in the order of sending, also where messages arrived in the same moment', async () => {
    const [first, second] = [newPhone(), newPhone()];
    const ids: string[] = [];
    ids.push((await send({ phone: first, code: '5550001', message: 'One {{code}}' })).messageId);
    ids.push((await send({ phone: second, code: '5550002', message: 'Two {{code}}' })).messageId);
    // What is not sent yet when another verification takes its place is not sent at all.
    await vi.waitFor(async () => {
      const { body } = await server.call('GET', `simulator/messages?to=${first}`);
      expect(body.data).toHaveLength(1);
    });
    await server.call('DELETE', `limits/${first}`, { asAdmin: true });
    ids.push((await send({ phone: first, code: '5550003', message: 'Three {{code}}' })).messageId);
    await vi.waitFor(async () => {
      const { body } = await server.call('GET', `simulator/messages?limit=3`);
      expect(body.data.map(({ id }: { id: string }) => id)).toEqual([...ids].reverse());
    });
    await server.app.database.transaction(async (trx) => {
      const at = server.app.clock.now();
      await trx.updateTable('simulator_messages').set({ at }).where('message_id', 'in', ids).execute();
    });
    await signIn();
    await rowOf('Three').waitFor();
    const rows = await page.locator('.conversation-last').allTextContents();
    expect(rows.slice(0, 2)).toEqual([expect.stringContaining('Three'), expect.stringContaining('Two')]);
    expect(await page.locator('.bubble-text').allTextContents()).toEqual(['One ••••••', 'Three 5550003']);
  });

  test('finds a number or a word, and says when there is none', async () => {
    const phone = newPhone();
    await send({ phone, code: '482913', message: 'Needle {{code}}' });
    await signIn();
    await rowOf('Needle').waitFor();
    for (const wanted of ['needle', phone, `${phone.slice(3, 6)} ${phone.slice(6)}`]) {
      await page.fill('#search', wanted);
      expect(await page.locator('.conversation:visible').count()).toBe(1);
      expect(await rowOf('Needle').isVisible()).toBe(true);
    }
    await page.fill('#search', 'haystack');
    await see('#none-found', 'No number or message matches.');
    await page.fill('#search', '');
    expect(await page.locator('.conversation:visible').count()).toBeGreaterThan(1);
  });
});

describe('on a phone', () => {
  beforeEach(() => page.setViewportSize({ width: 375, height: 740 }));

  test('a code that was sent is seen and typed without scrolling, and the way back leads to the list', async () => {
    await signIn();
    await page.fill('#phone', newPhone());
    await page.click('#send-button');
    await see('.bubble .code');
    for (const selector of ['.bubble .code', '#code', '#verify-button']) {
      const box = await page.locator(selector).first().boundingBox();
      expect(box!.y, selector).toBeGreaterThanOrEqual(0);
      expect(box!.y + box!.height, selector).toBeLessThanOrEqual(740);
    }
    expect(await page.evaluate('scrollY')).toBe(0);
    expect(await page.locator('#conversations').isVisible()).toBe(false);
    await page.goBack();
    await page.locator('.conversation').first().click();
    expect(await page.locator('#conversations').isVisible()).toBe(false);
    await page.click('#back');
    await see('#search');
    expect(await page.locator('#chat').isVisible()).toBe(false);
  });

  test('and beside it everything is large enough for a finger, and axe finds no fault', async () => {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width: 375, height: 740 });
      await page.goto('about:blank');
      await page.goto(server.address);
      await page.locator('#sign-in, #desk').locator('visible=true').waitFor();
      expect(await page.evaluate(SMALL)).toEqual([]);
      expect(await faults()).toEqual([]);
      if (await page.locator('#sign-in').isVisible()) await signIn();
      await page.locator('.conversation').first().click();
      expect(await page.evaluate(SMALL)).toEqual([]);
      expect(await faults()).toEqual([]);
      await page.setViewportSize({ width: 1280, height: 860 });
      expect(await page.evaluate(SMALL)).toEqual([]);
      expect(await faults()).toEqual([]);
    }
  });
});

test('in production the page says state, channels and next steps in place of a phone', async () => {
  const production = await startTestApp({
    clock: systemClock(),
    env: {
      NODE_ENV: 'production',
      MASTER_PASSWORD: PASSWORD,
      DB_MASTER_KEY: 'q7Gv2LrXw9TnZc4HsYb6KdJm3PfAe8Ru',
      // Nobody listens there: the number of this test stays unlinked.
      BOT_SOCKET_URL: 'wss://127.0.0.1:9/',
    },
  });
  try {
    await page.goto(`${production.address}/#sign-in=${production.app.admin.newSignInToken()}`);
    await see('#state-title', 'Nothing is sent: no number is linked');
    await see('#channels', 'No number is linked, so no codes are delivered.');
    const coloursOfWhatsApp = () =>
      page
        .locator('.state', { hasText: /^WhatsApp/ })
        .evaluateAll((items) => items.map((item) => item.dataset.state));
    expect(await coloursOfWhatsApp()).toEqual(['unhealthy', 'unhealthy']);
    await see('#steps', 'bot pair');
    await see('#steps', 'BACKUP_CRON');
    await see('#checks', 'Database');
    await see('#link-text', 'Live');
    expect(await page.locator('#mark').isVisible()).toBe(false);
    expect(await page.locator('#desk').isVisible()).toBe(false);
    await production.call('POST', 'bot/sessions', { asAdmin: true, body: { name: 'Support', link: false } });
    await see('#channels', /WhatsApp Support.*Not linked yet/s);
    expect(await coloursOfWhatsApp()).toEqual(['degraded', 'degraded']);
    await see('#state-title', 'Nothing is sent: no number is linked');
    await page.setViewportSize({ width: 360, height: 740 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    expect(await page.evaluate(SMALL)).toEqual([]);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await faults()).toEqual([]);
    }
    await page.click('#sign-out');
    await see('#sign-in');
    expect(await page.locator('#overview').isVisible()).toBe(false);
  } finally {
    await page.goto('about:blank');
    strangers = strangers.filter((url) => !url.startsWith(production.address));
    await production.stop();
  }
});

test('in production the page names every channel that is set up, and its place on the route', async () => {
  const production = await startTestApp({
    clock: systemClock(),
    env: {
      NODE_ENV: 'production',
      MASTER_PASSWORD: PASSWORD,
      DB_MASTER_KEY: 'q7Gv2LrXw9TnZc4HsYb6KdJm3PfAe8Ru',
      // Nobody listens at either.
      BOT_SOCKET_URL: 'wss://127.0.0.1:9/',
      SMTP_URL: 'smtp://127.0.0.1:9',
      SMTP_FROM: 'no-reply@example.com',
    },
  });
  try {
    await page.goto(`${production.address}/#sign-in=${production.app.admin.newSignInToken()}`);
    await see('#channels', /E-mail.*Ready\. Place 1 on the usual route\./s);
    await see('#steps', 'channel test email');
    await see('#state-title', 'Working, with problems');
    expect(await faults()).toEqual([]);
    await production.call('POST', 'otp/send', { body: { email: 'jo@example.com' } });
    await see('#channels', /The mail server cannot be reached/);
    expect(await page.locator('#channels').textContent()).not.toContain('No number is linked');
  } finally {
    await page.goto('about:blank');
    strangers = strangers.filter((url) => !url.startsWith(production.address));
    await production.stop();
  }
});
