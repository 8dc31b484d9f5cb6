import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { botCommand } from '../../src/channels/whatsapp/cli/bot.ts';
import { suppression } from '../../src/opt-outs/suppression.ts';
import { runHere } from '../support/command-in-process.ts';
import { makeProject } from '../support/keys.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { QUICK_ADMIN } from '../support/verifications.ts';

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
});
afterAll(() => server.stop());

type Page = { data: { id: string; phone: string }[]; page: { next: string | null } };

async function pageOf(list: string, query: Record<string, string>): Promise<Page> {
  const path = `bot/${list}?${new URLSearchParams(query)}`;
  const { status, body } = await server.call('GET', path, { asAdmin: true });
  expect(status).toBe(200);
  return body;
}

/** Every page of a list, a page each. */
async function pagesOf(list: string, query: Record<string, string>): Promise<Page['data'][]> {
  const pages: Page['data'][] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { data, page }: Page = await pageOf(list, cursor === '' ? query : { ...query, cursor });
    pages.push(data);
    cursor = page.next;
  }
  return pages;
}

const lengthsOf = (pages: unknown[][]) => pages.map(({ length }) => length);

describe('the list of sessions', () => {
  async function makeSessions(count: number, projectId?: string): Promise<string[]> {
    const ids: string[] = [];
    for (let i = 0; i < count; i++) {
      const body = { link: false, projectId };
      ids.push((await server.call('POST', 'bot/sessions', { asAdmin: true, body })).body.data.id);
    }
    return ids;
  }

  test('has the oldest first and comes in pages that leave nothing out and repeat nothing', async () => {
    const { projectId } = await makeProject(server);
    const made = await makeSessions(6, projectId);
    await makeSessions(1);
    for (const [limit, lengths] of Object.entries({
      4: [4, 2],
      3: [3, 3],
      1: [1, 1, 1, 1, 1, 1],
      200: [6],
    })) {
      const pages = await pagesOf('sessions', { projectId, limit });
      expect(lengthsOf(pages), limit).toEqual(lengths);
      expect(pages.flat().map(({ id }) => id)).toEqual(made);
    }
  });

  test('has 50 on a page when nobody says how many, and the command shows those of all pages', async () => {
    const { projectId } = await makeProject(server);
    await makeSessions(51, projectId);
    expect(lengthsOf(await pagesOf('sessions', { projectId }))).toEqual([50, 1]);
    await makeSessions(201);
    const all = (await pagesOf('sessions', {})).flat();
    const settings = { NODE_ENV: 'test', DATA_DIR: server.dir };
    const shown = await runHere(botCommand(), ['status', '--json'], { cwd: server.dir, settings });
    expect(JSON.parse(shown).sessions.map(({ id }: { id: string }) => id)).toEqual(all.map(({ id }) => id));
    expect(all.length).toBeGreaterThan(200);
  });
});

describe('the list of those who opted out', () => {
  const phoneOf = (i: number) => `+62812345000${String(i).padStart(2, '0')}`;

  /** A project in which so many opted out, a few in each millisecond. */
  async function optedOut(count: number): Promise<{ projectId: string; newestFirst: string[] }> {
    const { projectId, number } = await makeProject(server);
    const entries = Array.from({ length: count }, (_, i) => ({ phone: phoneOf(i), at: Math.floor(i / 4) }));
    const { database } = server.app;
    await database.transaction(async (trx) => {
      for (const { phone, at } of entries) await suppression(database).add(trx, number, phone, at);
    });
    return { projectId, newestFirst: entries.map(({ phone }) => phone).reverse() };
  }

  test('has the newest first and neither skips nor repeats those of the same time', async () => {
    const { projectId, newestFirst } = await optedOut(11);
    for (const [limit, lengths] of Object.entries({ 4: [4, 4, 3], 5: [5, 5, 1], 11: [11] })) {
      const pages = await pagesOf('opt-outs', { projectId, limit });
      expect(lengthsOf(pages), limit).toEqual(lengths);
      expect(pages.flat().map(({ phone }) => phone)).toEqual(newestFirst);
    }
    expect((await pagesOf('opt-outs', { projectId, limit: '1' })).flat()).toHaveLength(11);
  });

  test('has 50 on a page when nobody says how many', async () => {
    const { projectId } = await optedOut(51);
    expect(lengthsOf(await pagesOf('opt-outs', { projectId }))).toEqual([50, 1]);
  });

  test('goes on in its place when the last one shown has opted in again', async () => {
    const { projectId, newestFirst } = await optedOut(6);
    const { page } = await pageOf('opt-outs', { projectId, limit: '3' });
    const gone = encodeURIComponent(newestFirst[2]!);
    await server.call('DELETE', `bot/opt-outs/${gone}?projectId=${projectId}`, { asAdmin: true });
    const { data } = await pageOf('opt-outs', { projectId, cursor: page.next! });
    expect(data.map(({ phone }) => phone)).toEqual(newestFirst.slice(3));
  });
});
