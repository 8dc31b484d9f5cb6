import type { Executor } from '../database/database.ts';
import type { ChannelName } from '../messages/channel.ts';
import type { Said, TemplateUse } from '../messages/types.ts';
import type { Settings, Style } from '../settings/settings.ts';
import { BUILT_IN, builtInText, withWebOtp } from './built-in.ts';
import {
  localeFor,
  type ReadContent,
  type Reader,
  type RenderedTexts,
  renderContent,
  requireCode,
} from './content.ts';
import type { TemplateService } from './service.ts';
import type { TemplateVariables } from './template.ts';

/** The channels by whose texts a template differs. */
const KINDS: readonly ChannelName[] = ['whatsapp', 'sms', 'email'];

/** What messages with a code say. */
export type MessageTexts = ReturnType<typeof messageTexts>;

/** Says what is sent: the built-in text, or that of a template which a send names. */
export function messageTexts({ templates, settings }: { templates: TemplateService; settings: Settings }) {
  /** The built-in texts in each style; one is dropped with its style, when settings are changed. */
  const builtIns = new WeakMap<Style, ReturnType<typeof builtInText>>();

  function builtInOf(projectId: number) {
    const { style } = settings.of(projectId);
    const known = builtIns.get(style);
    if (known) return known;
    const made = builtInText(style);
    builtIns.set(style, made);
    return made;
  }

  function renderFor(
    projectId: number,
    content: ReadContent,
    {
      minutes,
      variables,
      ...wanted
    }: Reader & {
      channel: ChannelName;
      minutes: number;
      variables: TemplateVariables;
    },
  ): RenderedTexts {
    const { brand, webOtpHost } = settings.of(projectId).style;
    const known = { expiry: minutes, ...(brand !== undefined && { brand }) };
    const rendered = renderContent(content, { ...wanted, variables: { ...known, ...variables } });
    return { ...rendered, text: withWebOtp(rendered.text, wanted.channel, webOtpHost) };
  }

  return {
    /** The text that WOTP makes. `minutes`: how long the code lives. */
    builtIn: (projectId: number, wanted: Reader & { channel: ChannelName; minutes: number }): RenderedTexts =>
      builtInOf(projectId).textFor(wanted),
    /** The built-in text as a template says it. */
    builtInContent: (projectId: number) => builtInOf(projectId).content,

    /**
     * What a message with a code is to say, as it is stored with it. Each text that any channel may send of it is made
     * once, so that none can fail later.
     * @throws NotFoundError TEMPLATE_NOT_FOUND; ValidationError where a text has no code, or a value is missing or unfit
     */
    async forSend(
      executor: Executor,
      projectId: number,
      wanted: Reader & { template: string; variables: TemplateVariables; minutes: number },
    ): Promise<Said> {
      const { template, variables, locale, country, minutes } = wanted;
      if (template === BUILT_IN) return { locale };
      const { use, content } = await templates.forSend(executor, projectId, template);
      requireCode(content, localeFor(content, { locale, country }), template);
      for (const channel of KINDS)
        renderFor(projectId, content, { channel, locale, country, minutes, variables });
      return { template: use, content: JSON.stringify(variables), locale };
    },

    /** What a channel sends of the version of a template that a message is made from; undefined where that is gone. */
    async ofTemplate(
      executor: Executor,
      projectId: number,
      use: TemplateUse,
      wanted: Reader & { channel: ChannelName; variables: TemplateVariables; minutes: number },
    ): Promise<RenderedTexts | undefined> {
      const content = await templates.contentOf(executor, use.id, use.version);
      return content && renderFor(projectId, content, wanted);
    },

    /** What a channel would send of a template; a variable without a value is shown as its name in brackets. */
    sample(
      projectId: number,
      content: ReadContent,
      names: readonly string[],
      wanted: Reader & { channel: ChannelName; variables: TemplateVariables; minutes: number },
    ): RenderedTexts {
      const { brand } = settings.of(projectId).style;
      const known = { expiry: wanted.minutes, ...(brand !== undefined && { brand }) };
      const samples = Object.fromEntries(names.map((name) => [name, `[${name}]`]));
      return renderFor(projectId, content, {
        ...wanted,
        variables: { ...samples, ...known, ...wanted.variables },
      });
    },

    countUse: templates.countUse,
  };
}
