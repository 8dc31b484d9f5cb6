import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ApiClient } from './api-client.ts';
import { askUntilReached, followLinking } from './bot-pair.ts';
import type { Session } from './bot-session.ts';
import { RefusalError } from './command-error.ts';

const UNREACHABLE = 'WhatsApp cannot be reached.';
const NOT_SCANNED = 'The QR code was not scanned.';
const AT = '2027-01-31T00:00:10.000Z';
const LATER = '2027-01-31T00:00:30.000Z';

const write = { stdout: process.stdout.write, stderr: process.stderr.write };
let printed: { stdout: string; stderr: string };

beforeEach(() => {
  printed = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    process[stream].write = ((text: string) => {
      printed[stream] += text;
      return true;
    }) as typeof process.stdout.write;
  }
});
afterEach(() => {
  process.stdout.write = write.stdout;
  process.stderr.write = write.stderr;
});

type Look = Pick<Session, 'state' | 'reason' | 'nextAttemptAt'> & { qr?: string };

const look = (
  state: string,
  reason: string | null = null,
  nextAttemptAt: string | null = null,
  qr?: string,
) => ({ state, reason, nextAttemptAt, qr }) as Look;

/** Follows a session that looks like this, one look after the other. */
function follow(...looks: Look[]): Promise<Session> {
  let now = 0;
  const api: ApiClient = {
    async call(_method, path) {
      const { qr, ...session } = looks[now]!;
      if (!path.endsWith('/qr')) return { data: session } as never;
      if (qr === undefined) throw new RefusalError({ code: 'RESOURCE_NOT_FOUND', detail: 'There is none.' });
      return { data: { qr, expiresAt: AT } } as never;
    },
    close: async () => {},
  };
  return followLinking(api, 'ses_1', { json: true, showsQr: true, wait: async () => void now++ });
}

test('what holds the linking up is told once each time it changes, on standard error only', async () => {
  const linked = await follow(
    look('pairing'),
    look('pairing', UNREACHABLE, AT),
    look('pairing', UNREACHABLE, AT),
    look('pairing'),
    look('pairing', UNREACHABLE, LATER),
    look('open'),
  );
  expect(linked.state).toBe('open');
  expect(printed).toEqual({
    stdout: '',
    stderr: `${UNREACHABLE} Next attempt: ${AT}.\n${UNREACHABLE} Next attempt: ${LATER}.\n`,
  });
});

test('a linking that never had a QR code to show ends with what held it up', async () => {
  await expect(
    follow(look('pairing', UNREACHABLE, AT), look('pairing'), look('new', NOT_SCANNED)),
  ).rejects.toThrow(UNREACHABLE);
});

test('a linking that has shown a QR code ends with its own reason', async () => {
  await expect(
    follow(look('pairing', null, null, 'a code'), look('pairing', UNREACHABLE, AT), look('new', NOT_SCANNED)),
  ).rejects.toThrow(NOT_SCANNED);
  expect(printed.stdout).toContain('"qr":"a code"');
});

test('without an answer from WhatsApp it says so after some seconds, once, and goes on', async () => {
  await follow(...Array.from({ length: 9 }, () => look('pairing')), look('open'));
  expect(printed.stderr.match(/WhatsApp has not answered yet/g)).toHaveLength(1);
});

test('a pairing code is asked for again until WhatsApp is reached, and every try is told', async () => {
  let asked = 0;
  const api: ApiClient = {
    async call(method) {
      if (method === 'GET') return { data: look('pairing', UNREACHABLE, AT) } as never;
      asked += 1;
      if (asked < 3) throw new RefusalError({ code: 'CHANNEL_UNAVAILABLE', detail: 'It is not there.' });
      return { data: { code: 'ABCD1234', expiresAt: AT } } as never;
    },
    close: async () => {},
  };
  expect((await askUntilReached(api, 'ses_1', '+4915100000001', async () => {})).code).toBe('ABCD1234');
  expect(printed.stderr).toBe(
    `${UNREACHABLE} Trying again (1 of 59).\n${UNREACHABLE} Trying again (2 of 59).\n`,
  );
});
