import { Webhook } from 'standardwebhooks';
import type { Webhook as SvixWebhook } from 'svix';
import { vi } from 'vitest';
import { eventFeed } from '../../src/events/feed.ts';
import { type Received, startProvider } from './provider-stand-in.ts';
import type { TestApp } from './test-app.ts';
import { settle } from './test-clock.ts';

/** The payload of a webhook, as a receiver reads it. */
export interface Payload {
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
  event: string;
}

/** Settings with which a server sends to this machine, and calls of administrators are cheap. */
export const TO_THIS_MACHINE = {
  WEBHOOK_ALLOWED_ADDRESSES: '127.0.0.1',
  MASTER_PASSWORD: 'a password only tests know',
} as const;

/** How long a test waits for something to happen, in ms of real time. */
const PATIENCE_MS = 15_000;

/**
 * Verifies a request with the library of Standard Webhooks, or another that knows its rules, as at a time (Unix ms).
 * @throws when it does not verify
 */
export function verified(
  secret: string,
  { headers, body }: Pick<Received, 'headers' | 'body'>,
  at: number,
  Library: typeof Webhook | typeof SvixWebhook = Webhook,
): Payload {
  vi.useFakeTimers({ toFake: ['Date'], now: at });
  try {
    return new Library(secret).verify(body, headers as Record<string, string>) as Payload;
  } finally {
    vi.useRealTimers();
  }
}

/** A receiver on this machine: what it got, and what it answers. */
export const startReceiver = startProvider;

/** Calls of the API of webhooks, and time that goes on until something has happened. */
export function webhooksOf(server: TestApp) {
  const call = async (method: string, path: string, body?: unknown) =>
    server.call(method, `webhooks${path}`, { asAdmin: true, body });
  return {
    call,

    /** Creates an endpoint and expects 201; resolves to it with its secret. */
    async create(url: string, settings: Record<string, unknown> = {}) {
      const answer = await call('POST', '', { url, events: ['*'], ...settings });
      if (answer.status !== 201) throw new Error(answer.text);
      return answer.body.data as { id: string; secret: string; [field: string]: unknown };
    },
    read: async (id: string) => (await call('GET', `/${id}`)).body.data,
    /** The deliveries of an endpoint, oldest event first. */
    async deliveries(id: string, query = '') {
      const { body } = await call('GET', `/${id}/deliveries?limit=200${query}`);
      return body.data.toReversed();
    },

    /** Lets time go on in steps until something is so; fails when it never is. */
    async until(what: string, isSo: () => boolean | Promise<boolean>, stepMs = 20): Promise<void> {
      const giveUpAt = performance.now() + PATIENCE_MS;
      while (!(await isSo())) {
        if (performance.now() > giveUpAt) {
          const held = await eventFeed(server.app.database).heldBackSince();
          throw new Error(
            `Waited in vain: ${what}${held ? '; another transaction holds the events back' : ''}`,
          );
        }
        await server.clock.advance(stepMs);
      }
      await settle();
    },
  };
}
