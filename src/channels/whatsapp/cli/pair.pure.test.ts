import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ApiClient } from '../../../cli/api-client.ts';
import { RefusalError } from '../../../cli/command-error.ts';
import { askUntilReached, followLinking, pair } from './pair.ts';
import type { Session } from './session.ts';

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

/** Pairs with a session that looks like this, one look after the other; resolves to the calls that change something. */
async function pairing(
  looks: Partial<Session>[],
  { session, interruptAt }: { session?: string; interruptAt?: number } = {},
): Promise<{ calls: string[]; error: unknown }> {
  const calls: string[] = [];
  let now = 0;
  const api: ApiClient = {
    async call(method, path) {
      if (method !== 'GET') calls.push(`${method} ${path}`);
      if (path.endsWith('/qr'))
        throw new RefusalError({ code: 'RESOURCE_NOT_FOUND', detail: 'There is none.' });
      return {
        data: { id: 'ses_1', phone: null, reason: null, nextAttemptAt: null, ...looks[now] },
      } as never;
    },
    close: async () => {},
  };
  const wait = async () => {
    now = Math.min(now + 1, looks.length - 1);
    if (now === interruptAt) process.emit('SIGINT');
    await new Promise((resolve) => setImmediate(resolve));
  };
  const error = await pair(api, { session, json: true, wait }).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { calls, error };
}

const CREATED = 'POST /api/v1/bot/sessions';
const REMOVED = 'DELETE /api/v1/bot/sessions/ses_1';

test('a session that was created for a pairing goes when its QR codes ran out', async () => {
  const { calls, error } = await pairing([{ state: 'pairing' }, { state: 'new', reason: NOT_SCANNED }]);
  expect(error).toMatchObject({ message: NOT_SCANNED });
  expect(calls).toEqual([CREATED, REMOVED]);
});

test('it goes when the pairing is interrupted, and nothing listens for signals afterwards', async () => {
  const before = process.listenerCount('SIGINT');
  const { calls, error } = await pairing([{ state: 'pairing' }, { state: 'pairing' }], { interruptAt: 1 });
  expect(error).toMatchObject({ message: expect.stringContaining('Interrupted') });
  expect(calls).toEqual([CREATED, REMOVED]);
  expect(process.listenerCount('SIGINT')).toBe(before);
});

test('it stays when a phone was linked by then', async () => {
  const { calls } = await pairing([{ state: 'pairing' }, { state: 'connecting', phone: '+4915100000001' }], {
    interruptAt: 1,
  });
  expect(calls).toEqual([CREATED]);
});

test('a session that was there before stays, whatever happens', async () => {
  const { calls, error } = await pairing([{ state: 'pairing' }, { state: 'new', reason: NOT_SCANNED }], {
    session: 'ses_1',
  });
  expect(error).toMatchObject({ message: NOT_SCANNED });
  expect(calls).toEqual(['POST /api/v1/bot/sessions/ses_1/restart']);
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
  expect((await askUntilReached(api, 'ses_1', '+4915100000001', { wait: async () => {} })).code).toBe(
    'ABCD1234',
  );
  expect(printed.stderr).toBe(
    `${UNREACHABLE} Trying again (1 of 59).\n${UNREACHABLE} Trying again (2 of 59).\n`,
  );
});
