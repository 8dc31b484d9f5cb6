import { composeMail } from '../channels/email/mail.ts';
import { ValidationError } from '../errors/errors.ts';
import type { ChannelName } from '../messages/channel.ts';
import { filledIn } from '../messages/contents.ts';
import type { RenderedTexts } from './content.ts';
import { type SmsSize, smsSize } from './sms.ts';

/** Stands for the code; nobody was sent it. */
const SAMPLE_CODE = '482913';

/** What a channel would send. */
export interface Preview extends RenderedTexts, Partial<Omit<SmsSize, 'characters'>> {
  channel: ChannelName;
  /** UTF-16 code units of the text; of an SMS as its encoding counts them. */
  characters: number;
}

/** Refuses a channel that sends a text of its own. Throws ValidationError. */
export function requireOwnText(channel: ChannelName): void {
  if (channel !== 'cloud_api') return;
  const message =
    'The channel cloud_api sends the template approved by Meta (CLOUD_API_TEMPLATE), so there is no text of ours to preview.';
  throw new ValidationError(message, [{ path: 'channel', message }]);
}

/** Shows what a channel would send, with a sample code. `brand`: the name above the text of a mail. */
export function previewOf(
  { locale, ...texts }: RenderedTexts,
  channel: ChannelName,
  brand: string | undefined,
): Preview {
  const shown = Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, filledIn({ text, code: SAMPLE_CODE })]),
  ) as typeof texts;
  const { text } = shown;
  return {
    channel,
    locale,
    ...shown,
    ...(channel === 'email' && mailOf({ ...shown, locale }, brand)),
    characters: text.length,
    ...(channel === 'sms' && smsSize(text)),
  };
}

/** The subject and the HTML of a mail with these texts, made as the channel makes them. */
function mailOf(texts: RenderedTexts, brand: string | undefined) {
  const message = { ...texts, id: 'preview', code: SAMPLE_CODE, expiresAt: 0 };
  const sender = { from: { name: undefined, address: 'preview@example.com' }, brand };
  const { subject, html } = composeMail(message, 'preview@example.com', sender, 0);
  return { subject: subject!, html: html as string };
}
