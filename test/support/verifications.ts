import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import { newId } from '../../src/lib/id.ts';
import type { VerificationRow } from '../../src/otp/repository.ts';
import type { Answer, CallOptions, TestApp } from './test-app.ts';

/** Settings for tests that call as administrator often: a configured password costs no slow hash. */
export const QUICK_ADMIN = { MASTER_PASSWORD: 'a password only tests know' } as const;

export const MINUTE_MS = 60_000;
export const DAY_MS = 24 * 60 * MINUTE_MS;

let phonesMade = 0;

/** An Indonesian mobile number that no other test of the file uses. */
export function newPhone(): string {
  phonesMade += 1;
  return `+62812${String(34_500_000 + phonesMade)}`;
}

/** A verification as it is stored: pending for ten minutes, with one message, but for what is `given`. */
export function verificationRow(
  given: Partial<VerificationRow> & Pick<VerificationRow, 'created_at'>,
): VerificationRow {
  const { created_at, phone = newPhone() } = given;
  return {
    id: newId('ver', created_at),
    project_id: 1,
    phone,
    email: null,
    route: '["whatsapp"]',
    step: 0,
    move_at: null,
    sealed_code: null,
    destination: phone?.slice(1) ?? '',
    purpose: 'default',
    channel: 'simulator',
    status: 'pending',
    reason: null,
    code_mac: randomBytes(32),
    key_version: 1,
    code_length: 6,
    attempts: 0,
    sends: JSON.stringify([[created_at, newId('msg', created_at)]]),
    failed_checks: '[]',
    client_ip: null,
    is_test: 0,
    metadata: null,
    expires_at: created_at + 10 * MINUTE_MS,
    verified_at: null,
    limits_lifted_at: null,
    verified_client_ip: null,
    ...given,
  };
}

type Body = Record<string, unknown>;
type Credentials = Pick<CallOptions, 'key' | 'asAdmin'>;

/** The calls that tests of verifications make, and what they look at afterwards. */
export function verificationsOf(server: TestApp) {
  return {
    send: (body: Body, as: Credentials = {}) => server.call('POST', 'otp/send', { body, ...as }),
    check: (body: Body, as: Credentials = {}) => server.call('POST', 'otp/verify', { body, ...as }),
    resend: (id: string, as: Credentials = {}) => server.call('POST', `otp/${id}/resend`, as),
    cancel: (id: string, as: Credentials = {}) => server.call('POST', `otp/${id}/cancel`, as),
    read: (id: string, as: Credentials = {}) => server.call('GET', `otp/${id}`, as),
    limits: (phone: string) => server.call('GET', `limits/${encodeURIComponent(phone)}`, { asAdmin: true }),
    lift: (phone: string) => server.call('DELETE', `limits/${encodeURIComponent(phone)}`, { asAdmin: true }),
    fault: (body: Body) => server.call('PUT', 'simulator/faults', { body, asAdmin: true }),

    /** Sends and expects 201; resolves to the `data`. */
    async sent(body: Body, as: Credentials = {}) {
      const answer = await server.call('POST', 'otp/send', { body, ...as });
      expect(answer.body).toMatchObject({ success: true });
      expect(answer.status).toBe(201);
      return answer.body.data;
    },

    /** What the virtual phone shows, oldest first. */
    async inbox(phone: string): Promise<{ id: string; to: string; text: string; status: string }[]> {
      const path = `simulator/messages?to=${encodeURIComponent(phone)}`;
      const { body } = await server.call('GET', path, { asAdmin: true });
      return body.data.reverse();
    },

    /**
     * Puts the clock forward at once, as when a machine was asleep: what fell due meanwhile runs once, now. Much
     * quicker than `advance` for long times.
     */
    async jump(ms: number): Promise<void> {
      server.clock.set(server.clock.now() + ms);
      await server.clock.advance(0);
    },

    /** Lets whatever waits reach the phones and their receipts come back. */
    deliver: () => server.clock.advance(2_000),

    /** The types of the events of a verification and its messages, in the order in which they were recorded. */
    async eventsOf(verificationId: string): Promise<string[]> {
      const rows = await server.app.database.reader
        .selectFrom('events')
        .select('type')
        .where('subject', '=', verificationId)
        .orderBy('seq')
        .execute();
      return rows.map((row) => row.type);
    },

    /** How many messages the outbox holds for a number, whatever became of them. */
    async messagesTo(phone: string): Promise<number> {
      const rows = await server.app.database.reader
        .selectFrom('messages')
        .select('id')
        .where('address', '=', phone)
        .execute();
      return rows.length;
    },
  };
}

/** The whole seconds that a refusal asks to wait; fails when it is no 429 with this code. */
export function retryAfterOf(refusal: Answer, code: string): number {
  expect({ status: refusal.status, code: refusal.body.code }).toEqual({ status: 429, code });
  const seconds = refusal.headers.get('retry-after');
  expect(seconds).toMatch(/^[1-9]\d*$/);
  return Number(seconds);
}

/** How many answers came with each status. */
export function countByStatus(answers: readonly Pick<Answer, 'status'>[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

/**
 * Holds the events table against what it must tell: each change in a message's timeline, `sending` apart, and each
 * beginning and end of a verification has exactly one row.
 */
export async function expectOneEventPerChange(server: TestApp): Promise<void> {
  const { reader } = server.app.database;
  const events = await reader.selectFrom('events').selectAll().orderBy('seq').execute();
  const messages = await reader.selectFrom('messages').selectAll().execute();
  const verifications = await reader.selectFrom('verifications').selectAll().execute();
  const endings: Record<string, string> = {
    verified: 'otp.verified',
    expired: 'otp.expired',
    canceled: 'otp.canceled',
    max_attempts_reached: 'otp.failed',
    failed: 'otp.failed',
  };
  expect(messages.length).toBeGreaterThan(0);
  for (const message of messages) {
    const changes = (JSON.parse(message.timeline) as [number, string, string | null][])
      .map(([at, status, reason]) => ({ at, type: `message.${status}`, reason }))
      .filter(({ type }) => type !== 'message.sending');
    const recorded = events
      .filter((event) => event.message_id === message.id)
      .map(({ at, type, data }) => ({ at, type, reason: data === null ? null : JSON.parse(data).reason }));
    // A timeline keeps its newest entries only.
    expect(recorded.slice(-changes.length), message.id).toEqual(changes);
    if (message.status !== 'sending')
      expect(changes.at(-1)?.type, message.id).toBe(`message.${message.status}`);
  }
  for (const { id, status } of verifications) {
    const types = events
      .filter((event) => event.subject === id && event.message_id === null)
      .map(({ type }) => type);
    expect(types, id).toEqual(status === 'pending' ? ['otp.created'] : ['otp.created', endings[status]]);
  }
}
