import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiClient } from '../../src/cli/api-client.ts';
import { RefusalError } from '../../src/cli/command-error.ts';
import { programOf } from '../../src/cli/program.ts';
import { COMMANDS } from '../../src/commands.ts';
import { readTemplateFile } from '../../src/templates/file.ts';
import { setFromFile } from '../../src/templates/set-from-file.ts';
import { runHere } from '../support/command-in-process.ts';
import { ENGINE } from '../support/engine.ts';
import { startTestApp, type TestApp } from '../support/test-app.ts';
import { QUICK_ADMIN } from '../support/verifications.ts';
import { MASTER_KEY } from '../support/wodb.ts';

let server: TestApp;
beforeAll(async () => {
  server = await startTestApp({ env: QUICK_ADMIN });
  mkdirSync(join(server.dir, 'texts'));
});
afterAll(() => server.stop());

/** Runs a command beside the running server. */
async function wotp(...args: string[]): Promise<string> {
  return runHere(await programOf(COMMANDS, args), args, {
    cwd: server.dir,
    settings: {
      DATA_DIR: server.dir,
      ...(ENGINE === 'postgres' && {
        DATABASE_URL: 'postgres://unused@127.0.0.1/x',
        DB_MASTER_KEY: MASTER_KEY,
      }),
    },
  });
}
const template = (...args: string[]) => wotp('template', ...args);
const json = async (...args: string[]) => JSON.parse(await template(...args, '--json'));
const write = (name: string, text: string) => writeFileSync(join(server.dir, 'texts', name), text);

