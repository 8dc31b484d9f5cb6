import chromium from '@sparticuz/chromium';
import { type Browser, chromium as playwright } from 'playwright-core';

// The packaged browser is made for a small box: it switches off what is tested here, origins and their policies, and
// runs in one process, which ends with the first window that is closed.
const UNSUITABLE = /web-security|insecure-content|site-isolation|single-process|no-zygote/;

/** Starts a real browser, without a window. */
export async function launchBrowser(): Promise<Browser> {
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    args: chromium.args.filter((argument) => !UNSUITABLE.test(argument)),
    headless: true,
  });
}
