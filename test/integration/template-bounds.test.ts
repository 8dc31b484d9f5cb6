import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { MINUTE_MS, newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

const LANGUAGES = 'ar bn de es fa fr gu hi id it ms mr pt ru sw ta te'.split(' ');
/** Translations of 4,096 characters each. */
const longTranslations = (count: number) =>
  Object.fromEntries(
    LANGUAGES.slice(0, count).map((language) => [language, { text: `{{code}} ${'x'.repeat(4_087)}` }]),
  );
let made = 0;
const create = (body: object, key?: string) =>
  server.call('POST', 'templates', {
    body: { code: `b_${++made}`, name: 'Bound', content: '{{code}}', language: 'en', ...body },
    ...(key !== undefined && { key }),
  });

/** Every item of a list, and the most characters that one of its pages has. */
async function whole(path: string, key: string): Promise<{ items: { version: number }[]; longest: number }> {
  const items: { version: number }[] = [];
  let longest = 0;
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
    const { body, text } = await server.call('GET', `${path}?limit=200${query}`, { key });
    items.push(...body.data);
    longest = Math.max(longest, text.length);
    cursor = body.page.next;
  }
  return { items, longest };
}

describe('a template', () => {
  test('has 65,536 characters in all its texts at most; the linter looks at no more', async () => {
    const most = { content: 'x'.repeat(4_096), translations: longTranslations(15) };
    expect((await create(most)).status).toBe(201);
    const more = { ...most, translations: longTranslations(16) };
    for (const answer of [await create(more), await server.call('POST', 'templates/lint', { body: more })])
      expect(expectProblem(answer, 'VALIDATION_ERROR').detail).toBe(
        'The texts in `content` and `translations` have 69632 characters together. At most 65536 are allowed.',
      );
  });

  test('has 50 translations and 50 variables at most, declared or not', async () => {
    const tags = Array.from({ length: 51 }, (_, n) => `en-x-a${n}`);
    const all = Object.fromEntries(tags.map((tag) => [tag, { text: '{{code}}' }]));
    expect(expectProblem(await create({ translations: all }), 'VALIDATION_ERROR').errors).toEqual([
      expect.objectContaining({ path: 'translations' }),
    ]);
    const placeholders = (count: number) => Array.from({ length: count }, (_, n) => `{{v${n}}}`).join(' ');
    expect((await create({ content: placeholders(50) })).status).toBe(201);
    expect(expectProblem(await create({ content: placeholders(51) }), 'VALIDATION_ERROR').errors).toEqual([
      {
        path: 'variables',
        message: 'The template has 51 `variables`. At most 50 are allowed.',
      },
    ]);
  });

  test('is one of 1,000 in its project at most', async () => {
    const { number: project_id, key } = await makeProject(server);
    await server.app.database.transaction(async (trx) => {
      for (let n = 0; n < 1_000; n++)
        await trx
          .insertInto('templates')
          .values({
            id: `tpl_${project_id}_${n}`,
            project_id,
            code: `c_${n}`,
            name: 'x',
            version: 1,
            is_active: 1,
            usage_count: 0,
            created_at: 0,
            updated_at: 0,
            deleted_at: null,
          })
          .execute();
    });
    expect(expectProblem(await create({}, key), 'CONFLICT').detail).toContain('1000 templates');
  });
});

describe('a page of a list', () => {
  test('ends early where texts are long, and the pages together have all, once each', async () => {
    const { key } = await makeProject(server);
    const texts = { content: 'y'.repeat(4_000), translations: longTranslations(15) };
    let id = '';
    for (let n = 0; n < 9; n++) id = (await create(texts, key)).body.data.id;
    const templates = await whole('templates', key);
    expect(templates.items).toHaveLength(9);
    expect(templates.longest).toBeLessThan(300_000);

    for (let n = 0; n < 8; n++)
      await server.call('PUT', `templates/${id}`, { body: { content: `${n}` }, key });
    const versions = await whole(`templates/${id}/versions`, key);
    expect(versions.items.map(({ version }) => version)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect(versions.longest).toBeLessThan(300_000);
  });
});

describe('of the versions of a template', () => {
  test('the newest 50 are kept, and those that messages may need', async () => {
    const { key } = await makeProject(server);
    const { id, code } = (await create({ content: 'V1 {{code}}' }, key)).body.data;
    const change = (text: string) =>
      server.call('PUT', `templates/${id}`, { body: { content: `${text} {{code}}` }, key });
    const kept = async () =>
      (await whole(`templates/${id}/versions`, key)).items.map(({ version }) => version);

    const phone = newPhone();
    const send = { phone, template: code, code: '481516' };
    const sent = await server.call('POST', 'otp/send', { body: send, key });
    for (let n = 2; n <= 60; n++) expect((await change(`V${n}`)).status).toBe(200);
    expect(await kept()).toHaveLength(60);
    await otp.jump(31_000);
    const path = `otp/${sent.body.data.id}/resend`;
    expect((await server.call('POST', path, { body: {}, key })).status).toBe(200);
    await otp.deliver();
    const inbox = await server.call('GET', `simulator/messages?to=${encodeURIComponent(phone)}`, {
      key,
    });
    expect(inbox.body.data.map(({ text }: { text: string }) => text)).toEqual(['V1 481516', 'V1 481516']);

    await otp.jump(27 * 60 * MINUTE_MS);
    await change('V61');
    expect(await kept()).toEqual(Array.from({ length: 50 }, (_, n) => 61 - n));
  });

  test('200 are there at most: a faster change is refused', async () => {
    const { id } = (await create({})).body.data;
    const change = (n: number) =>
      server.call('PUT', `templates/${id}`, { body: { content: `{{code}} v${n}` } });
    for (let n = 2; n <= 200; n++) expect((await change(n)).status).toBe(200);
    expect(expectProblem(await change(201), 'CONFLICT').detail).toContain('Try again later.');
    await otp.jump(27 * 60 * MINUTE_MS);
    expect((await change(201)).status).toBe(200);
  });
});
