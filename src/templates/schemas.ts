import { z } from 'zod';
import { iso, pageQuery, projectId, timestamp } from '../http/schemas.ts';
import { canonicalLocale } from '../lib/languages.ts';
import { CHANNEL_NAMES } from '../messages/channel.ts';
import { BUILT_IN } from './built-in.ts';
import { type TemplateContent, VARIABLES_MAX, WHOLE_MAX } from './content.ts';
import { LINT_RULES } from './lint.ts';
import type { StoredTemplate, TemplateVersion } from './service.ts';
import { PLACEHOLDER_NAME, TEXT_MAX, VALUE_MAX } from './template.ts';

const TRANSLATIONS_MAX = 50;
const LOCALE_RULE = 'a BCP 47 language tag, such as en, id or pt-BR';

/** A language, as BCP 47 writes it, however the caller did. */
export const locale = z
  .preprocess(
    (given) => (typeof given === 'string' ? canonicalLocale(given) : undefined) ?? given,
    z.string().refine((tag) => canonicalLocale(tag) === tag, LOCALE_RULE),
  )
  .meta({ type: 'string', description: 'BCP 47.', example: 'id' });

/** The values of a send's placeholders. */
export const variables = z
  .record(
    z.string().regex(PLACEHOLDER_NAME, 'a letter, then up to 39 letters, digits or underscores'),
    z.union([z.string(), z.number()], {
      error: () => `a string of at most ${VALUE_MAX} characters or a number`,
    }),
  )
  .refine((values) => Object.keys(values).length <= VARIABLES_MAX, `at most ${VARIABLES_MAX} variables`)
  .meta({
    description: `Values of the template's placeholders, at most ${VALUE_MAX} characters each. The code is never one of them.`,
    example: { name: 'Ayu' },
  });

/** What a send names a template by. */
export const templateCode = z
  .string()
  .regex(/^(?!tpl_)[a-z0-9_]{1,64}$/, '1 to 64 of a-z, 0-9 and _, not beginning with tpl_')
  .meta({ example: 'welcome_otp' });

const templateId = z.string().max(64).meta({ example: 'tpl_01jd3x8zq2e6v9k5m7n0p4r8st' });
export const idParams = z.object({ id: templateId });

const text = (description: string, example: string) =>
  z.string().min(1).max(TEXT_MAX).meta({ description, example });
const content = text(
  'The text in the default language; `{{code}}` is where the code stands, other placeholders are variables.',
  'Welcome {{name}}! Your code is {{code}}. Valid for {{expiry}} minutes.',
);
const email = z
  .strictObject({
    subject: z.string().min(1).max(200).meta({ description: 'Never with {{code}}.', example: 'Your code' }),
    text: text('The plain text of the mail.', 'Your code is {{code}}.'),
    html: text(
      'The HTML of the mail; made from the text when absent.',
      '<p>Your code is {{code}}.</p>',
    ).optional(),
  })
  .meta({ title: 'EmailTexts', description: 'What e-mail sends in place of `text`.' });
const sms = text('What SMS and HTTP providers send in place of `text`.', '{{code}} is your code.').optional();
const names = z
  .array(z.string().regex(PLACEHOLDER_NAME, 'a letter, then up to 39 letters, digits or underscores'))
  .max(VARIABLES_MAX)
  .meta({ description: 'The names that may stand in the texts.', example: ['name', 'code', 'expiry'] });
/** Refuses two spellings of one language: which of them counts would be a guess. */
const eachLanguageOnce = (given: unknown, ctx: z.RefinementCtx): unknown => {
  if (typeof given !== 'object' || given === null) return given;
  const spellings = new Map<string, string>();
  for (const spelling of Object.keys(given)) {
    const tag = canonicalLocale(spelling);
    if (tag === undefined) continue;
    const other = spellings.get(tag);
    if (other !== undefined)
      ctx.addIssue({
        code: 'custom',
        path: [spelling],
        message: `one language once: \`${other}\` and \`${spelling}\` are both ${tag}`,
      });
    spellings.set(tag, spelling);
  }
  return given;
};
const byLanguage = <T extends z.ZodType>(texts: T) =>
  z.preprocess(
    eachLanguageOnce,
    z
      .record(locale, texts)
      .refine((all) => Object.keys(all).length <= TRANSLATIONS_MAX, `at most ${TRANSLATIONS_MAX} languages`),
  );
const translations = byLanguage(
  z.strictObject({
    text: text('The text.', 'Kode Anda {{code}}.').optional(),
    sms,
    email: email.optional(),
  }),
).meta({
  description: `Texts by language (BCP 47), ${TRANSLATIONS_MAX} languages and ${WHOLE_MAX} characters in all at most. Each has \`text\`; the entry of the default language needs none, as \`content\` is its text.`,
  example: { id: { text: 'Halo {{name}}, kode Anda {{code}}. Berlaku {{expiry}} menit.' } },
});
const name = z.string().trim().min(1).max(100).meta({ example: 'Welcome' });

export const createBody = z
  .strictObject({
    code: templateCode.refine(
      (code) => code !== BUILT_IN,
      'a code other than default, which is the built-in text',
    ),
    name,
    content,
    language: locale,
    variables: names.optional(),
    translations: translations.optional(),
    projectId,
  })
  .meta({ title: 'CreateTemplateRequest' });
