import { readInternational } from '../addresses/phone-reading.ts';
import type { Executor, Transaction } from '../database/database.ts';
import { ValidationError } from '../errors/errors.ts';
import type { MessageToFill } from '../messages/owner.ts';
import type { Content, Said } from '../messages/types.ts';
import { refuseCodeInValues } from '../otp/send-request.ts';
import type { SendRequest } from '../otp/types.ts';
import type { ReadContent } from '../templates/content.ts';
import type { TemplatesFeature } from '../templates/index.ts';
import { parseTemplate, render, type TemplateVariables } from '../templates/template.ts';
import type { Recipient, RecipientDetails, TextSource } from './types.ts';

/** What a bulk job says to its recipients. */
export interface BulkText {
  /** Whether each recipient gets a code. */
  readonly withCode: boolean;
  /** The names whose values it may use. */
  readonly names: readonly string[];
  /** Throws ValidationError where the text cannot be made for a recipient. */
  check(executor: Executor, recipient: Recipient): Promise<void>;
  /** What a plain message says, as it is stored with it. */
  plain(trx: Transaction, details: RecipientDetails): Said;
  /** What the send of a code says. */
  send(details: RecipientDetails): Pick<SendRequest, 'message' | 'template' | 'variables' | 'locale'>;
}

/** The built-in text has this code. */
const BUILT_IN = 'default';
/** What the server knows, and fills in. */
const KNOWN = ['code', 'expiry', 'brand'];

const countryOf = (phone: string | null) => (phone === null ? undefined : readInternational(phone)?.country);

/** The texts of bulk jobs. */
export type BulkTexts = ReturnType<typeof bulkTexts>;

export function bulkTexts({ service: templates, texts }: TemplatesFeature) {
  function ofText(text: string): BulkText {
    const template = parseTemplate(text, { path: 'template' });
    const names = template.placeholders.filter((name) => name !== 'code');
    return {
      withCode: template.placeholders.includes('code'),
      names,
      async check(_executor, { details }) {
        const missing = names.find((name) => details.variables[name] === undefined);
        if (missing !== undefined) throw ofValue(missing, `The variable \`${missing}\` is missing.`);
        await ofRecipient(async () => render(template, details.variables));
      },
      plain: (_trx, { variables, locale }) => ({ content: render(template, variables), locale }),
      send: ({ variables, locale }) => ({ message: render(template, variables), locale }),
    };
  }

  /** The text of a template, as it is now. Throws NotFoundError TEMPLATE_NOT_FOUND. */
  async function ofTemplate(executor: Executor, projectId: number, code: string): Promise<BulkText> {
    if (code === BUILT_IN) return ofCodes(projectId, code, []);
    const { use, content } = await templates.forSend(executor, projectId, code);
    const placeholders = placeholdersOf(content);
    const names = placeholders.filter((name) => !KNOWN.includes(name));
    if (placeholders.includes('code')) return ofCodes(projectId, code, names);
    return {
      withCode: false,
      names,
      async check(asking, { phone, details: { variables, locale } }) {
        const wanted = { locale, country: countryOf(phone), minutes: 0, variables };
        for (const channel of ['whatsapp', 'sms', 'email'] as const) {
          await ofRecipient(() => texts.ofTemplate(asking, projectId, use, { ...wanted, channel }));
        }
      },
      plain(trx, { variables, locale }) {
        templates.countUse(trx, use.id);
        return { template: use, content: JSON.stringify(variables), locale };
      },
      send: () => ({}),
    };
  }

  const ofCodes = (projectId: number, template: string, names: readonly string[]): BulkText => ({
    withCode: true,
    names,
    async check(executor, { phone, details: { code, variables, locale } }) {
      const wanted = { template, variables, locale, country: countryOf(phone), minutes: 0 };
      await ofRecipient(async () => {
        if (code !== undefined) refuseCodeInValues(variables, code);
        await texts.forSend(executor, projectId, wanted);
      });
    },
    plain: () => ({}),
    send: ({ variables, locale }) => ({ template, variables, locale }),
  });

  return {
    /**
     * The text of a job of a project.
     * @throws ValidationError where it cannot be read; NotFoundError TEMPLATE_NOT_FOUND
     */
    async of(executor: Executor, projectId: number, source: TextSource): Promise<BulkText> {
      return 'template' in source
        ? ofText(source.template)
        : ofTemplate(executor, projectId, source.templateCode);
    },

    /** What the plain messages of bulk jobs say, by their ids; one whose template is gone is left out. */
    async contentOf(executor: Executor, messages: readonly MessageToFill[]): Promise<Map<string, Content>> {
      const contents = new Map<string, Content>();
      for (const { id, projectId, channel, plays, content = '', template, locale } of messages) {
        const by = plays === undefined || plays === 'whatsapp' ? channel : plays;
        const variables = () => JSON.parse(content) as TemplateVariables;
        const said = template
          ? await texts.ofTemplate(executor, projectId, template, {
              channel: by,
              locale,
              minutes: 0,
              variables: variables(),
            })
          : { text: content, locale };
        if (said) contents.set(id, { ...said, code: undefined });
      }
      return contents;
    },
  };
}

function placeholdersOf(content: ReadContent): string[] {
  const all = [...content.values()].flatMap(({ text, sms, email }) => [
    text,
    sms,
    email?.subject,
    email?.text,
    email?.html,
  ]);
  return [...new Set(all.flatMap((each) => each?.placeholders ?? []))];
}

/** Says of a recipient what is said of the `variables` of a send. */
async function ofRecipient(make: () => Promise<unknown>): Promise<void> {
  try {
    await make();
  } catch (error) {
    if (!(error instanceof ValidationError)) throw error;
    const [first] = error.details.errors ?? [];
    const name = first?.path.startsWith('variables.') ? first.path.slice('variables.'.length) : undefined;
    throw name === undefined ? error : ofValue(name, first!.message.replace('variables.', ''));
  }
}

const ofValue = (name: string, message: string) => new ValidationError(message, [{ path: name, message }]);
