import { readInternational } from '../addresses/phone-reading.ts';
import type { Executor } from '../database/database.ts';
import type { StoredEvent } from '../events/feed.ts';
import { timeOfId } from '../lib/id.ts';
import type { MessageFacts, MessageFactsOf } from '../messages/facts.ts';
import type { VerificationFacts, VerificationFactsOf } from '../otp/facts.ts';
import { binOf, NONE, PREFIX_DIGITS, quarterOf } from './figures.ts';
import type { ConversionCount, Tally } from './tally.ts';

/** The events that change a figure. */
const COUNTED = new Set([
  'message.queued',
  'message.sent',
  'message.delivered',
  'message.read',
  'message.failed',
  'message.expired',
  'otp.verified',
]);

/** Whether an event is about a verification; else it is about a message of something else. */
export const isOfVerification = (subject: string | null): subject is string =>
  subject?.startsWith('ver_') === true;

/** Whether an event changes a figure. The first `message.queued` of a message alone has no reason. */
export function isCounted({ type, projectId, data }: StoredEvent): boolean {
  return projectId !== null && COUNTED.has(type) && !(type === 'message.queued' && data !== null);
}

/** The rows that events are about. */
interface Facts {
  verifications: ReadonlyMap<string, VerificationFacts>;
  messages: ReadonlyMap<string, MessageFacts>;
}

/** Where the facts come from. */
export interface FactReaders {
  verifications: VerificationFactsOf;
  messages: MessageFactsOf;
}

/** Reads the rows that events are about, in two queries. */
export async function factsOf(
  executor: Executor,
  events: readonly StoredEvent[],
  { verifications, messages }: FactReaders,
): Promise<Facts> {
  const verificationIds = new Set<string>();
  const messageIds = new Set<string>();
  for (const { subject, messageId } of events) {
    if (isOfVerification(subject)) verificationIds.add(subject);
    if (messageId !== null) messageIds.add(messageId);
  }
  const found = await verifications(executor, [...verificationIds]);
  for (const { messageIds: ids } of found.values()) for (const id of ids) messageIds.add(id);
  return { verifications: found, messages: await messages(executor, [...messageIds]) };
}

/** When a provider first had a message; `sent` is passed over where the receipt came first. */
const sentAt = ({ sent, delivered, read }: MessageFacts) => (sent ?? delivered ?? read)?.at;
const arrivedAt = ({ delivered, read }: MessageFacts) => (delivered ?? read)?.at;

/**
 * Adds one event to the figures, by the definitions in docs/ANALYTICS.md. Every figure is that of the quarter-hour in which
 * its message was accepted or its verification created, whenever the event comes.
 */
export function count(tally: Tally, event: StoredEvent, facts: Facts): void {
  const { type, subject, messageId } = event;
  if (type === 'otp.verified') {
    if (isOfVerification(subject)) countVerification(tally, event, subject, facts, 'verified', undefined);
    return;
  }
  const projectId = event.projectId!;
  const message = facts.messages.get(messageId!);
  const accepted = { projectId, start: quarterOf(timeOfId('msg', messageId!)) };
  const reach = (stage: 'sent' | 'delivered') => {
    if (stage === 'sent') tally.addMessage(accepted, 'successful');
    if (isOfVerification(subject)) countVerification(tally, event, subject, facts, stage, messageId!);
  };
  switch (type) {
    case 'message.queued':
      tally.addMessage(accepted, 'messages');
      if (message && !message.address.includes('@')) tally.addPhone(accepted, message.address);
      break;
    case 'message.sent':
      reach('sent');
      break;
    case 'message.delivered':
      if (message && !message.sent) reach('sent');
      reach('delivered');
      // Where the code was typed before a receipt came, nobody knows how long it took.
      if (message && !message.delivered?.reason) {
        const ms = Math.max(0, (message.delivered?.at ?? event.at) - timeOfId('msg', messageId!));
        const time = { bin: binOf(ms), ms };
        tally.addDelivery(accepted, 'channel', message.channel, time);
        tally.addDelivery(accepted, 'country', countryOf(message.address), time);
      }
      break;
    case 'message.read':
      if (!message) break;
      if (!message.sent && !message.delivered) reach('sent');
      if (!message.delivered) reach('delivered');
      break;
    default:
      tally.addMessage(accepted, 'failed');
      if (message?.sent) tally.addMessage(accepted, 'successful', -1);
  }
}

/** Counts a verification once, by the first of its messages that came so far, and by channel once for each channel. */
function countVerification(
  tally: Tally,
  { projectId }: StoredEvent,
  id: string,
  { verifications, messages }: Facts,
  stage: ConversionCount,
  messageId: string | undefined,
): void {
  const created = { projectId: projectId!, start: quarterOf(timeOfId('ver', id)) };
  const verification = verifications.get(id);
  const message = messageId === undefined ? undefined : messages.get(messageId);
  const earlier = stage === 'verified' ? [] : channelsBefore(stage, messageId!, verification, messages);
  const channel = message?.channel ?? verification?.channel ?? NONE;
  if (!earlier.includes(channel)) tally.addConversion(created, 'channel', channel, stage);
  if (earlier.length > 0) return;
  const phone = verification ? verification.phone : phoneIn(message?.address);
  const first = messages.get(verification?.messageIds[0] ?? messageId ?? '');
  tally.addConversion(created, 'country', phone === null ? NONE : countryOf(phone), stage);
  tally.addConversion(created, 'prefix', phone === null ? NONE : phone.slice(0, 1 + PREFIX_DIGITS), stage);
  tally.addConversion(created, 'template', first?.template ?? NONE, stage);
  tally.addConversion(created, 'purpose', verification?.purpose ?? NONE, stage);
  tally.addConversion(created, 'hour', '', stage);
}

/** The channels of those other messages of a verification that came as far before this one did. */
function channelsBefore(
  stage: 'sent' | 'delivered',
  messageId: string,
  verification: VerificationFacts | undefined,
  messages: ReadonlyMap<string, MessageFacts>,
): string[] {
  if (!verification || verification.messageIds.length < 2) return [];
  const reachedAt = stage === 'sent' ? sentAt : arrivedAt;
  const own = messages.get(messageId);
  const ownAt = own ? (reachedAt(own) ?? Number.POSITIVE_INFINITY) : Number.POSITIVE_INFINITY;
  const place = verification.messageIds.indexOf(messageId);
  return verification.messageIds.flatMap((id, other) => {
    const facts = id === messageId ? undefined : messages.get(id);
    const at = facts && reachedAt(facts);
    if (at === undefined) return [];
    return at < ownAt || (at === ownAt && other < place) ? [facts!.channel] : [];
  });
}

const phoneIn = (address: string | undefined): string | null =>
  address === undefined || address.includes('@') ? null : address;

/** ISO 3166-1 alpha-2; `001` for numbers of no country. */
function countryOf(address: string): string {
  if (address.includes('@')) return NONE;
  const reading = readInternational(address);
  return reading ? (reading.country ?? '001') : NONE;
}
