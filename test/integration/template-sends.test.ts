import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { makeProject } from '../support/keys.ts';
import { headersOf, type MailServer, partOf, startMailServer } from '../support/mail-server.ts';
import { expectProblem } from '../support/problem.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { newPhone, QUICK_ADMIN, verificationsOf } from '../support/verifications.ts';

let server: TestApp;
let otp: ReturnType<typeof verificationsOf>;
beforeAll(async () => {
  server = await startTestApp({
    env: { ...QUICK_ADMIN, BRAND_NAME: 'Toko', WEBOTP_HOST: 'login.example.com' },
  });
  otp = verificationsOf(server);
  await template({
    code: 'welcome',
    content: 'Hi {{name}}, {{code}} ({{expiry}} min).',
    translations: {
      en: { sms: '{{code}} {{name}}', email: { subject: 'Hi {{name}}', text: 'Mail: {{code}}' } },
      id: { text: 'Halo {{name}}, {{code}}.' },
    },
  });
});
afterAll(() => server.stop());

const CODE = '481516';

let phones = 0;
/** A number of a country whose language the templates here do not have. */
const newAmericanPhone = () => `+1415555${String(++phones + 100).padStart(4, '0')}`;

async function template(body: object): Promise<{ id: string }> {
  const answer = await server.call('POST', 'templates', {
    body: { name: 'Test', language: 'en', ...body },
  });
  expect(answer.status, answer.text).toBe(201);
  return answer.body.data;
}

/** Sends by a template, with values for it. */
const sendBy = (code: string, body: object = {}) =>
  otp.send({ phone: newPhone(), code: CODE, template: code, variables: { name: 'Ayu' }, ...body });

/** The texts that a phone gets for a send. */
async function textsOf(body: { phone: string; [field: string]: unknown }): Promise<string[]> {
  const answer = await otp.send({ code: CODE, ...body });
  expect(answer.body).toMatchObject({ success: true });
  await otp.deliver();
  return (await otp.inbox(body.phone)).map(({ text }) => text);
}

describe('a send by a template', () => {
  test('says what the template says, with the values, the life of the code and the code', async () => {
    const [phone, { id }] = [
      newAmericanPhone(),
      await template({ code: 'plain', content: '{{brand}} {{code}} {{name}} {{expiry}}' }),
    ];
    const sent = await sendBy('plain', { phone, expiryMinutes: 7 });
    expect(sent.status).toBe(201);
    await otp.deliver();
    expect((await otp.inbox(phone)).map(({ text }) => text)).toEqual([`Toko ${CODE} Ayu 7`]);
    const { timeline } = (await otp.read(sent.body.data.id)).body.data;
    expect(timeline[0]).toMatchObject({ status: 'queued', template: { code: 'plain', version: 1 } });
    expect(timeline.slice(1).some((entry: object) => 'template' in entry)).toBe(false);
    await server.clock.advance(1_000);
    expect((await server.call('GET', `templates/${id}`)).body.data.usageCount).toBe(1);
    expect((await otp.check({ phone, code: CODE })).status).toBe(200);
  });

  test.each([
    ['the locale', { phone: '+6281230000001', locale: 'en-GB' }, 'Hi Ayu, 481516 (5 min).'],
    ['the country of the phone', { phone: '+6281230000002' }, 'Halo Ayu, 481516.'],
    ['the country where the locale has none', { phone: '+6281230000003', locale: 'ja' }, 'Halo Ayu, 481516.'],
    ['the default', { phone: '+819012345678' }, 'Hi Ayu, 481516 (5 min).'],
  ])('is in the language of %s', async (_what, body, text) => {
    expect(await textsOf({ ...body, template: 'welcome', variables: { name: 'Ayu' } })).toEqual([text]);
  });

  test('says what each channel has of it, also by the channels that follow', async () => {
    const phone = newAmericanPhone();
    const { body } = await sendBy('welcome', {
      phone,
      email: 'ayu@example.com',
      channels: ['whatsapp', 'sms', 'email'],
    });
    const next = async () => {
      expect((await server.call('POST', `otp/${body.data.id}/next`)).status).toBe(200);
      await otp.deliver();
    };
    await otp.deliver();
    await next();
    await next();
    expect((await otp.inbox(phone)).map(({ text }) => text)).toEqual([
      'Hi Ayu, 481516 (5 min).',
      `481516 Ayu\n\n@login.example.com #481516`,
    ]);
    expect((await otp.inbox('ayu@example.com')).map(({ text }) => text)).toEqual(['Mail: 481516']);
  });

  test('keeps its version: a change or the end of the template comes too late for it', async () => {
    const { id } = await template({ code: 'old', content: 'Old {{code}}' });
    const phone = newAmericanPhone();
    const sent = await sendBy('old', { phone });
    await server.call('PUT', `templates/${id}`, { body: { content: 'New {{code}}' } });
    await server.call('DELETE', `templates/${id}`);
    await otp.jump(31_000);
    expect((await otp.resend(sent.body.data.id)).status).toBe(200);
    await otp.deliver();
    expect((await otp.inbox(phone)).map(({ text }) => text)).toEqual(['Old 481516', 'Old 481516']);
    expectProblem(await sendBy('old'), 'TEMPLATE_NOT_FOUND');
  });

  test.each([
    ['the same where nothing else is given', {}, 'Hi Ayu, CODE (10 min).'],
    ['the same in another language', { locale: 'id' }, 'Halo Ayu, CODE.'],
    ['another text', { message: 'X {{code}}' }, 'X CODE'],
    ['the built-in text', { template: 'default' }, 'CODE is your verification code'],
    [
      'the template with other values',
      { template: 'welcome', variables: { name: 'Bo' } },
      'Hi Bo, CODE (10 min).',
    ],
  ])('says, when it is repeated, %s', async (_what, again, text) => {
    const phone = newAmericanPhone();
    await sendBy('welcome', { phone, code: undefined, expiryMinutes: 10 });
    await otp.jump(31_000);
    expect((await otp.send({ phone, ...again })).body.data).toMatchObject({ retried: true });
    await otp.deliver();
    const texts = (await otp.inbox(phone)).map((message) => message.text.replace(/\d{6}/, 'CODE'));
    expect(texts).toEqual(['Hi Ayu, CODE (10 min).', expect.stringContaining(text)]);
  });

  test('that repeats a code which its values contain sends another code', async () => {
    const phone = newAmericanPhone();
    const first = (await sendBy('welcome', { phone, code: undefined })).body.data;
    await otp.deliver();
    const [message] = await otp.inbox(phone);
    const [code] = /\d{6}/.exec(message!.text)!;
    await otp.jump(31_000);
    const again = await sendBy('welcome', { phone, code: undefined, variables: { name: `x${code}` } });
    expect(again.body.data.id).not.toBe(first.id);
    expect((await otp.read(first.id)).body.data).toMatchObject({ status: 'canceled', reason: 'superseded' });
  });

  test('takes what a value holds as text, and never fills it', async () => {
    const phone = newAmericanPhone();
    const name = '{{code}} {{{name}}} $& {{#x}}';
    expect(await textsOf({ phone, template: 'welcome', variables: { name } })).toEqual([
      `Hi ${name}, 481516 (5 min).`,
    ]);
  });
});

