import { readInternational } from '../addresses/phone-reading.ts';
import type { Executor } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import { MINUTE_MS } from '../lib/duration.ts';
import type { MessageToFill } from '../messages/owner.ts';
import type { Content } from '../messages/types.ts';
import type { MessageTexts } from '../templates/message-texts.ts';
import type { TemplateVariables } from '../templates/template.ts';
import type { SecretRow, VerificationRepository } from './repository.ts';

/** What the messages of verifications say, and the code as long as it is worth something. */
export function verificationContent(deps: {
  keyring: Keyring;
  repository: VerificationRepository;
  texts: MessageTexts;
}) {
  const { keyring, repository, texts } = deps;

  /** What a message says; undefined where its template is gone. */
  async function sayOf(
    executor: Executor,
    { projectId, channel, plays, content, template, locale }: MessageToFill,
    { phone, created_at, expires_at }: SecretRow,
  ): Promise<Omit<Content, 'code'> | undefined> {
    if (!template && content !== undefined) return { text: content, locale };
    // The virtual phone shows what the channel says for which it stands, but for the marks of WhatsApp.
    const by = plays === undefined || plays === 'whatsapp' ? channel : plays;
    const minutes = (expires_at - created_at) / MINUTE_MS;
    const country = phone === null ? undefined : readInternational(phone)?.country;
    return template
      ? texts.ofTemplate(executor, projectId, template, {
          channel: by,
          locale,
          country,
          minutes,
          variables: JSON.parse(content ?? '{}') as TemplateVariables,
        })
      : texts.builtIn(projectId, { channel: by, locale, country, minutes });
  }

  return async (executor: Executor, messages: readonly MessageToFill[]): Promise<Map<string, Content>> => {
    const contents = new Map<string, Content>();
    for (const message of messages) {
      const { id, ownerId } = message;
      const row = await repository.secretOf(executor, ownerId);
      if (!row) continue;
      const { sealed_code: value, key_version: version } = row;
      const code =
        value === null ? undefined : keyring.open('message-code', { value, version, context: ownerId });
      const said = await sayOf(executor, message, row);
      if (!said) continue;
      const { text, subject, html } = said;
      // Meta sends a text of its own, in the approved language that fits best.
      const locale = message.channel === 'cloud_api' ? message.locale : said.locale;
      contents.set(id, { text, code, locale, subject, html });
    }
    return contents;
  };
}
