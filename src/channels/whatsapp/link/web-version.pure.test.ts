import { expect, onTestFinished, test, vi } from 'vitest';
import { latestWebVersion } from './web-version.ts';

/** What web.whatsapp.com answers. */
function answering(answer: () => Promise<Response>): string[] {
  const asked: string[] = [];
  vi.stubGlobal('fetch', (url: string) => {
    asked.push(url);
    return answer();
  });
  onTestFinished(() => void vi.unstubAllGlobals());
  return asked;
}

test('the present version is read from what web.whatsapp.com serves', async () => {
  const asked = answering(async () => new Response('{\\"client_revision\\":1043857761}'));
  expect(await latestWebVersion(new AbortController().signal)).toEqual([2, 3000, 1_043_857_761]);
  expect(asked).toEqual(['https://web.whatsapp.com/sw.js']);
});

test.each([
  ['a page without it', async () => new Response('<html>')],
  ['an error', async () => new Response('', { status: 503 })],
  ['no connection', () => Promise.reject(new TypeError('fetch failed'))],
])('%s is not taken for a version', async (_what, answer) => {
  answering(answer);
  await expect(latestWebVersion(new AbortController().signal)).rejects.toThrow('did not say its version');
});