describe('a send is refused, and nothing is sent,', () => {
  test.each([
    ['with a template that does not exist', { template: 'none' }, 'TEMPLATE_NOT_FOUND', undefined],
    [
      'with both a text and a template',
      { template: 'welcome', message: '{{code}}' },
      'VALIDATION_ERROR',
      'template',
    ],
    ['with values and no template', { variables: { name: 'Ayu' } }, 'VALIDATION_ERROR', 'variables'],
    ['without a value', { template: 'welcome' }, 'VALIDATION_ERROR', 'variables.name'],
    [
      'with a value of 1,000,000 characters',
      { template: 'welcome', variables: { name: 'x'.repeat(900_000) } },
      'VALIDATION_ERROR',
      'variables.name',
    ],
    [
      'with a value that is no text',
      { template: 'welcome', variables: { name: null } },
      'VALIDATION_ERROR',
      'variables.name',
    ],
    [
      'with a value that contains the code',
      { template: 'welcome', code: 'A7KQ2M', variables: { name: 'Ayu a7kq2m' } },
      'VALIDATION_ERROR',
      'variables.name',
    ],
    [
      'with a value that is the code, as a number',
      { template: 'welcome', code: CODE, variables: { name: Number(CODE) } },
      'VALIDATION_ERROR',
      'variables.name',
    ],
    ['with a locale that is none', { locale: 'x!' }, 'VALIDATION_ERROR', 'locale'],
  ] as const)('%s', async (_what, body, code, path) => {
    const phone = newPhone();
    const { errors } = expectProblem(await otp.send({ phone, ...body }), code);
    if (path) expect(errors).toEqual([expect.objectContaining({ path })]);
    expect(await otp.messagesTo(phone)).toBe(0);
  });

  test('with what a value may be', async () => {
    const { detail } = expectProblem(
      await sendBy('welcome', { variables: { name: null } }),
      'VALIDATION_ERROR',
    );
    expect(detail).toBe(
      'The value of `variables.name` must be a string of at most 1000 characters or a number.',
    );
  });

  test("by another project's template", async () => {
    const { key } = await makeProject(server);
    const body = { phone: newPhone(), template: 'welcome', variables: { name: 'Ayu' } };
    expectProblem(await server.call('POST', 'otp/send', { body, key }), 'TEMPLATE_NOT_FOUND');
  });

  test('by a template of which a text has no code', async () => {
    await template({ code: 'news', content: 'News' });
    await template({ code: 'half', content: '{{code}}', translations: { en: { sms: 'Hi' } } });
    for (const code of ['news', 'half'])
      expect(expectProblem(await sendBy(code), 'VALIDATION_ERROR').detail).toContain('without {{code}}');
  });

  test('by a template that is not active', async () => {
    const { id } = await template({ code: 'off', content: '{{code}}' });
    await server.call('PUT', `templates/${id}`, { body: { isActive: false } });
    expect(expectProblem(await sendBy('off'), 'TEMPLATE_NOT_FOUND').detail).toContain('not active');
  });
});

