import { randomInt } from 'node:crypto';
import type { Insertable } from 'kysely';
import { parsePhone } from '../addresses/phone.ts';
import type { Keyring } from '../database/keyring.ts';
import type { Schema } from '../database/schema.ts';
import type { MessageEventType, VerificationEventType } from '../events/types.ts';
import { MINUTE_MS } from '../lib/duration.ts';
import { newId } from '../lib/id.ts';
import type { ChannelName } from '../messages/channel.ts';
import { LANES, type MessageStatus } from '../messages/types.ts';
import { generateCode } from '../otp/code.ts';
import { codeSecrets } from '../otp/code-secrets.ts';
import type { Send } from '../otp/repository.ts';
import { ENDINGS, type Ending } from '../otp/state-machine.ts';
import { demoMoment, demoPhone } from './countries.ts';

const SECOND_MS = 1_000;
const LIFE_MS = 5 * MINUTE_MS;
const MAX_ATTEMPTS = 5;
const ANYWHERE = { countriesAllowed: [], countriesDenied: [] };
/** The share of verifications whose phone has had one before. */
const RETURNING = 0.25;

/** How verifications end, and how often of a hundred. */
const ENDING_SHARES: [Ending, number][] = [
  ['verified', 80],
  ['expired', 11],
  ['failed', 3],
  ['canceled', 3],
  ['max_attempts_reached', 3],
];
const PURPOSES: [string, number][] = [
  ['login', 60],
  ['signup', 22],
  ['payment', 12],
  ['password-reset', 6],
];
const CHANNELS: [ChannelName, number][] = [
  ['whatsapp', 82],
  ['sms', 12],
  ['email', 6],
];

/** Rows as the product itself would have left them. */
export interface DemoRows {
  verifications: Schema['verifications'][];
  messages: Schema['messages'][];
  events: Insertable<Schema['events']>[];
}

/** A change of a message, before it is written in any form. */
type Change = [at: number, status: MessageStatus, reason: string | null];

interface Told {
  at: number;
  type: VerificationEventType | MessageEventType;
  messageId: string | null;
  reason: string | null;
}

/**
 * Invents verifications of the last two weeks with their messages and events: more by day than by night, from several
 * countries, in every state. About one in a hundred, and the first at least, is pending; its code can be checked.
 * `metadata` marks them all as `{ "demo": true }`.
 */
export function demoVerifications(
  count: number,
  { now, projectId, keyring }: { now: number; projectId: number; keyring: Keyring },
): DemoRows {
  const secrets = codeSecrets(keyring);
  const rows: DemoRows = { verifications: [], messages: [], events: [] };
  const phones: { e164: string; utcOffsetHours: number }[] = [];

  function phone() {
    const known = Math.random() < RETURNING ? phones[randomInt(Math.max(1, phones.length))] : undefined;
    if (known) return known;
    const fresh = demoPhone();
    phones.push(fresh);
    return fresh;
  }

  for (let i = 0; i < count; i++) {
    const { e164, utcOffsetHours } = phone();
    const isPending = i % 100 === 0;
    const createdAt = isPending
      ? now - randomInt(15 * SECOND_MS, LIFE_MS - MINUTE_MS)
      : demoMoment(now - LIFE_MS, utcOffsetHours);
    const status = isPending ? 'pending' : picked(ENDING_SHARES);
    // A message of a pending one must never reach a real phone, also when it is sent again.
    const channel = isPending ? 'simulator' : picked(CHANNELS);
    const code = generateCode(6, 'numeric');
    const id = newId('ver', createdAt);
    const story = tell(status, createdAt);

    const told: Told[] = [{ at: createdAt, type: 'otp.created', messageId: null, reason: null }];
    const sends: Send[] = [];
    for (const changes of story.messages) {
      const [at] = changes[0]!;
      const messageId = newId('msg', at);
      const [, last, reason] = changes.at(-1)!;
      sends.push([at, messageId]);
      for (const [changedAt, to, why] of changes)
        if (to !== 'sending') told.push({ at: changedAt, type: `message.${to}`, messageId, reason: why });
      rows.messages.push({
        id: messageId,
        project_id: projectId,
        owner_id: id,
        address: e164,
        identity: null,
        channel,
        plays: channel === 'simulator' ? 'whatsapp' : null,
        provider_id: null,
        lane: LANES.code,
        status: last,
        reason,
        content: null,
        key_version: keyring.version,
        timeline: JSON.stringify(changes),
        attempts: 1,
        claim: 1,
        due_at: at,
        expires_at: createdAt + LIFE_MS,
        created_at: at,
        metadata: null,
        template: null,
        locale: null,
      });
    }
    if (status !== 'pending')
      told.push({ at: story.endedAt, type: ENDINGS[status], messageId: null, reason: story.reason });

    rows.verifications.push({
      id,
      project_id: projectId,
      phone: e164,
      email: null,
      route: JSON.stringify([channel === 'simulator' ? 'whatsapp' : channel]),
      step: 0,
      move_at: null,
      destination: parsePhone(e164, ANYWHERE).identity,
      purpose: picked(PURPOSES),
      channel,
      status,
      reason: story.reason,
      ...secrets.store(id, code),
      ...(!isPending && { sealed_code: null }),
      code_length: code.length,
      attempts: story.attempts,
      sends: JSON.stringify(sends),
      failed_checks: JSON.stringify(story.failedChecks.map((at) => [at, null])),
      client_ip: null,
      is_test: 0,
      metadata: '{"demo":true}',
      created_at: createdAt,
      expires_at: createdAt + LIFE_MS,
      verified_at: status === 'verified' ? story.endedAt : null,
      limits_lifted_at: null,
      verified_client_ip: null,
    });
    // A sort that keeps the order of equal times keeps cause before effect.
    for (const { at, type, messageId, reason } of told.sort((a, b) => a.at - b.at)) {
      rows.events.push({
        project_id: projectId,
        type,
        at,
        subject: id,
        message_id: messageId,
        data: reason === null ? null : JSON.stringify({ reason }),
      });
    }
  }
  return rows;
}

