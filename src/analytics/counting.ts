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
function isCounted({ type, projectId, data }: StoredEvent): boolean {
  return projectId !== null && COUNTED.has(type) && !(type === 'message.queued' && data !== null);
}

/** What is known of what events are about. */
interface Facts {
  verifications: ReadonlyMap<string, VerificationFacts>;
  messages: ReadonlyMap<string, MessageFacts>;
  /** Countries by address, those that were looked up. */
  countries: Map<string, string>;
}

/** Where the facts come from. */
export interface FactReaders {
  verifications: VerificationFactsOf;
  messages: MessageFactsOf;
}

/** Rows that are read at once, and events that are counted. */
const PORTION = 300;

/**
 * Adds events, in the order of the feed, to the figures.
 * @param breathe called between portions, to give others their turn; without it nothing is waited for but queries
 * @returns which of the verifications and messages they are about are no longer stored
 */
export async function addEvents(
  tally: Tally,
  executor: Executor,
  given: readonly StoredEvent[],
  { readers, breathe = async () => {} }: { readers: FactReaders; breathe?: () => Promise<unknown> },
): Promise<string[]> {
  const arrived = new Set<string>();
  const verificationIds = new Set<string>();
  const messageIds = new Set<string>();
  const events = given.filter((event) => {
    const { type, subject, messageId } = event;
    if (!isCounted(event)) return false;
    // A message that was read after it was delivered adds nothing, and most were.
    if (type === 'message.delivered') arrived.add(messageId!);
    if (type === 'message.read' && arrived.has(messageId!)) return false;
    if (type !== 'message.queued') {
      if (isOfVerification(subject)) verificationIds.add(subject);
      if (messageId !== null) messageIds.add(messageId);
    }
    return true;
  });
  const wanted = [...verificationIds, ...messageIds];
  const verifications = await inPortions(verificationIds, (ids) => readers.verifications(executor, ids));
  for (const { messageIds: ids } of verifications.values()) for (const id of ids) messageIds.add(id);
  const messages = await inPortions(messageIds, (ids) => readers.messages(executor, ids));
  const facts = { verifications, messages, countries: new Map<string, string>() };
  for (const [at, event] of events.entries()) {
    count(tally, event, facts);
    if (at % PORTION === PORTION - 1) await breathe();
  }
  return wanted.filter((id) => !verifications.has(id) && !messages.has(id));

  async function inPortions<T>(ids: ReadonlySet<string>, read: (ids: string[]) => Promise<Map<string, T>>) {
    const all = [...ids];
    const found = new Map<string, T>();
    for (let at = 0; at < all.length; at += PORTION) {
      for (const [id, facts] of await read(all.slice(at, at + PORTION))) found.set(id, facts);
      await breathe();
    }
    return found;
  }
}

/** When a provider first had a message; `sent` is passed over where the receipt came first. */
const sentAt = ({ sent, delivered, read }: MessageFacts) => (sent ?? delivered ?? read)?.at;
const arrivedAt = ({ delivered, read }: MessageFacts) => (delivered ?? read)?.at;

/**
 * Adds one event to the figures, by the definitions in docs/ANALYTICS.md. Every figure is that of the quarter-hour in which
 * its message was accepted or its verification created, whenever the event comes.
 */
function count(tally: Tally, event: StoredEvent, facts: Facts): void {
  const { type, subject, messageId } = event;
  if (type === 'otp.verified') {
    const isTest = subject !== null && facts.verifications.get(subject)?.isTest;
    if (isOfVerification(subject) && !isTest)
      countVerification(tally, event, subject, facts, 'verified', undefined);
    return;
  }
  const projectId = event.projectId!;
  const message = facts.messages.get(messageId!);
  const accepted = { projectId, start: quarterOf(timeOfId('msg', messageId!)) };
  const reach = (stage: 'sent' | 'delivered') => {
    if (stage === 'sent') {
      tally.addMessage(accepted, 'successful');
      if (message && !message.address.includes('@')) tally.addPhone(accepted, message.address);
    }
    if (isOfVerification(subject)) countVerification(tally, event, subject, facts, stage, messageId!);
  };
  switch (type) {
    case 'message.queued':
      tally.addMessage(accepted, 'messages');
      break;
    case 'message.sent':
      reach('sent');
      break;
    case 'message.delivered':
      if (message && !message.sent) reach('sent');
      reach('delivered');
      // Where the code was typed before a receipt came, nobody knows how long it took.
      if (message && !message.delivered?.reason) {
        const ms = Math.max(0, (message.delivered?.at ?? event.at) - message.acceptedAt);
        const time = { bin: binOf(ms), ms };
        tally.addDelivery(accepted, 'channel', message.channel, time);
        tally.addDelivery(accepted, 'country', countryOf(message.address, facts), time);
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
  facts: Facts,
  stage: ConversionCount,
  messageId: string | undefined,
): void {
  const { verifications, messages } = facts;
  const created = { projectId: projectId!, start: quarterOf(timeOfId('ver', id)) };
  const verification = verifications.get(id);
  const message = messageId === undefined ? undefined : messages.get(messageId);
  const earlier = stage === 'verified' ? [] : channelsBefore(stage, messageId!, verification, messages);
  const channel = message?.channel ?? verification?.channel ?? NONE;
  if (!earlier.includes(channel)) tally.addConversion(created, 'channel', channel, stage);
  if (earlier.length > 0) return;
  const phone = verification ? verification.phone : phoneIn(message?.address);
  const first = messages.get(verification?.messageIds[0] ?? messageId ?? '');
  tally.addConversion(created, 'country', phone === null ? NONE : countryOf(phone, facts), stage);
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
function countryOf(address: string, { countries }: Facts): string {
  if (address.includes('@')) return NONE;
  let country = countries.get(address);
  if (country === undefined) {
    const reading = readInternational(address);
    country = reading ? (reading.country ?? '001') : NONE;
    countries.set(address, country);
  }
  return country;
}