describe('the built-in text', () => {
  test.each([
    ['Indonesia', '+6281230000011', {}, '481516 adalah kode verifikasi Anda untuk Toko.'],
    ['Mexico', '+525512345678', {}, '481516 es tu código de verificación de Toko.'],
    [
      'Japan, where English is the default',
      '+819012345679',
      {},
      '481516 is your verification code for Toko.',
    ],
    [
      'Japan, in Arabic where that is asked for',
      '+819012345680',
      { locale: 'ar-EG' },
      '481516 هو رمز التحقق',
    ],
    [
      'Indonesia, by its code as a template',
      '+6281230000012',
      { template: 'default', locale: 'fr' },
      '481516 est votre code',
    ],
  ])('to a phone of %s', async (_what, phone, body, beginning) => {
    const [text] = await textsOf({ phone, ...body });
    expect(text!.startsWith(beginning), text).toBe(true);
  });

  test('again is in the language that was asked for', async () => {
    const phone = '+6281230000013';
    const { id } = await otp.sent({ phone, code: CODE, locale: 'de' });
    await otp.jump(31_000);
    await otp.resend(id);
    await otp.deliver();
    for (const { text } of await otp.inbox(phone)) expect(text).toContain('Bestätigungscode');
  });
});

describe('by e-mail', () => {
  let mail: MailServer;
  let mailing: TestApp;
  afterEach(async () => {
    await mailing.stop();
    await mail.stop();
  });

  /** The first mail that a send leads to. */
  async function mailOf(body: object): Promise<string> {
    expect((await mailing.call('POST', 'otp/send', { body })).status).toBe(201);
    while (mail.mails.length === 0) {
      await mailing.clock.advance(20);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return mail.mails[0]!.raw;
  }

  async function startMailing(): Promise<void> {
    mail = await startMailServer();
    mailing = await startTestApp({
      env: {
        BOT_MOCK_MODE: 'false',
        SMTP_URL: `smtp://127.0.0.1:${mail.port}`,
        SMTP_FROM: 'no-reply@example.com',
      },
    });
  }

  test('goes the subject, the text and the HTML of the template, with values escaped', async () => {
    await startMailing();
    const made = await mailing.call('POST', 'templates', {
      body: {
        code: 'mail',
        name: 'Mail',
        content: '{{code}}',
        language: 'en',
        translations: {
          en: {
            email: {
              subject: 'For {{name}}',
              text: '{{name}}: {{code}}',
              html: '<p>{{name}} <b>{{code}}</b></p>',
            },
          },
        },
      },
    });
    expect(made.status).toBe(201);
    const variables = { name: '<Ayu>\r\nBcc: x@example.com' };
    const raw = await mailOf({ email: 'a@example.net', code: CODE, template: 'mail', variables });
    expect(headersOf(raw).get('subject')).toEqual(['For <Ayu> Bcc: x@example.com']);
    expect(headersOf(raw).get('bcc')).toBeUndefined();
    expect(headersOf(raw).get('content-language')).toEqual(['en']);
    expect(partOf(raw, 'text/plain')).toContain('Bcc: x@example.com: 481516');
    expect(partOf(raw, 'text/html')).toContain('<p>&lt;Ayu&gt;');
    expect(partOf(raw, 'text/html')).toContain('<b>481516</b>');
  });

  test('goes the built-in text with a subject in its language', async () => {
    await startMailing();
    const raw = await mailOf({ email: 'a@example.net', code: CODE, locale: 'id' });
    expect(headersOf(raw).get('subject')).toEqual(['Kode verifikasi Anda']);
    expect(partOf(raw, 'text/plain')).toContain('Kode verifikasi Anda 481516.');
    expect(partOf(raw, 'text/html')).toContain('<html lang="id" dir="ltr">');
  });
});