export const updateBody = z
  .strictObject({
    name: name.optional(),
    content: content.optional(),
    language: locale.optional(),
    variables: names.optional(),
    translations: translations.optional(),
    isActive: z.boolean().optional().meta({ description: 'Whether sends may use it.' }),
    version: z.int().min(1).optional().meta({
      description:
        'The version that the change was made from; 409 where the template is at another one by now.',
      example: 1,
    }),
    projectId,
  })
  .meta({ title: 'UpdateTemplateRequest', example: { content: 'Hi {{name}}, your code is {{code}}.' } });
export const restoreBody = z
  .strictObject({ version: z.int().min(1).meta({ example: 1 }), projectId })
  .meta({ title: 'RestoreTemplateRequest' });
export const previewBody = z
  .strictObject({
    variables: variables.optional(),
    locale: locale.optional(),
    channel: z.enum(CHANNEL_NAMES, { error: () => `one of ${CHANNEL_NAMES.join(', ')}` }).default('whatsapp'),
    projectId,
  })
  .meta({ title: 'PreviewTemplateRequest', example: { variables: { name: 'Ayu' }, channel: 'sms' } })
  .nullish();

const loose = z.string().max(20_000);
export const lintBody = z
  .strictObject({
    content: loose.meta({
      description: 'The text in the default language.',
      example: '{{code}} www.example.com',
    }),
    variables: names.optional(),
    translations: byLanguage(
      z.strictObject({
        text: loose.optional(),
        sms: loose.optional(),
        email: z.strictObject({ subject: loose, text: loose, html: loose.optional() }).optional(),
      }),
    ).optional(),
    projectId,
  })
  .meta({ title: 'LintTemplateRequest' });
export const lintResult = z
  .object({
    findings: z.array(
      z
        .object({
          rule: z.enum(LINT_RULES),
          severity: z.enum(['error', 'warning']).meta({
            description: '`error`: it cannot be saved, or codes sent with it would be misread.',
          }),
          path: z.string().meta({ example: 'content' }),
          line: z.int().optional().meta({ description: 'From 1.', example: 1 }),
          column: z.int().optional().meta({ description: 'From 1, in UTF-16 code units.', example: 10 }),
          message: z.string(),
        })
        .meta({ title: 'LintFinding' }),
    ),
  })
  .meta({ title: 'LintResult', description: 'What was found, in the order of the texts; 100 at most.' });

const contentFields = {
  content,
  language: locale,
  variables: names,
  translations,
};
export const template = z
  .object({
    id: templateId,
    code: z.string().meta({ description: 'What a send names it by.', example: 'welcome_otp' }),
    name,
    ...contentFields,
    version: z.int().meta({ description: 'Counts up with each change of the texts.', example: 1 }),
    usageCount: z.int().meta({ description: 'Messages made from it.', example: 42 }),
    isActive: z.boolean(),
    createdAt: timestamp.optional().meta({ description: 'Absent for the built-in text.' }),
    updatedAt: timestamp.optional().meta({ description: 'Absent for the built-in text.' }),
  })
  .meta({ title: 'Template', description: 'A template with the texts of its present version.' });
export const version = z
  .object({
    version: z.int().meta({ example: 1 }),
    ...contentFields,
    createdAt: timestamp,
    createdBy: z.string().meta({ example: 'checkout service' }),
  })
  .meta({ title: 'TemplateVersion', description: 'What a template said at one time.' });
export const preview = z
  .object({
    channel: z.enum(CHANNEL_NAMES),
    locale,
    text: z.string().meta({ example: 'Welcome Ayu! Your code is 482913.' }),
    subject: z.string().optional().meta({ description: 'E-mail only.' }),
    html: z
      .string()
      .optional()
      .meta({ description: 'E-mail only; made from the text where the template has none.' }),
    characters: z.int().meta({
      description: 'Characters of the text; of SMS as its encoding counts them.',
      example: 33,
    }),
    encoding: z.enum(['GSM-7', 'UCS-2']).optional().meta({ description: 'SMS only.' }),
    segments: z.int().optional().meta({ description: 'Parts that the SMS is billed as.', example: 1 }),
  })
  .meta({ title: 'TemplatePreview', description: 'What a channel would send, with a sample code.' });

export const listQuery = z.strictObject({
  ...pageQuery('tpl'),
  code: templateCode.optional().meta({ description: 'Only the template with this code.' }),
  projectId,
});
export const versionsQuery = z.strictObject({ ...pageQuery(/^\d{1,9}$/), projectId });

/** A template as answers show it. */
export function toAnswer({ createdAt, updatedAt, ...rest }: StoredTemplate) {
  return { ...rest, createdAt: iso(createdAt), updatedAt: iso(updatedAt) };
}

/** The built-in text as answers show it. */
export const builtInAnswer = (content: TemplateContent) => ({
  id: BUILT_IN,
  code: BUILT_IN,
  name: 'Built-in text',
  ...content,
  version: 1,
  usageCount: 0,
  isActive: true,
});

/** A version as answers show it. */
export function toVersionAnswer({ createdAt, ...rest }: TemplateVersion) {
  return { ...rest, createdAt: iso(createdAt) };
}
