import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { htmlBody } from '../../src/channels/email/html.ts';
import { launchBrowser } from '../support/browser.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const CODE = '482913';
const MAILS = {
  'of unknown language': {
    locale: undefined,
    text: `Your verification code is ${CODE}. It is valid for 5 minutes.`,
  },
  'in Arabic': { locale: 'ar', text: `رمز التحقق الخاص بك هو ${CODE}. صالح لمدة 5 دقائق.` },
  'with a long word': { locale: 'de', text: `${CODE} ist Ihr Code für ${'Verbindlichkeits'.repeat(8)}.` },
};
const VIEWS = [
  { colorScheme: 'light', width: 390 },
  { colorScheme: 'dark', width: 390 },
  { colorScheme: 'light', width: 1_000 },
  { colorScheme: 'dark', width: 1_000 },
] as const;

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

async function open(
  mail: { locale: string | undefined; text: string },
  view: (typeof VIEWS)[number],
): Promise<Page> {
  const { colorScheme, width } = view;
  const page = await browser.newPage({ viewport: { width, height: 600 }, colorScheme });
  await page.setContent(
    htmlBody({ subject: 'Your verification code', code: CODE, brand: 'Example', ...mail }),
  );
  return page;
}

/** Measures the mail in the page; the code is selected as by a person who copies it. */
const SHOWN = `(() => {
  const code = document.querySelector('.code');
  const line = document.createRange();
  line.selectNodeContents(code);
  getSelection().selectAllChildren(code);
  return {
    overflow: document.documentElement.scrollWidth - innerWidth,
    linesOfCode: line.getClientRects().length,
    copied: String(getSelection()),
    background: getComputedStyle(document.body).backgroundColor,
    textDirection: getComputedStyle(document.querySelector('.text')).direction,
    codeDirection: getComputedStyle(code).direction,
  };
})()`;
const CHECK = "axe.run({ runOnly: ['color-contrast', 'document-title', 'image-alt'] })";

describe.each(Object.entries(MAILS))('a mail %s', (_, mail) => {
  test.each(VIEWS)('is readable in $colorScheme at $width px', async (view) => {
    const page = await open(mail, view);
    expect(await page.evaluate(SHOWN)).toEqual({
      overflow: 0,
      linesOfCode: 1,
      copied: CODE,
      background: view.colorScheme === 'dark' ? 'rgb(17, 18, 20)' : 'rgb(243, 244, 246)',
      textDirection: mail.locale === 'ar' ? 'rtl' : 'ltr',
      codeDirection: 'ltr',
    });
    await page.evaluate(AXE);
    const { violations } = await page.evaluate<{ violations: unknown[] }>(CHECK);
    expect(violations).toEqual([]);
    await page.close();
  });
});
