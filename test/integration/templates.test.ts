import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeKey, makeProject } from '../support/keys.ts';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { DAY_MS, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  otp = verificationsOf(server);
});
afterAll(() => server.stop());

let made = 0;
const newCode = () => `t_${++made}`;
/** The body that v3 documented. */
const v3Body = () => ({
  code: newCode(),
  name: 'Welcome',
  content: 'Welcome {{name}}! Your code is {{code}}. Valid for {{expiry}} minutes.',
  language: 'en',
  variables: ['name', 'code', 'expiry'],
});
const create = (body: object, headers = {}) => server.call('POST', 'templates', { body, headers });
const update = (id: string, body: object) => server.call('PUT', `templates/${id}`, { body });
const get = (id: string) => server.call('GET', `templates/${id}`);
const remove = (id: string) => server.call('DELETE', `templates/${id}`);
const preview = (id: string, body: object = {}) => server.call('POST', `templates/${id}/preview`, { body });

/** Creates a template and resolves to it. */
async function created(body: object = {}) {
  const answer = await create({ ...v3Body(), ...body });
  expect(answer.body).toMatchObject({ success: true });
  expect(answer.status).toBe(201);
  return answer.body.data;
}

/** What was recorded of a template: the types of the events and the versions. */
async function eventsOf(code: string): Promise<[string, number][]> {
  const rows = await server.app.database.reader
    .selectFrom('events')
    .select(['type', 'data'])
    .where('type', 'like', 'template.%')
    .orderBy('seq')
    .execute();
  const own = rows.filter(({ data }) => JSON.parse(data!).template === code);
  return own.map(({ type, data }) => [type, JSON.parse(data!).version]);
}

/** The refusal of a body. */
async function refusalOf(body: object) {
  return expectProblem(await create({ ...v3Body(), ...body }), 'VALIDATION_ERROR');
}

