import { identityOf } from '../addresses/phone.ts';
import type { Routing } from '../channels/route.ts';
import type { Executor, Transaction } from '../database/database.ts';
import type { RateLimitError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { DAY_MS } from '../lib/duration.ts';
import { fullWindow, nextMessageAt } from '../limits/phone-limits.ts';
import type { ChannelName } from '../messages/channel.ts';
import type { MessageService } from '../messages/service.ts';
import type { Settings } from '../settings/settings.ts';
import { loadDestination } from './destination.ts';
import type { Person } from './person.ts';
import { addressIsFull, optedOut as refusedAsOptedOut } from './refusals.ts';
import type { DestinationRow, VerificationRepository } from './repository.ts';
import type { SendRequest } from './types.ts';

/** By which channels a send may reach its person, by what that person has asked for and got so far. */
export function sendWay(deps: {
  repository: VerificationRepository;
  messages: Pick<MessageService, 'acceptedFor'>;
  routing: Routing;
  settings: Settings;
  clock: Clock;
  isOptedOut: (executor: Executor, projectId: number, identity: string) => Promise<boolean>;
}) {
  const { repository, messages, routing, settings, clock, isOptedOut } = deps;

  /** The way of a send; without the e-mail address where `whyFull` says that it gets no more for now. */
  async function wayFor(
    executor: Executor,
    request: SendRequest,
    person: Person,
    whyFull: (identity: string) => Promise<RateLimitError | undefined>,
  ): Promise<ChannelName[]> {
    const { projectId } = request;
    const { phone, email, identity } = person;
    const optedOut = phone !== undefined && (await isOptedOut(executor, projectId, phone.identity));
    if (optedOut && !email) throw refusedAsOptedOut();
    const full = phone && email && (await whyFull(email.identity));
    const way = routing.choose({
      projectId,
      channel: request.channel,
      channels: request.channels,
      reach: { phone: phone?.e164, email: email?.address },
      isOptedOut: optedOut,
      isEmailFull: full !== undefined,
    });
    if (way.length === 0) throw full ?? refusedAsOptedOut();
    return identity === email?.identity ? way.filter((name) => name === 'email') : way;
  }

  /** Why an address beside the phone may get no message now, by what it has got itself; undefined where it may. */
  async function whyAddressFull(
    trx: Transaction,
    projectId: number,
    identity: string,
  ): Promise<RateLimitError | undefined> {
    const now = clock.now();
    const own = await loadDestination(repository, trx, projectId, identity, now);
    const others = await messages.acceptedFor(trx, projectId, identity, now - DAY_MS);
    const sentAt = [...own.sentAt, ...others.filter((at) => at >= own.countedFrom)];
    const { phoneLimits } = settings.of(projectId);
    const allowedAt = nextMessageAt(sentAt, { ...phoneLimits, gapMs: 0 });
    return allowedAt <= now
      ? undefined
      : addressIsFull(allowedAt, now, fullWindow(sentAt, phoneLimits, allowedAt));
  }

  /** Refuses another message to a phone that has opted out since the send. */
  async function refuseOptedOut(trx: Transaction, row: DestinationRow, name: ChannelName): Promise<void> {
    if (row.phone === null || name === 'email') return;
    if (await isOptedOut(trx, row.project_id, identityOf(row.phone))) throw refusedAsOptedOut();
  }

  return { wayFor, whyAddressFull, refuseOptedOut };
}
