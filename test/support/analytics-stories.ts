import fc from 'fast-check';
import type { Database } from '../../src/database/database.ts';
import { newId } from '../../src/lib/id.ts';
import type { MessageStatus } from '../../src/messages/types.ts';
import { verificationRow } from './verifications.ts';

/** What happens to a message, by the time (ms) since it was accepted. */
interface MessageStory {
  after: number;
  channel: string;
  template: string | null;
  /** The states it enters, with how long after the one before. */
  course: readonly (readonly [status: MessageStatus, after: number, reason: string | null])[];
}

/** What happens to a verification, by the time (ms) since the beginning of all. */
export interface Story {
  after: number;
  phone: string;
  email: boolean;
  purpose: string;
  messages: readonly MessageStory[];
  /** How long after its creation the code is entered. */
  verifiedAfter: number | null;
}

const PHONES = ['+6281234567801', '+6281234567802', '+4915112345678', '+12025550143', '+447911123456'];

const COURSES: MessageStatus[][] = [
  [],
  ['sent'],
  ['sent', 'delivered'],
  ['sent', 'delivered', 'read'],
  ['sent', 'read'],
  ['delivered'],
  ['delivered', 'read'],
  ['read'],
  ['sent', 'failed'],
  ['failed'],
  ['expired'],
  ['canceled'],
];

const message = fc
  .record({
    after: fc.nat(120_000),
    channel: fc.constantFrom('whatsapp', 'sms', 'email'),
    template: fc.constantFrom(null, 'login', 'payment'),
    statuses: fc.constantFrom(...COURSES),
    // Few times, so that many are equal.
    waits: fc.array(fc.constantFrom(0, 1, 1_000, 90_000, 86_400_000), { minLength: 3, maxLength: 3 }),
    isTyped: fc.boolean(),
  })
  .map(({ statuses, waits, isTyped, ...story }) => ({
    ...story,
    course: statuses.map((status, at) => {
      const reason = status === 'delivered' && isTyped ? 'verified' : null;
      return [status, waits[at]!, reason] as const;
    }),
  }));

/** Verifications within so many days, each with its messages. */
export const stories = (days: number) =>
  fc.array(
    fc.record({
      after: fc.nat(days * 86_400_000),
      phone: fc.constantFrom(...PHONES),
      email: fc.boolean(),
      purpose: fc.constantFrom('default', 'login', 'a.b'),
      messages: fc.array(message, { minLength: 1, maxLength: 3 }),
      verifiedAfter: fc.option(fc.nat(300_000)),
    }),
    { minLength: 1, maxLength: 25 },
  );

interface Change {
  at: number;
  type: string;
  subject: string;
  messageId: string | null;
  reason: string | null;
}

/** Lets stories happen in a project, from `begin` on (Unix ms), up to a time: the rows and events that the product writes. */
export function happenings(database: Database, projectId: number, told: readonly Story[], begin: number) {
  const verifications = told.map((story) => {
    const createdAt = begin + story.after;
    const id = newId('ver', createdAt);
    const verifiedAt = story.verifiedAfter === null ? null : createdAt + story.verifiedAfter;
    const messages = story.messages
      .map((each, number) => ({ ...each, acceptedAt: createdAt + (number === 0 ? 0 : each.after) }))
      // Nothing is sent once the code was entered.
      .filter(({ acceptedAt }) => verifiedAt === null || acceptedAt <= verifiedAt)
      .sort((a, b) => a.acceptedAt - b.acceptedAt)
      .map((each) => {
        let at = each.acceptedAt;
        const course = each.course.map(([status, after, reason]) => {
          at += after;
          return { at, status, reason };
        });
        return { ...each, id: newId('msg', each.acceptedAt), course };
      });
    return { ...story, id, createdAt, messages, verifiedAt };
  });
  const changes = verifications
    .flatMap(({ id, createdAt, messages, verifiedAt }): Change[] => [
      { at: createdAt, type: 'otp.created', subject: id, messageId: null, reason: null },
      ...messages.flatMap(({ id: messageId, acceptedAt, course }) => [
        { at: acceptedAt, type: 'message.queued', subject: id, messageId, reason: null },
        ...course.map(({ at, status, reason }) => ({
          at,
          type: `message.${status}`,
          subject: id,
          messageId,
          reason,
        })),
      ]),
      ...(verifiedAt === null
        ? []
        : [{ at: verifiedAt, type: 'otp.verified', subject: id, messageId: null, reason: null }]),
    ])
    .sort((a, b) => a.at - b.at);
  let happened = 0;

  return {
    times: changes.map(({ at }) => at),

    /** Everything up to a time, with the time itself. */
    async until(time: number): Promise<void> {
      const now = changes.slice(happened).filter(({ at }) => at <= time);
      happened += now.length;
      if (now.length === 0) return;
      const touched = new Set(now.map(({ subject }) => subject));
      await database.transaction(async (trx) => {
        for (const { id, createdAt, messages, phone, email, purpose, verifiedAt } of verifications) {
          if (!touched.has(id)) continue;
          const accepted = messages.filter(({ acceptedAt }) => acceptedAt <= time);
          const isVerified = verifiedAt !== null && verifiedAt <= time;
          const row = verificationRow({
            id,
            project_id: projectId,
            created_at: createdAt,
            phone: email ? null : phone,
            email: email ? 'a@example.com' : null,
            destination: `${projectId}-${id}`,
            purpose,
            channel: accepted.at(-1)!.channel,
            status: isVerified ? 'verified' : 'canceled',
            verified_at: isVerified ? verifiedAt : null,
            sends: JSON.stringify(accepted.map(({ acceptedAt, id: messageId }) => [acceptedAt, messageId])),
          });
          await trx.deleteFrom('verifications').where('id', '=', id).execute();
          await trx.insertInto('verifications').values(row).execute();
          for (const { id: messageId, acceptedAt, channel, template, course } of accepted) {
            const entered = course.filter(({ at }) => at <= time);
            const timeline = [
              [acceptedAt, 'queued', null],
              ...entered.map(({ at, status, reason }) => [at, status, reason]),
            ];
            await trx.deleteFrom('messages').where('id', '=', messageId).execute();
            await trx
              .insertInto('messages')
              .values({
                id: messageId,
                project_id: projectId,
                owner_id: id,
                address: email ? 'a@example.com' : phone,
                identity: null,
                channel,
                plays: null,
                lane: 0,
                status: entered.at(-1)?.status ?? 'canceled',
                reason: null,
                content: null,
                key_version: 1,
                provider_id: null,
                timeline: JSON.stringify(timeline),
                attempts: 1,
                claim: 1,
                due_at: acceptedAt,
                expires_at: acceptedAt + 300_000,
                created_at: acceptedAt,
                metadata: null,
                template: template === null ? null : JSON.stringify(['tpl_1', template, 1]),
                locale: null,
              })
              .execute();
          }
        }
        for (const { at, type, subject, messageId, reason } of now) {
          await trx
            .insertInto('events')
            .values({
              project_id: projectId,
              type,
              at,
              subject,
              message_id: messageId,
              data: reason === null ? null : JSON.stringify({ reason }),
            })
            .execute();
        }
      });
    },
  };
}