describe('a template', () => {
  test("is created with v3's body and read again", async () => {
    const body = v3Body();
    const { status, body: answer } = await create(body);
    expect(status).toBe(201);
    expect(answer.data).toEqual({
      ...body,
      id: expect.stringMatching(/^tpl_/),
      translations: {},
      version: 1,
      usageCount: 0,
      isActive: true,
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
    });
    expect((await get(answer.data.id)).body.data).toEqual(answer.data);
    expect((await server.call('GET', 'templates')).body.data).toContainEqual(answer.data);
    const named = await server.call('GET', `templates?code=${body.code}`);
    expect(named.body.data).toEqual([answer.data]);
  });

  test('reads its variables from the texts where none are given', async () => {
    const { variables } = await created({
      variables: undefined,
      content: '{{code}} for {{name}}',
      translations: { id: { text: '{{code}} untuk {{name}} ({{expiry}})' } },
    });
    expect(variables).toEqual(['code', 'name', 'expiry']);
  });

  test('may declare a variable that it does not use', async () => {
    expect((await created({ content: 'Code {{code}}' })).variables).toEqual(['name', 'code', 'expiry']);
  });

  test('is refused with every problem, its field and its place', async () => {
    const { errors } = await refusalOf({
      content: 'Hi\n{{nme}} {{#if}}',
      translations: {
        id: { text: '{{code}} {{code}}', sms: '{{> x}}' },
        'pt-BR': { email: { subject: 'Code {{code}}', text: 'x {{' } },
      },
    });
    expect(errors).toEqual([
      { path: 'content', message: expect.stringMatching(/^Line 2, column 1 of `content`: {{nme}}/) },
      { path: 'content', message: expect.stringMatching(/^Line 2, column 9 of `content`: {{#if}}/) },
      { path: 'translations.id.text', message: expect.stringMatching(/^Line 1, column 10/) },
      { path: 'translations.id.sms', message: expect.stringContaining('a partial') },
      { path: 'translations.pt-BR.text', message: 'The field `translations.pt-BR.text` is required.' },
      { path: 'translations.pt-BR.email.subject', message: expect.stringContaining('{{code}}') },
      { path: 'translations.pt-BR.email.text', message: expect.stringContaining('not closed') },
    ]);
  });

  test.each([
    ['a code in capitals', { code: 'Welcome' }, 'code'],
    ['the code of the built-in one', { code: 'default' }, 'code'],
    ['a code that looks like an id', { code: 'tpl_x' }, 'code'],
    ['no text', { content: '' }, 'content'],
    ['a text of 4,097 characters', { content: 'x'.repeat(4_097) }, 'content'],
    ['a language that is none', { language: 'English!' }, 'language'],
    ['a translation into none', { translations: { '!': { text: 'x' } } }, 'translations.!'],
    ['a variable with a blank', { variables: ['a b'] }, 'variables.0'],
    ['an unknown field', { isActive: false }, 'isActive'],
  ])('is refused with %s', async (_what, body, path) => {
    expect((await refusalOf(body)).errors).toEqual([expect.objectContaining({ path })]);
  });

  test('with two spellings of one language is refused with both', async () => {
    const text = { text: '{{code}}' };
    const body = { translations: { 'pt-BR': text, pt_br: { text: 'x {{code}}' } } };
    const lint = await server.call('POST', 'templates/lint', { body: { content: 'x', ...body } });
    for (const { errors } of [await refusalOf(body), expectProblem(lint, 'VALIDATION_ERROR')]) {
      expect(errors).toEqual([
        { path: 'translations.pt_br', message: expect.stringMatching(/`pt-BR` and `pt_br`/) },
      ]);
    }
  });

  test('is told which language tags there are', async () => {
    expect((await refusalOf({ translations: { '!': { text: 'x' } } })).detail).toBe(
      'A name in `translations` must be a BCP 47 language tag, such as en, id or pt-BR, not `!`.',
    );
  });

  test('has a code of its own in its project', async () => {
    const { code, id } = await created();
    expectProblem(await create({ ...v3Body(), code }), 'CONFLICT');
    const other = await makeProject(server);
    const theirs = await server.call('POST', 'templates', { body: { ...v3Body(), code }, key: other.key });
    expect(theirs.status).toBe(201);
    for (const [method, path, body] of [
      ['GET', `templates/${id}`],
      ['DELETE', `templates/${id}`],
      ['GET', `templates/${id}/versions`],
      ['PUT', `templates/${id}`, { content: 'Theirs {{code}}' }],
      ['POST', `templates/${id}/restore`, { version: 1 }],
      ['POST', `templates/${id}/preview`, {}],
    ] as const)
      expectProblem(await server.call(method, path, { key: other.key, body }), 'TEMPLATE_NOT_FOUND');
    expect((await get(id)).body.data).toMatchObject({ version: 1, content: v3Body().content });
  });

  test('is created once for one Idempotency-Key', async () => {
    const [body, headers] = [v3Body(), { 'idempotency-key': `k-${newCode()}` }];
    const first = await create(body, headers);
    const again = await create(body, headers);
    expect(again.status).toBe(201);
    expect(again.body).toEqual(first.body);
  });

  test('whose languages are written in another way is kept as BCP 47 writes them', async () => {
    const { language, translations } = await created({
      language: 'EN',
      translations: { pt_br: { text: 'Seu código: {{code}}' } },
    });
    expect(language).toBe('en');
    expect(Object.keys(translations)).toEqual(['pt-BR']);
  });

  test('needs templates:write to be changed and templates:read to be read', async () => {
    const { id } = await created();
    const { key: reader } = await makeKey(server, ['templates:read']);
    const { key: writer } = await makeKey(server, ['templates:write']);
    expect((await server.call('GET', `templates/${id}`, { key: reader })).status).toBe(200);
    expectProblem(await server.call('GET', `templates/${id}`, { key: writer }), 'FORBIDDEN');
    expectProblem(await server.call('DELETE', `templates/${id}`, { key: reader }), 'FORBIDDEN');
  });
});

describe('a change', () => {
  test('of the texts is a new version; what is left out stays', async () => {
    const { id } = await created({ translations: { id: { text: 'Kode {{code}}' } } });
    const { status, body } = await update(id, { content: 'Hi {{first}}: {{code}}' });
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      name: 'Welcome',
      content: 'Hi {{first}}: {{code}}',
      // Without `variables` they are read from the texts.
      variables: ['first', 'code'],
      translations: { id: { text: 'Kode {{code}}' } },
      version: 2,
      isActive: true,
    });
    expect((await get(id)).body.data).toEqual(body.data);
  });

  test('made from a version that is not the present one is refused and changes nothing', async () => {
    const { id } = await created();
    const [one, other] = [{ name: 'One' }, { content: '{{code}} other' }];
    expect((await update(id, { ...other, version: 1 })).body.data).toMatchObject({ version: 2 });
    const late = expectProblem(await update(id, { ...one, version: 1 }), 'CONFLICT');
    expect(late.detail).toContain('is at version 2, and this change was made from version 1.');
    expect((await get(id)).body.data).toMatchObject({ name: 'Welcome', ...other });
    expect((await update(id, { ...one, version: 2 })).body.data).toMatchObject({ ...one, ...other });
  });

  test('that changes nothing is not recorded, and neither is a restore of the present version', async () => {
    const { id, code, ...template } = await created();
    await server.clock.advance(1_000);
    for (const body of [{}, { name: template.name }, { content: template.content }])
      expect((await update(id, body)).body.data).toMatchObject({ ...template, id });
    const restored = await server.call('POST', `templates/${id}/restore`, { body: { version: 1 } });
    expect(restored.body.data).toMatchObject({ ...template, id });
    expect(await eventsOf(code)).toEqual([['template.created', 1]]);
  });

  test('of anything else is none', async () => {
    const { id, variables } = await created({ content: '{{code}}' });
    const { body } = await update(id, { name: 'Other', isActive: false });
    expect(body.data).toMatchObject({ name: 'Other', isActive: false, version: 1, variables });
    const { data } = (await server.call('GET', `templates/${id}/versions`)).body;
    expect(data).toHaveLength(1);
  });

  test('with an undeclared placeholder is refused and changes nothing', async () => {
    const template = await created();
    const refused = await update(template.id, { variables: ['name'], content: '{{code}} {{x}}' });
    expectProblem(refused, 'VALIDATION_ERROR');
    expect((await get(template.id)).body.data).toEqual(template);
  });

  test('can be taken back: an earlier version becomes the newest', async () => {
    const { id, content } = await created();
    for (const n of [2, 3]) await update(id, { content: `{{code}} ${n}` });
    const restored = await server.call('POST', `templates/${id}/restore`, { body: { version: 1 } });
    expect(restored.status).toBe(200);
    expect(restored.body.data).toMatchObject({ content, version: 4 });
    const first = (await server.call('GET', `templates/${id}/versions?limit=3`)).body;
    expect(first.data.map(({ version }: { version: number }) => version)).toEqual([4, 3, 2]);
    expect(first.data[1]).toMatchObject({ content: '{{code}} 3', createdBy: expect.any(String) });
    await update(id, { content: '{{code}} 5' });
    const rest = (await server.call('GET', `templates/${id}/versions?cursor=${first.page.next}`)).body;
    expect(rest).toMatchObject({ data: [{ version: 1, content }], page: { next: null } });
    const missing = await server.call('POST', `templates/${id}/restore`, { body: { version: 9 } });
    expectProblem(missing, 'RESOURCE_NOT_FOUND');
  });

  test('deletes a template, whose code is free again', async () => {
    const { id, code } = await created();
    expect((await remove(id)).body.data).toEqual({ id });
    for (const answer of [await get(id), await remove(id), await update(id, { name: 'x' })])
      expectProblem(answer, 'TEMPLATE_NOT_FOUND');
    expect((await create({ ...v3Body(), code })).status).toBe(201);
  });

  test('is recorded with who made it', async () => {
    const { id, code } = await created();
    await update(id, { content: '{{code}}' });
    await remove(id);
    expect(await eventsOf(code)).toEqual([
      ['template.created', 1],
      ['template.changed', 2],
      ['template.deleted', 2],
    ]);
  });
});

describe('the linter', () => {
  test('names what is wrong with texts that nobody has saved, and what would be refused', async () => {
    const body = {
      content: 'Order 20261: {{code}} {{#x}}',
      translations: { id: { text: '{{code}} www.example.id' } },
    };
    const { status, body: answer } = await server.call('POST', 'templates/lint', { body });
    expect(status).toBe(200);
    expect(answer.data.findings).toEqual([
      {
        rule: 'syntax',
        severity: 'error',
        path: 'content',
        message: expect.stringMatching(/^Line 1, column 23/),
      },
      {
        rule: 'link',
        severity: 'warning',
        path: 'translations.id.text',
        line: 1,
        column: 10,
        message: expect.stringContaining('www.example.id is a link'),
      },
    ]);
  });
});

describe('the list', () => {
  test('has each once, newest first, page by page, while others are added', async () => {
    const other = await makeProject(server);
    const add = async () =>
      (await server.call('POST', 'templates', { body: v3Body(), key: other.key })).body.data.id;
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.unshift(await add());
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`;
      const { body } = await server.call('GET', `templates?limit=2${query}`, { key: other.key });
      seen.push(...body.data.map(({ id }: { id: string }) => id));
      cursor = body.page.next;
      await add();
    }
    expect(seen).toEqual(ids);
  });
});

describe('a preview', () => {
  test('shows what each channel would send, with a sample code and samples for what is not given', async () => {
    const { id } = await created({
      translations: {
        en: {
          sms: '{{code}} – {{name}}',
          email: { subject: 'Hi\n{{name}}', text: 'Mail {{code}}', html: '<b>{{name}}</b> {{code}}' },
        },
        id: { text: 'Halo {{name}}, {{code}}.' },
      },
    });
    const shown = async (body: object) => (await preview(id, body)).body.data;
    expect(await shown({ variables: { name: 'Ayu', expiry: 5 } })).toEqual({
      channel: 'whatsapp',
      locale: 'en',
      text: 'Welcome Ayu! Your code is 482913. Valid for 5 minutes.',
      characters: 54,
    });
    expect(await shown({ locale: 'id' })).toMatchObject({ locale: 'id', text: 'Halo [name], 482913.' });
    expect(await shown({ channel: 'sms', variables: { name: 'Ayu' } })).toEqual({
      channel: 'sms',
      locale: 'en',
      text: '482913 – Ayu',
      characters: 12,
      encoding: 'UCS-2',
      segments: 1,
    });
    expect(await shown({ channel: 'email', variables: { name: '<i>&' } })).toMatchObject({
      subject: 'Hi <i>&',
      text: 'Mail 482913',
      html: '<b>&lt;i&gt;&amp;</b> 482913',
    });
    const made = await shown({ channel: 'email', locale: 'id', variables: { name: '<Ayu>' } });
    expect(made).toMatchObject({ subject: 'Your verification code', text: 'Halo <Ayu>, 482913.' });
    expect(made.html).toMatch(/^<!doctype html>\n<html lang="id" dir="ltr">/);
    expect(made.html).toMatch(/Halo &lt;Ayu&gt;,.*\n<p class="code".*\n>482913<\/p>/);
    expect((await server.call('POST', `templates/${id}/preview`)).body.data).toMatchObject({
      channel: 'whatsapp',
    });
    expectProblem(await preview(id, { channel: 'cloud_api' }), 'VALIDATION_ERROR');
    expectProblem(await preview('tpl_01jd3x8zq2e6v9k5m7n0p4r8st'), 'TEMPLATE_NOT_FOUND');
    expect((await preview('default', { locale: 'fr' })).body.data).toMatchObject({
      locale: 'fr',
      text: expect.stringContaining('*482913*'),
    });
  });
});

test('a deleted template is forgotten when nothing can be made from it any more', async () => {
  const { id } = await created();
  const kept = await created();
  await remove(id);
  const rows = async () => {
    const found = await server.app.database.reader
      .selectFrom('template_versions')
      .select('template_id')
      .where('template_id', 'in', [id, kept.id])
      .execute();
    return found.map(({ template_id }) => template_id);
  };
  await otp.jump(31 * DAY_MS);
  expect(await rows()).toHaveLength(2);
  await otp.jump(2 * DAY_MS);
  expect(await rows()).toEqual([kept.id]);
});