describe('the template command', () => {
  test('lists the templates that the first run created', async () => {
    const { templates } = await json('list');
    expect(templates.map(({ code }: { code: string }) => code).sort()).toEqual([
      'custom_otp',
      'default_otp',
      'email_otp',
    ]);
    expect(await template('list')).toContain('One-time code by e-mail');
  });

  test('sets a template from a file, then its translation, and shows it', async () => {
    write('welcome.txt', 'Name: Welcome\n\nHi {{name}}, {{code}}.\n');
    write('welcome-id.txt', 'Subject: Kode Anda\n\nHalo {{name}}, {{code}}.\n');
    expect(await template('set', 'welcome', 'texts/welcome.txt')).toBe('welcome is now at version 1.\n');
    await template('set', 'welcome', 'texts/welcome-id.txt', '--locale', 'id');
    write('welcome.txt', 'Hello {{name}}, {{code}}.\n');
    expect(await template('set', 'welcome', 'texts/welcome.txt')).toBe('welcome is now at version 3.\n');
    expect(await json('show', 'welcome')).toMatchObject({
      name: 'Welcome',
      content: 'Hello {{name}}, {{code}}.',
      language: 'en',
      variables: ['name', 'code'],
      translations: {
        id: { text: 'Halo {{name}}, {{code}}.', email: { subject: 'Kode Anda' } },
      },
    });
    expect(await template('show', 'welcome')).toContain('id, e-mail: Kode Anda\nHalo {{name}}');
  });

  test('shows the built-in text', async () => {
    expect(await template('show', 'default')).toMatch(/^default: Built-in text, version 1/);
    expect((await json('show', 'default')).translations.id.text).toContain('{{code}}');
  });

  test('changes of a template what the file holds, and names what it does not', async () => {
    const body = {
      code: 'whole',
      name: 'Whole',
      language: 'en',
      content: 'Old {{code}}',
      translations: {
        en: { sms: 'SMS {{code}}', email: { subject: 'Old', text: 'Old {{code}}', html: '<b>{{code}}</b>' } },
        'pt-BR': { text: 'Antigo {{code}}' },
      },
    };
    expect((await server.call('POST', 'templates', { body })).status).toBe(201);
    write('new.txt', 'New {{code}}');
    expect(await template('set', 'whole', 'texts/new.txt')).toBe(
      'whole is now at version 2.\nUnchanged (en), because the file does not contain it: the SMS text, the e-mail.\n',
    );
    write('new.txt', 'Subject: New\n\nNewer {{code}}');
    expect(await template('set', 'whole', 'texts/new.txt')).toContain(
      'the SMS text, the HTML of the e-mail.',
    );
    await template('set', 'whole', 'texts/new.txt', '--locale', 'pt_br');
    const { en, ...others } = body.translations;
    expect(await json('show', 'whole')).toMatchObject({
      name: 'Whole',
      content: 'Newer {{code}}',
      version: 4,
      translations: {
        en: { sms: en.sms, email: { subject: 'New', text: 'Newer {{code}}', html: en.email.html } },
        'pt-BR': { text: 'Newer {{code}}', email: { subject: 'New', text: 'Newer {{code}}' } },
      },
    });
    expect(Object.keys((await json('show', 'whole')).translations)).toEqual(['en', ...Object.keys(others)]);
    write('german.txt', 'Language: de\n\nNeu {{code}}');
    await expect(template('set', 'whole', 'texts/german.txt')).rejects.toThrow('Add --locale de');
    await expect(template('set', 'whole', 'texts/german.txt', '--locale', 'fr')).rejects.toThrow(
      'The file is in de and --locale is fr.',
    );
  });

  test('keeps what others change meanwhile', async () => {
    write('many.txt', 'Text {{code}}');
    await template('set', 'many', 'texts/many.txt');
    const api: ApiClient = {
      async call(method, path, body) {
        const answer = await server.call(method, path.replace('/api/v1/', ''), { body });
        if (answer.status >= 400) throw new RefusalError(answer.body);
        return answer.body;
      },
      close: async () => {},
    };
    const file = readTemplateFile('Text {{code}}');
    const languages = ['de', 'es', 'fr', 'it'];
    await Promise.all(languages.map((tag) => setFromFile(api, 'many', file, tag)));
    expect(Object.keys((await json('show', 'many')).translations).sort()).toEqual(languages);
  });

  test('names the line of the file that cannot be used', async () => {
    const refused = async (file: string) => {
      write('lines.txt', file);
      return template('set', 'lines', 'texts/lines.txt').then(
        () => 'taken',
        (error: Error) => error.message,
      );
    };
    expect(await refused('Name: X\n\n  Hi\n{{code}}{{x}}')).toMatch(
      /^Line 4, column 1 of `texts\/lines.txt`/,
    );
    expect(await refused('Name: X\n\n  Hi {{#x}} {{code}}')).toMatch(/^Line 3, column 6 of/);
    expect(await refused('Subject:  Your {{code}}\n\n{{code}}')).toMatch(/^Line 1, column 16 of/);
    expect(await refused('Name: X\nSubjet: Y\n\n{{code}}')).toMatch(/^Line 2 .*Subjet is not a field/);
    expect(await refused('Langauge: en\n\n{{code}}')).toMatch(/^Line 1 .*Langauge is not a field/);
    expect(await refused('Name: X\nName: Y\n\n{{code}}')).toMatch(/^Line 2 .*Name is there already/);
    expect(await refused('Name: X\n\n')).toBe('texts/lines.txt has no text.');
    writeFileSync(join(server.dir, 'texts', 'lines.txt'), Buffer.from('Gr\u00fc\u00dfe {{code}}', 'latin1'));
    await expect(template('set', 'lines', 'texts/lines.txt')).rejects.toThrow('lines.txt is not UTF-8.');
  });

  test('previews a template, and the built-in text', async () => {
    expect(await template('preview', 'custom_otp', '--channel', 'sms', '--value', 'name=Ayu')).toBe(
      'Hello Ayu, your verification code is 482913. It is valid for 5 minutes.\n\n(sms, en, 71 characters of GSM-7, 1 part)\n',
    );
    expect(await template('preview', 'email_otp', '--channel', 'email')).toContain(
      'Subject: Your verification code\n\nYour verification code is 482913.',
    );
    expect(await template('preview', 'email_otp', '--channel', 'email')).toMatch(
      /\nHTML:\n<!doctype html>[\s\S]*>482913<\/p>/,
    );
    expect((await json('preview', 'default', '--locale', 'id')).text).toContain('*482913*');
  });

  test('checks a template and a file, and fails where codes would be misread', async () => {
    expect(await template('lint', 'default_otp')).toBe('Nothing was found.\n');
    write('bad.txt', 'Subject: Code\n\nOrder 20261: {{code}} www.example.com');
    const before = process.exitCode;
    try {
      expect(await template('lint', 'texts/bad.txt')).toMatch(
        /^error: texts\/bad.txt:3:7: 20261 looks like a code.*\nwarning: texts\/bad.txt:3:23: www\.example\.com is a link/,
      );
      expect(process.exitCode).toBe(1);
    } finally {
      process.exitCode = before;
    }
  });

  test('says what is wrong with a file, and names a template that does not exist', async () => {
    write('refused.txt', 'Hi {{#x}}');
    await expect(template('set', 'refused', 'texts/refused.txt')).rejects.toThrow(
      'Line 1, column 4 of `texts/refused.txt`: {{#x}} is a section.',
    );
    write('large.txt', 'x'.repeat(30_000));
    await expect(template('set', 'large', 'texts/large.txt')).rejects.toThrow('larger than 20000 bytes');
    await expect(template('show', 'none')).rejects.toThrow('There is no template none.');
    await expect(template('set', 'none', 'texts/bad.txt', '--locale', 'id')).rejects.toThrow('to translate');
  });
});