interface Story {
  /** The changes of each message, oldest first. */
  messages: Change[][];
  endedAt: number;
  reason: string | null;
  attempts: number;
  /** Times of wrong codes that still count. */
  failedChecks: number[];
}

/** What happens to one verification. */
function tell(status: Ending | 'pending', createdAt: number): Story {
  if (status === 'failed') {
    const failedAt = createdAt + randomInt(400, 3 * SECOND_MS);
    const reason = 'PHONE_NOT_ON_WHATSAPP';
    const changes: Change[] = [...sending(createdAt), [failedAt, 'failed', reason]];
    return { messages: [changes], endedAt: failedAt, reason, attempts: 0, failedChecks: [] };
  }
  if (status === 'pending') {
    const messages = [delivered(createdAt, createdAt + 14 * SECOND_MS)];
    return { messages, endedAt: 0, reason: null, attempts: 0, failedChecks: [] };
  }
  const expiresAt = createdAt + LIFE_MS;
  const isResent = Math.random() < 0.12;
  const resentAt = createdAt + randomInt(31 * SECOND_MS, 90 * SECOND_MS);
  const typedAt = (isResent ? resentAt : createdAt) + randomInt(16 * SECOND_MS, 80 * SECOND_MS);
  const endedAt = status === 'expired' ? expiresAt : typedAt;
  const messages = [delivered(createdAt, createdAt + 15 * SECOND_MS)];
  if (isResent) messages.push(delivered(resentAt, resentAt + 15 * SECOND_MS));
  const wrong = status === 'max_attempts_reached' ? MAX_ATTEMPTS : 0;
  return {
    messages,
    endedAt,
    reason: status === 'canceled' || status === 'max_attempts_reached' ? status : null,
    attempts: wrong || (status === 'verified' ? 1 + (Math.random() < 0.1 ? 1 : 0) : 0),
    failedChecks: Array.from({ length: wrong }, (_, i) => endedAt - (wrong - 1 - i) * SECOND_MS),
  };
}

function sending(queuedAt: number): Change[] {
  return [
    [queuedAt, 'queued', null],
    [queuedAt + randomInt(2, 60), 'sending', null],
  ];
}

/** From the outbox to the phone, as far as it comes by `until`: nearly all arrive, most are read. */
function delivered(queuedAt: number, until: number): Change[] {
  const changes = sending(queuedAt);
  const sentAt = queuedAt + randomInt(80, 1_200);
  changes.push([sentAt, 'sent', null]);
  if (Math.random() < 0.04) return changes;
  const deliveredAt = sentAt + randomInt(200, 5 * SECOND_MS);
  changes.push([deliveredAt, 'delivered', null]);
  if (Math.random() < 0.25) return changes;
  changes.push([randomInt(deliveredAt + 1, until), 'read', null]);
  return changes;
}

/** One of the choices, by their shares. */
function picked<T>(choices: readonly (readonly [T, number])[]): T {
  let at = Math.random() * choices.reduce((sum, [, share]) => sum + share, 0);
  for (const [choice, share] of choices) {
    at -= share;
    if (at < 0) return choice;
  }
  return choices[0]![0];
}
