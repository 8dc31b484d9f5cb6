import type { Database, Executor } from '../database/database.ts';
import { NotFoundError } from '../errors/errors.ts';
import type { Clock } from '../lib/clock.ts';
import { firstIdAt } from '../lib/id.ts';
import type { ChannelName } from '../messages/channel.ts';
import type { MessageService } from '../messages/service.ts';
import type { MessageStatus } from '../messages/types.ts';
import type { Settings } from '../settings/settings.ts';
import {
  attemptsRemaining,
  type Destination,
  loadDestination,
  messageIdsOf,
  nextRetryAt,
  nextSendAt,
  routeOf,
  sendsOf,
} from './destination.ts';
import { type VerificationFilter, verificationList } from './list.ts';
import { readPerson } from './person.ts';
import type { DestinationRow, VerificationRepository, VerificationRow } from './repository.ts';
import { statusAt } from './state-machine.ts';
import { phoneLimitsOf } from './test-send.ts';
import type { Verification, VerificationTimelineEntry, VerificationWithMetadata } from './types.ts';

/** Verifications as their project sees them: one, its timeline, a list. */
export function verificationReading(deps: {
  database: Database;
  messages: MessageService;
  clock: Clock;
  settings: Settings;
  repository: VerificationRepository;
}) {
  const { database, messages, clock, settings, repository } = deps;
  const list = verificationList(database);

  const load = (executor: Executor, projectId: number, identity: string) =>
    loadDestination(repository, executor, projectId, identity, clock.now());

  function toVerification(
    row: DestinationRow,
    destination: Destination,
    messageStatus: MessageStatus,
  ): Verification {
    const now = clock.now();
    const status = statusAt(row, now);
    const { code } = settings.of(row.project_id);
    const phoneLimits = phoneLimitsOf(settings, row);
    const isPending = status === 'pending';
    const [, messageId] = sendsOf(row).at(-1)!;
    const route = routeOf(row);
    return {
      id: row.id,
      messageId,
      phone: row.phone,
      email: row.email,
      purpose: row.purpose,
      channel: row.channel as ChannelName,
      plays: row.channel === 'simulator' && !row.is_test ? route[row.step]! : null,
      route,
      nextAt: isPending ? row.move_at : null,
      status,
      messageStatus: row.is_test ? 'canceled' : messageStatus,
      createdAt: row.created_at,
      expiresAt: row.expires_at,
      resendAt: isPending
        ? nextRetryAt(destination, row, phoneLimits)
        : Math.max(now, nextSendAt(destination, phoneLimits)),
      attemptsRemaining: isPending ? attemptsRemaining(destination, row, code.maxAttempts, now) : 0,
      verifiedAt: row.verified_at,
      reason: row.reason,
      isTest: row.is_test === 1,
    };
  }

  async function view(executor: Executor, row: DestinationRow): Promise<Verification> {
    const destination = await load(executor, row.project_id, row.destination);
    const [newest] = (await messages.views(executor, messageIdsOf(row).slice(-1))).values();
    return toVerification(row, destination, newest?.status ?? 'expired');
  }

  async function viewWithMetadata(row: VerificationRow): Promise<VerificationWithMetadata> {
    const metadata = row.metadata === null ? null : (JSON.parse(row.metadata) as Record<string, unknown>);
    return { ...(await view(database.reader, row)), metadata };
  }

  return {
    toVerification,
    view,

    /** One verification with the timeline of its messages. Throws NotFoundError. */
    async get(
      projectId: number,
      id: string,
    ): Promise<{ verification: VerificationWithMetadata; timeline: VerificationTimelineEntry[] }> {
      const row = await repository.byId(database.reader, projectId, id);
      if (!row) throw new NotFoundError('There is no verification with this id.');
      const views = await messages.views(database.reader, messageIdsOf(row));
      const timeline = [...views.values()].flatMap(
        ({ id: messageId, channel, plays, timeline, metadata, template }) =>
          timeline.map((entry, i) => ({
            ...entry,
            messageId,
            channel,
            ...(plays ? { plays } : {}),
            ...(i === 0 && metadata ? { metadata } : {}),
            ...(i === 0 && template ? { template: { code: template.code, version: template.version } } : {}),
          })),
      );
      return {
        verification: await viewWithMetadata(row),
        timeline: timeline.sort((a, b) => a.at - b.at),
      };
    },

    /**
     * A project's verifications, newest first; `cursor` is the id after which to go on. A page may be short and have a
     * next one all the same.
     * @throws WotpError PHONE_INVALID, PHONE_NOT_ALLOWED
     */
    async list(
      projectId: number,
      filter: Omit<VerificationFilter, 'destination'> & { phone?: string; email?: string },
      { cursor, limit }: { cursor?: string; limit: number },
    ): Promise<{ verifications: VerificationWithMetadata[]; next: string | null }> {
      const { phone, email, ...rest } = filter;
      const isOfOne = phone !== undefined || email !== undefined;
      const narrowed = isOfOne
        ? { ...rest, destination: readPerson({ phone, email }, settings.of(projectId).readPhone).identity }
        : rest;
      const { rows, next } = await list.page(projectId, narrowed, clock.now(), { before: cursor, limit });
      return { verifications: await Promise.all(rows.map(viewWithMetadata)), next };
    },

    /** The ids of the latest verifications of a phone or an address in a project, by its identity; the newest first. */
    async idsOf(projectId: number, destination: string, limit: number): Promise<string[]> {
      const rows = await database.reader
        .selectFrom('verifications')
        .select('id')
        .where('destination', '=', destination)
        .where('project_id', '=', projectId)
        .orderBy('created_at', 'desc')
        .limit(limit)
        .execute();
      return rows.map(({ id }) => id);
    },

    /** How many verifications made since `since` (Unix ms) are in each state. */
    counts: (projectId: number, since: number): Promise<Record<string, number>> =>
      repository.counts(projectId, firstIdAt('ver', since)),
  };
}
