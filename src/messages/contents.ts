import type { Executor } from '../database/database.ts';
import type { Keyring } from '../database/keyring.ts';
import type { ChannelName } from './channel.ts';
import type { MessageOwner, MessageToFill } from './owner.ts';
import type { MessageRow } from './repository.ts';
import type { Content, Said, TemplateUse } from './types.ts';

/** Stands in a text where the code does. */
export const CODE_PLACEHOLDER = '{{code}}';
/** Parts two braces that are text. No text that comes from outside holds this character, and none that leaves. */
const PARTING = '\0';
const BULLET = '•';
const HIDDEN_CODE_LENGTH = 6;

/** A text with its code, or with bullets in place of one that is worth nothing any more. */
export const filledIn = ({ text, code }: Pick<Content, 'text' | 'code'>): string =>
  text.replaceAll(CODE_PLACEHOLDER, code ?? BULLET.repeat(HIDDEN_CODE_LENGTH)).replaceAll(PARTING, '');

/**
 * A value as it may stand in a message's text: neither in it, nor together with what stands around it, is anything taken
 * for the place of the code. The recipient reads it as it is.
 */
export const withoutPlaceholders = (value: string): string => value.replaceAll('{', `{${PARTING}`);

/** How a message keeps the template that it is made from. */
export const templateColumn = ({ id, code, version }: TemplateUse): string =>
  JSON.stringify([id, code, version]);

/** The template of a message, from its column. */
export function templateOf({ template }: Pick<MessageRow, 'template'>): TemplateUse | undefined {
  if (template === null) return undefined;
  const [id, code, version] = JSON.parse(template) as [string, string, number];
  return { id, code, version };
}

/** Whether all that a text needs is there. */
export const isWhole = ({ text, code }: Content): boolean =>
  code !== undefined || !text.includes(CODE_PLACEHOLDER);

/** What messages say: texts of their own are opened, the rest is asked of their owners. */
export function messageContents(keyring: Keyring, ownerOf: (ownerId: string) => MessageOwner | undefined) {
  /** A message with what was stored with it; undefined where that does not open. */
  function toFill(row: MessageRow): MessageToFill | undefined {
    const { id, owner_id: ownerId, content: value, key_version: version } = row;
    const content =
      value === null ? undefined : keyring.open('message-text', { value, version, context: id });
    if (value !== null && content === undefined) return undefined;
    return {
      id,
      projectId: row.project_id,
      ownerId,
      channel: row.channel as ChannelName,
      plays: (row.plays ?? undefined) as ChannelName | undefined,
      content,
      template: templateOf(row),
      locale: row.locale ?? undefined,
    };
  }

  return {
    /** What was stored with a message; undefined where it does not open. */
    saidOf(row: MessageRow): Said | undefined {
      const message = toFill(row);
      return message && { content: message.content, template: message.template, locale: message.locale };
    },

    /** What messages say, by their ids; those that cannot be read are left out. */
    async of(executor: Executor, rows: readonly MessageRow[]): Promise<ReadonlyMap<string, Content>> {
      const byOwner = new Map<MessageOwner, MessageToFill[]>();
      for (const row of rows) {
        const message = toFill(row);
        const owner = message && ownerOf(message.ownerId);
        if (!owner) continue;
        const others = byOwner.get(owner);
        if (others) others.push(message);
        else byOwner.set(owner, [message]);
      }
      const all = new Map<string, Content>();
      for (const [owner, wanted] of byOwner) {
        for (const [id, content] of await owner.contentOf(executor, wanted)) all.set(id, content);
      }
      return all;
    },
  };
}
